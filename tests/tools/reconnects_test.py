"""The oracle of reconnects.py: what it must find in an outcome, and that what it plans is what it says."""
import unittest

from lossy import MIB, SCENARIOS, Outcome, judge
from reconnects import byte_cuts, large_cuts


def outcome(send=0, recv=0, reconnects=(1, 1), said=("", ""), **more):
    more["carried"] = dict(enumerate(more.get("carried", [5 * MIB, 16 * MIB])))
    usual = {"size": 20 * MIB, "lost": [0], "window": 8 * MIB, "limit": 12}
    return Outcome(status={"send": send, "recv": recv}, reconnects=dict(zip(("send", "recv"), reconnects)),
                   stderr=dict(zip(("send", "recv"), said)), **{**usual, **more})


class Judge(unittest.TestCase):
    def good(self, *arguments, **more):
        self.assertEqual(judge(outcome(*arguments, **more)), [])

    def bad(self, words, *arguments, **more):
        self.assertEqual(judge(outcome(*arguments, **more)), [words])

    def test_what_may_happen(self):
        self.good()
        self.good(reconnects=(1, 0), last_word=True)
        self.good(reconnects=(0, 0), early=True)

    def test_a_session_that_fails(self):
        self.bad("zsend ends with 5", 5)
        self.bad("zrecv ends with hung", 0, "hung")
        self.bad("zsend says internal error or worse", said=("zsend: internal error: x", ""))

    def test_what_arrived(self):
        self.bad("the content is not equal", equal=False)
        self.bad("something is left behind", left=[".zrecv-1"])

    def test_a_loss_that_is_not_reported(self):
        self.bad("zsend reports no reconnect", reconnects=(0, 1))
        self.bad("zrecv reports no reconnect", reconnects=(1, 0))

    def test_a_loss_that_is_noticed_late(self):
        self.bad("it takes as long as a silence", seconds=12.1)

    def test_a_session_without_a_loss(self):
        self.bad("nothing was cut", lost=[], reconnects=(0, 0), carried=[20 * MIB])

    def test_what_is_sent_again_is_bounded(self):
        more = "more was sent again than was on its way"
        self.good(carried=[9 * MIB, 19 * MIB])
        self.bad(more, carried=[9 * MIB, 20 * MIB])      # more than a window
        self.good(carried=[2 * MIB, 20 * MIB])
        self.bad(more, carried=[2 * MIB, 21 * MIB])      # more than it had carried
        self.good(carried=[9 * MIB, 9 * MIB, 18 * MIB], lost=[0, 1])


class Plan(unittest.TestCase):
    def test_every_64_kib(self):
        cases = list(large_cuts("tls", True))
        self.assertEqual((len(cases), len(set(cases))), (320, 320))
        self.assertEqual(sum("fin" in case for case in cases), 160)
        self.assertEqual(cases[-1], f"tls/cut={20 * MIB},on=0,from=connector")

    def test_every_byte_of_either_direction(self):
        class Counted:
            @staticmethod
            def totals(_):
                return [900, 700]
        self.assertEqual(len(set(byte_cuts(Counted, "byte", True))), 2 * 1600)
        self.assertIn("byte/cut=899,on=0,from=connector", set(byte_cuts(Counted, "byte", True)))
        self.assertEqual(len(set(byte_cuts(Counted, "byte", False))), 10)

    def test_a_scenario_has_what_it_needs(self):
        for scenario in SCENARIOS.values():
            self.assertTrue(scenario.source == "" or len(scenario.sizes) == 1)


if __name__ == "__main__":
    unittest.main()
