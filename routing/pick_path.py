"""The way of a picker through the aisles: `pick_path(stops)` puts bins into the order of walking.

The S-shape (serpentine) policy: every aisle that has a stop is walked through once, up one and down the next. A bin that
was given a `sequence` by the people of the warehouse is taken at its word; the others are placed by aisle and position,
which are read from the code where nothing else is known (`B-07-2` is aisle B, position 7, level 2).
Source: Ratliff and Rosenthal 1983; Roodbergen and de Koster 2001 (S-shape heuristic).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

_NUMBER = re.compile(r"(\d+)")
T = TypeVar("T")


@dataclass(frozen=True)
class BinStop:
    """`sequence` is the warehouse's own order of the bin; None where nobody gave one."""

    code: str
    sequence: int | None = None


def pick_path(stops: Sequence[T], stop_of: Callable[[T], BinStop]) -> list[T]:
    """The same stops in walking order; several stops at one bin stay together in the order given. O(n log n)."""
    numbered = [s for s in stops if stop_of(s).sequence is not None]
    others = [s for s in stops if stop_of(s).sequence is None]
    walked = sorted(numbered, key=lambda s: (stop_of(s).sequence or 0, _natural(stop_of(s).code)))
    aisles = sorted({_aisle(stop_of(s).code) for s in others}, key=_natural)
    for turn, aisle in enumerate(aisles):
        inside = [s for s in others if _aisle(stop_of(s).code) == aisle]
        up = sorted(inside, key=lambda s: _natural(stop_of(s).code))
        walked.extend(up if turn % 2 == 0 else _turned(up, stop_of))
    return walked


def _turned(up: Sequence[T], stop_of: Callable[[T], BinStop]) -> list[T]:
    """Down the aisle: bins in reverse, what belongs to one bin still in the order given."""
    down: list[T] = []
    for stop in reversed(up):
        if down and stop_of(down[-1]).code == stop_of(stop).code:
            continue
        down.extend(s for s in up if stop_of(s).code == stop_of(stop).code)
    return down


def _aisle(code: str) -> str:
    return code.split("-", 1)[0]


def _natural(code: str) -> tuple[tuple[int, int, str], ...]:
    """`A-2` before `A-10`."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in _NUMBER.split(code) if part
    )
