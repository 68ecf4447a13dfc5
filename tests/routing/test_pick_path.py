"""The picker walks each aisle once, up one and down the next."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.pick_path import BinStop, pick_path


def walk(*codes: str) -> list[str]:
    return [s.code for s in pick_path([BinStop(c) for c in codes], lambda s: s)]


def test_one_aisle_goes_up_and_the_next_comes_down() -> None:
    assert walk("B-01-1", "A-10-1", "A-02-1", "B-07-1", "C-03-1") == [
        "A-02-1",
        "A-10-1",
        "B-07-1",
        "B-01-1",
        "C-03-1",
    ]


def test_an_aisle_without_a_stop_is_not_walked_so_the_turn_falls_to_the_next_visited_one() -> None:
    assert walk("A-01-1", "A-05-1", "C-01-1", "C-09-1") == ["A-01-1", "A-05-1", "C-09-1", "C-01-1"]


def test_the_warehouses_own_sequence_wins() -> None:
    stops = [BinStop("A-01-1", 30), BinStop("Z-99-9", 10), BinStop("M-05-1", 20)]
    assert [s.code for s in pick_path(stops, lambda s: s)] == ["Z-99-9", "M-05-1", "A-01-1"]


def test_stops_at_one_bin_stay_together_in_the_order_given() -> None:
    stops = [("x", "B-02-1"), ("a", "A-01-1"), ("y", "B-02-1"), ("z", "B-05-1")]
    assert [s[0] for s in pick_path(stops, lambda s: BinStop(s[1]))] == ["a", "z", "x", "y"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(1, 30), st.none() | st.integers(0, 50))))
def test_no_stop_is_lost_or_doubled(raw: list[tuple[str, int, int | None]]) -> None:
    stops = [BinStop(f"{a}-{n:02d}-1", seq) for a, n, seq in raw]
    walked = pick_path(stops, lambda s: s)
    assert sorted(walked, key=str) == sorted(stops, key=str)
