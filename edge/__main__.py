"""`python -m edge agent.toml`: the agent alone, for a gateway that runs nothing else of Stowage."""

import signal
import sys
import threading

from edge.agent import run
from edge.config import BadConfig
from edge.spool import SpoolError


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m edge agent.toml", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(sys.argv[1], stop)
    except (BadConfig, SpoolError) as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
