"""`make bench`: every figure as one JSON line; `make bench FIGURE=ingest` only those of `bench_ingest.py`.

To add a group: a file `bench_x.py` here with `measure() -> Iterator[Figure]` (`figure.py`). Ratios are measured side by side in one run.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from pathlib import Path

import structlog

from tests.bench.figure import misses


def main() -> int:
    groups = sorted(p.stem.removeprefix("bench_") for p in Path(__file__).parent.glob("bench_*.py"))
    wanted = sys.argv[1:] or groups
    unknown = [g for g in wanted if g not in groups]
    if unknown:
        print(f"no figures called {unknown[0]}; there are {', '.join(groups)}", file=sys.stderr)
        return 2
    figures = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what programs under measurement say is no figure
    missed = 0
    for group in wanted:
        measure = importlib.import_module(f"tests.bench.bench_{group}").measure
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        for figure in measure():
            missed += misses(figure)
            print(json.dumps(figure), file=figures, flush=True)
    if missed:
        print(f"{missed} figures are not what they must be", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
