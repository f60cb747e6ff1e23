"""Fan-out beside what else there is: `make bench ONLY=fanout`, or `python -m bench.fanout [CLIENTS …]`.

All servers run at once with all their clients, and take turns to publish, so that whatever else happens on
the machine happens to all of them. Each time is from before the publish is asked for until the last client
has its frame: with Linli that includes the mutation, its commit and the reading of the log.
"""

import argparse
import signal
import statistics
import sys
import time
from collections.abc import Sequence

from bench.fanout.contenders import Contender, prepare, rivals, running
from bench.fanout.linli import Linli, Viewers, WholeForEach

CLIENTS = (1_000, 5_000, 10_000)
TURNS = 12
# Of these rounds each turn has several, to show how far they scatter.
OFTEN = 3
# No new turn begins after this.
SECONDS = 150.0
BODY = "停水通知：今天下午两点到五点，二号楼和三号楼"
RAW_BYTES = 464


def compare(number: int, everyone: Sequence[Contender]) -> None:
    """Connect, take turns, and print one table."""
    with running(everyone):
        for contender in everyone:
            contender.connect(number)
        began = time.monotonic()
        for turn in range(TURNS):
            if turn and time.monotonic() - began > SECONDS:
                break
            for contender in everyone:
                often = OFTEN if isinstance(contender, Linli) or contender.name == RAW else 1
                for again in range(often):
                    body = "x" * RAW_BYTES if contender.name == RAW else f"{turn}/{again} {BODY}"
                    contender.rounds.append(contender.round(body))
        for contender in everyone:
            if isinstance(contender, Linli):
                contender.check()
    report(number, everyone)


RAW = "uvicorn raw send"


def report(number: int, everyone: Sequence[Contender]) -> None:
    ours = median(everyone[0])
    print(f"\n{number:,} clients (milliseconds to the last of them)\n")
    print(
        "| server | min | median | max | worst/median | to Linli | µs CPU a client | frame | KB a connection"
        " | µs CPU to connect |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for contender in everyone:
        times = [each.last * 1e3 for each in contender.rounds]
        cpu = statistics.median(each.cpu for each in contender.rounds) / number * 1e6
        print(
            f"| {contender.name} | {min(times):.1f} | {statistics.median(times):.1f} | {max(times):.1f}"
            f" | {max(times) / statistics.median(times):.2f} | {median(contender) / ours:.2f} | {cpu:.1f}"
            f" | {contender.rounds[-1].bytes} B | {contender.kilobytes:.1f}"
            f" | {contender.connect_cpu * 1e6:.0f} |",
            flush=True,
        )


def median(contender: Contender) -> float:
    return statistics.median(each.last for each in contender.rounds)


def main() -> None:
    """Run it for each number of clients."""
    parser = argparse.ArgumentParser(prog="bench.fanout", description=__doc__)
    parser.add_argument("clients", type=int, nargs="*", default=CLIENTS)
    parser.add_argument(
        "--viewers", action="store_true", help="Linli alone: what a field costs that depends on the viewer"
    )
    options = parser.parse_args()
    # Ended from outside, it ends its servers first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if not options.viewers:
        prepare()
    for number in options.clients:
        own = Linli(number)
        compare(number, [own, Viewers(number), WholeForEach(number)] if options.viewers else [own, *rivals()])


if __name__ == "__main__":
    main()
