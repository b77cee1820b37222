"""Two kinds of charts as SVG text: bars by name, lines over categories. No library.

Every chart brings its own white background and frame, so that it can be read on a dark page as well.
Text widths are estimated, generously: the font of the reader is not known.
"""
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

INK, SOFT, GRID, PAPER = "#1f2328", "#59636e", "#e3e7eb", "#ffffff"
# Distinguishable also with the common colour blindnesses (Okabe and Ito).
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a4c93", "#59636e"]
FONT = "DejaVu Sans, Verdana, Arial, sans-serif"
SIZE, SMALL = 12, 11


def text_width(text: str, size: int = SIZE) -> float:
    return 0.64 * size * len(text)


class Drawing:
    def __init__(self, width: float, height: float, title: str, subtitle: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect x="0.5" y="0.5" width="{width - 1:.0f}" height="{height - 1:.0f}" rx="6" fill="{PAPER}" '
            f'stroke="#d0d7de"/>']
        self.text(16, 27, title, size=15, bold=True)
        for number, line in enumerate(subtitle.splitlines()):
            self.text(16, 46 + 15 * number, line, size=SMALL, colour=SOFT)

    def text(self, x: float, y: float, words: str, *, size: int = SIZE, anchor: str = "start", colour: str = INK,
             bold: bool = False, turn: bool = False) -> None:
        weight = ' font-weight="bold"' if bold else ""
        turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                          f'fill="{colour}"{weight}{turned}>{escape(words)}</text>')

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" '
                          f'fill="{colour}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> None:
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                          f'stroke-width="{width}"/>')

    def polyline(self, points: Sequence[tuple[float, float]], colour: str, dash: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}" stroke="{PAPER}"/>')

    def legend(self, x: float, y: float, entries: Sequence[tuple[str, str, str]], right: float) -> float:
        """Entries (name, colour, dash) from left to right, broken at the right edge; returns the last baseline."""
        left = x
        for name, colour, dash in entries:
            needed = 30 + text_width(name, SMALL) + 14
            if x + needed > right and x > left:
                x, y = left, y + 18
            if dash == "box":
                self.rect(x, y - 10, 22, 11, colour)
            else:
                self.polyline([(x, y - 4), (x + 22, y - 4)], colour, dash)
            self.text(x + 28, y, name, size=SMALL)
            x += needed
        return y

    def finish(self) -> str:
        return "\n".join([*self.parts, "</svg>"]) + "\n"


def ticks(highest: float, wanted: int = 5) -> list[float]:
    """From 0 to at least the highest, at round steps."""
    if highest <= 0:
        return [0.0, 1.0]
    raw = highest / wanted
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * 0.999)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def short(value: float) -> str:
    """Three significant digits; no more are meant."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 4)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass
class Bar:
    parts: list[tuple[float, str]]                # (value, colour), stacked
    spread: tuple[float, float] | None = None     # of the sum


@dataclass
class BarPanel:
    title: str                                    # with the unit
    bars: list[Bar | None]                        # one for each name; None: not measured
    legend: list[tuple[str, str]] = field(default_factory=list)  # (name, colour)
    highest: float | None = None                  # end of the axis, instead of the largest value
    percent: bool = False


def bar_chart(title: str, subtitle: str, names: list[str], panels: list[BarPanel]) -> str:
    """Names down the left side, the panels side by side."""
    row, panel_width, gap = 22, 330, 34
    top = 60 + 15 * subtitle.count("\n") + 52
    left = 24 + max(text_width(name) for name in names)
    width = left + len(panels) * (panel_width + gap) + 10
    height = top + row * len(names) + 44
    drawing = Drawing(width, height, title, subtitle)
    for number, name in enumerate(names):
        drawing.text(left - 8, top + row * number + 15, name, anchor="end")
    for place, panel in enumerate(panels):
        x = left + place * (panel_width + gap)
        drawing.text(x, top - 34, panel.title, bold=True)
        drawing.legend(x, top - 14, [(name, colour, "box") for name, colour in panel.legend], x + panel_width + gap)
        present = [bar for bar in panel.bars if bar]
        reach = max([sum(value for value, _ in bar.parts) for bar in present]
                    + [bar.spread[1] for bar in present if bar.spread] + [0])
        scale = ticks(panel.highest or reach)
        # The number at the end of a bar needs room that is not axis.
        unit = (panel_width - 46) / scale[-1]
        bottom = top + row * len(names)
        for tick in scale:
            drawing.line(x + tick * unit, top, x + tick * unit, bottom, GRID)
            drawing.text(x + tick * unit, bottom + 16, short(tick * 100) + " %" if panel.percent else short(tick),
                         size=SMALL, anchor="middle", colour=SOFT)
        for number, bar in enumerate(panel.bars):
            _bar(drawing, panel, bar, x, top + row * number, unit)
    return drawing.finish()


def _bar(drawing: Drawing, panel: BarPanel, bar: Bar | None, x: float, y: float, unit: float) -> None:
    if bar is None:
        drawing.text(x + 4, y + 15, "not measured", size=SMALL, colour=SOFT)
        return
    reached = x
    for value, colour in bar.parts:
        drawing.rect(reached, y + 4, value * unit, 14, colour)
        reached += value * unit
    total = sum(value for value, _ in bar.parts)
    if bar.spread and bar.spread[0] < bar.spread[1]:
        low, high = (x + value * unit for value in bar.spread)
        drawing.line(low, y + 11, high, y + 11, INK, 1.4)
        for end in (low, high):
            drawing.line(end, y + 7, end, y + 15, INK, 1.4)
        reached = max(reached, high)
    label = f"{short(round(total * 100, 1))} %" if panel.percent else short(total)
    drawing.text(reached + 5, y + 15, label, size=SMALL)


@dataclass
class Series:
    name: str
    values: list[tuple[float, float, float] | None]  # median, low, high for each category
    colour: str
    dash: str = ""


@dataclass
class LinePanel:
    title: str
    series: list[Series]


def line_chart(title: str, subtitle: str, categories: list[str], x_label: str, y_label: str,
               panels: list[LinePanel]) -> str:
    """Two panels in a row, each with an axis of its own; one legend, for a name has one colour in all of them."""
    panel_width, panel_height, left, gap = max(360, 52 * len(categories)), 250, 66, 66
    columns = min(2, len(panels))
    width = left + columns * (panel_width + gap) - gap + 24
    entries = list({series.name: (series.name, series.colour, series.dash)
                    for panel in panels for series in panel.series}.values())
    lines, reached = 1, 0.0
    for name, *_ in entries:  # as legend() breaks them
        needed = 44 + text_width(name, SMALL)
        if reached + needed > width - 32 and reached:
            lines, reached = lines + 1, 0.0
        reached += needed
    top = 60 + 15 * subtitle.count("\n") + 18 * lines + 34
    each = panel_height + 92
    drawing = Drawing(width, top + each * math.ceil(len(panels) / columns) - 34, title, subtitle)
    drawing.legend(16, 70 + 15 * subtitle.count("\n"), entries, width - 16)
    first = top
    for place, panel in enumerate(panels):
        x, top = left + place % columns * (panel_width + gap), first + place // columns * each
        drawing.text(x, top - 12, panel.title, bold=True)
        highest = max((value[2] for series in panel.series for value in series.values if value), default=0)
        scale = ticks(highest)
        bottom = top + panel_height
        unit = panel_height / scale[-1]
        for tick in scale:
            drawing.line(x, bottom - tick * unit, x + panel_width, bottom - tick * unit, GRID)
            drawing.text(x - 7, bottom - tick * unit + 4, short(tick), size=SMALL, anchor="end", colour=SOFT)
        step = panel_width / len(categories)
        for number, category in enumerate(categories):
            drawing.text(x + step * (number + 0.5), bottom + 18, category, size=SMALL, anchor="middle", colour=SOFT)
        drawing.text(x + panel_width / 2, bottom + 40, x_label, size=SMALL, anchor="middle")
        drawing.text(x - 46, top + panel_height / 2, y_label, size=SMALL, anchor="middle", turn=True)
        count = len(panel.series)
        for index, series in enumerate(panel.series):
            # Side by side within the category, so that spreads do not hide each other.
            shift = (index - (count - 1) / 2) * min(7.0, step * 0.7 / max(count, 1))
            points = []
            for number, value in enumerate(series.values):
                if value:
                    at = x + step * (number + 0.5) + shift
                    drawing.line(at, bottom - value[1] * unit, at, bottom - value[2] * unit, series.colour, 1)
                    points.append((at, bottom - value[0] * unit))
            drawing.polyline(points, series.colour, series.dash)
            for at, y in points:
                drawing.dot(at, y, series.colour)
    return drawing.finish()
