"""Many small files over a long way: how often zsend waits for an answer is a count, so it is not timed."""
import os

import speaker as s
from harness import Run, ZSEND, main, test

COUNT, AT_ONCE, SIZE = 2000, 1000, 4096
FILES = [(f"{i:04}", os.urandom(SIZE)) for i in range(COUNT)]


@test
def zsend_waits_for_an_answer_once_in_a_thousand_files():
    """The receiver says nothing until so many have come, whole; less under way and neither would say anything."""
    listener = s.Listener()
    with Run() as run:
        for name, content in FILES:
            run.write(name, content)
        run.start(ZSEND, "--plain", "--no-auth", *(name for name, _ in FILES),
                  f"zs://127.0.0.1:{listener.port}")
        peer = listener.accept(s.RECEIVER)
        peer.meet(flags=s.SEVERAL)
        parts = []
        while len(parts) < COUNT:
            answers = []
            while len(answers) < AT_ONCE:
                entry = peer.expect(s.ENTRY).entry
                data = peer.expect(s.DATA)
                digest = peer.expect(s.DIGEST).body[4:]
                peer.expect(s.END)
                assert data.entry == entry == len(parts) + 1 and data.body == FILES[entry - 1][1], entry
                parts.append(s.entry_part(entry, SIZE, s.digest_sum([s.block_part(0, SIZE, digest)])))
                answers.append(s.ack(entry, 0))
            peer.say(*answers)
        assert s.read_fin(peer.expect(s.FIN).body)["entries"] == COUNT
        peer.say(s.results(s.run(1, COUNT)), s.verdict(COUNT, SIZE * COUNT, s.digest_sum(parts)))
        peer.expect(s.BYE)
        peer.end_sending()
        run.expect(0)
        peer.close()
    listener.close()


if __name__ == "__main__":
    main()
