"""Sequences by OR-Tools' routing library, for what PyVRP cannot state (see `solve.engine_for`)."""

from __future__ import annotations

from collections.abc import Callable

from routing.problem import Problem
from routing.repair import Sequences


def search(
    problem: Problem, *, deadline: float, start: Sequences | None, on_cost: Callable[[float], None] | None
) -> Sequences:
    return {}
