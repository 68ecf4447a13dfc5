"""What a file of a benchmark becomes: a problem in whole units, and how to say its costs in the file's own again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from routing.problem import IntMatrix, Matrix, Plan, Problem

Objective = Literal["distance", "vehicles"]
Rounding = Literal["dimacs", "exact", "nearest"]
"""dimacs: truncated to one decimal. exact: rounded to three. nearest: to whole numbers, as TSPLIB says for EUC_2D."""


class BadFile(ValueError):
    """The file is not what it should be. The text says where and what to mend."""


LARGEST = 10**12
"""No number of a file is larger; what is left below the engine's 64 bits is for sums, scales and prices."""
FARTHEST = 10**8
MOST_PLACES = 10_000


@dataclass(frozen=True)
class Options:
    objective: Objective = "distance"
    rounding: Rounding | None = None
    """None: as is usual for the format."""


SCALES: dict[Rounding, int] = {"dimacs": 10, "exact": 1000, "nearest": 1}


@dataclass(frozen=True)
class Instance:
    name: str
    problem: Problem
    scale: int = 1
    """So many units of the problem are one of the file: of distance, time and cost."""
    surcharge: int = 0
    """What each vehicle costs more than the file says, so that fewer vehicles are always better."""
    scaled_times: bool = True

    def cost(self, plan: Plan) -> float | int:
        """In the file's own units, without the surcharge."""
        return self.own(plan.cost - self.surcharge * len(plan.routes))

    def own(self, value: int) -> float | int:
        return value if self.scale == 1 else value / self.scale


def scaled(value: float, rounding: Rounding) -> int:
    """Truncated for dimacs; 1e-9 more than what binary fractions lose."""
    exact = value * SCALES[rounding]
    return math.floor(exact + 1e-9) if rounding == "dimacs" else math.floor(exact + 0.5)


def rounded(distance: npt.NDArray[np.float64], rounding: Rounding) -> IntMatrix:
    if distance.max(initial=0) > FARTHEST:
        raise BadFile(
            f"a way of {distance.max():g} is too long: {FARTHEST} is the longest that is understood"
        )
    exact = distance * SCALES[rounding]
    whole = np.floor(exact + 1e-9) if rounding == "dimacs" else np.floor(exact + 0.5)
    return whole.astype(np.int64)


def straight(points: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    """Euclidean distances between all points."""
    few_enough(len(points), "the file")
    at = np.array(points, dtype=np.float64).reshape(-1, 2)
    return np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])


def surcharge(objective: Objective, matrix: Matrix) -> int:
    """More than any plan's distance where fewer vehicles come first."""
    if objective == "distance":
        return 0
    return int(10 ** len(str(2 * int(matrix.distance_m.max(axis=1, initial=0).sum()))))


def few_enough(places: float, what: str) -> None:
    """A matrix grows with the square of its places."""
    if places > MOST_PLACES:
        raise BadFile(
            f"{what} has {places:g} places, and {MOST_PLACES} are the most that can be planned at once"
        )


def bare(text: str) -> str:
    """Of the formats without sections: without comments, and without what stands after the end."""
    lines = ["" if line.lstrip().startswith("#") else line for line in text.replace("\x1a", "").splitlines()]
    ends = (n for n, line in enumerate(lines) if line.strip().upper() == "EOF")
    return "\n".join(lines[: next(ends, len(lines))])


def numbers(line: str, n: int | None = None) -> list[float] | None:
    """All numbers of line `n`; None where something else stands in it."""
    try:
        found = [float(word) for word in line.replace(",", " ").split()]
    except ValueError:
        return None
    if not all(math.isfinite(number) for number in found):
        return None
    over = [number for number in found if abs(number) > LARGEST]
    if over:
        where = "" if n is None else f"line {n}: "
        raise BadFile(f"{where}{over[0]:g} is too large: {LARGEST:g} is the most that is understood")
    return found


def whole(value: float, what: str, line: int) -> int:
    if value != int(value):
        raise BadFile(f"line {line}: {what} must be a whole number, not {value:g}")
    return int(value)


def not_negative(value: float, what: str, line: int) -> float:
    if value < 0:
        raise BadFile(f"line {line}: {what} is negative ({value:g})")
    return value
