"""The times of a job at every position of many sequences at once: what `Line.timed` says of each, in a few milliseconds.

All slots of all vehicles are columns of the same arrays; each pass walks them step by step together: forward from the first
departure, back from the end, and forward again from the latest departure, as `schedule` does one by one, over the sets of
breaks taken. Slots for which that is not surely the whole answer (three breaks, a break that cannot be kept, a later finish
that may be shorter) come out as None and are timed one by one. To add a rule about times: `schedule` first, then here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from routing.problem import NO_ROAD, Job, Route, Visit
from routing.schedule import Known, Line, Timed, ways, ways_back

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEVER = 1 << 40
BITS = 27
"""A label is `lateness so far << BITS` plus the time: the least lateness first, then the earliest."""
HALF = 1 << (BITS - 1)
NONE = 1 << 61
MOST_BREAKS = 2


def timed_slots(known: Known, lines: Sequence[Line], job: Job) -> Iterator[list[Timed | None]]:
    """Line by line, position by position; the routes hold the job's own visit only. None: to be timed by itself."""
    able = [line for line in lines if len(line.vehicle.breaks) <= MOST_BREAKS]
    found = _Columns(known, able, job).timed() if able else []
    at = 0
    for line in lines:
        count = len(line.stops) + 1
        if len(line.vehicle.breaks) > MOST_BREAKS:
            yield [None] * count
            continue
        yield found[at : at + count]
        at += count


@dataclass(frozen=True)
class _Run:
    ends: Ints
    late: Bools
    whole: Bools
    """No break is left out."""
    arrivals: Ints
    starts: Ints
    """[step, slot]."""


class _Columns:
    """Arrays are [step, slot]: the stops with the job among them, then the end, then steps that do nothing."""

    def __init__(self, known: Known, lines: Sequence[Line], job: Job) -> None:
        self.known, self.lines, self.job = known, lines, job
        own = known.windows(job)
        self.width = max([len(own), *(len(w) for line in lines for w in line.windows)])
        slots = sum(len(line.stops) + 1 for line in lines)
        self.steps = max(len(line.stops) for line in lines) + 2
        self.breaks = max(len(line.vehicle.breaks) for line in lines)
        self.leg_s = np.zeros((self.steps, slots), np.int64)
        self.blocked = np.zeros((self.steps, slots), bool)
        self.real = np.zeros((self.steps, slots), bool)
        self.service = np.zeros((self.steps, slots), np.int64)
        self.window_opens = np.full((self.width, self.steps, slots), -NEVER, np.int64)
        self.window_closes = np.full((self.width, self.steps, slots), -NEVER, np.int64)
        self.window_closes[-1] = NEVER
        self.metres = np.zeros(slots, np.int64)
        self.leaves = np.zeros(slots, np.int64)
        self.single = np.zeros(slots, bool)
        self.position = np.concatenate([np.arange(len(line.stops) + 1) for line in lines])
        self.vehicle = np.repeat(np.arange(len(lines)), [len(line.stops) + 1 for line in lines])
        # A vehicle with fewer breaks has some that were had long before.
        self.pause_opens = np.full((self.breaks, slots), -NEVER, np.int64)
        self.pause_closes = np.full((self.breaks, slots), -NEVER, np.int64)
        self.pause_s = np.zeros((self.breaks, slots), np.int64)
        column = 0
        for line in lines:
            self._fill(line, slice(column, column + len(line.stops) + 1), own)
            column += len(line.stops) + 1
        vehicles = [line.vehicle for line in lines]
        self.shift_closes = np.array([v.shift.closes_s for v in vehicles], np.int64)[self.vehicle]
        matters = [v.cost_per_h > 0 or v.max_duration_s is not None for v in vehicles]
        self.matters = np.array(matters, bool)[self.vehicle]
        self.resting = np.array([bool(v.breaks) for v in vehicles], bool)[self.vehicle]

    def _fill(self, line: Line, mine: slice, own: tuple[tuple[int, int], ...]) -> None:
        vehicle, job, count = line.vehicle, self.job, len(line.stops)
        slot, step = np.arange(count + 1)[None, :], np.arange(count + 1)[:, None]
        pick = np.where(step == slot, count, np.clip(step - (step > slot), 0, max(count - 1, 0)))
        matrix = self.known.problem.matrices[vehicle.profile]
        leg_m, leg_s = _legs(line, matrix.distance_m, job), _legs(line, matrix.duration_s, job)
        blocked = (leg_m == NO_ROAD) | (leg_s == NO_ROAD)
        if blocked.any():
            leg_m[blocked] = leg_s[blocked] = 0
            self.blocked[: count + 2, mine] = blocked
        self.leg_s[: count + 2, mine] = leg_s
        self.real[: count + 2, mine] = True
        self.metres[mine] = leg_m.sum(axis=0)
        self.service[: count + 1, mine] = np.array([*line.service_s, job.service_s], np.int64)[pick]
        # Windows from the first to the last; a stop with fewer has some before them that nothing can meet.
        shut = ((-NEVER, -NEVER),)
        table = np.array([shut * (self.width - len(w)) + w for w in (*line.windows, own)], np.int64)
        self.window_opens[:, : count + 1, mine] = table[:, :, 0].T[:, pick]
        self.window_closes[:, : count + 1, mine] = table[:, :, 1].T[:, pick]
        self.single[mine] = len(own) == 1 and all(len(w) == 1 for w in line.windows)
        self.leaves[mine] = line.opens_s
        trips = [*(at for at, s in enumerate(line.stops) if s.kind == "reload"), count]
        first = slice(mine.start, mine.start + trips[0] + 1)
        self.leaves[first] = max(line.opens_s, job.release_s)
        for reload, end in pairwise(trips):
            later = slice(mine.start + reload + 1, mine.start + end + 1)
            ready = job.release_s - vehicle.reload_s
            self.window_opens[-1, reload, later] = np.maximum(self.window_opens[-1, reload, later], ready)
        for b, pause in enumerate(vehicle.breaks):
            self.pause_opens[b, mine] = pause.window.opens_s
            self.pause_closes[b, mine] = pause.window.closes_s
            self.pause_s[b, mine] = pause.duration_s

    # --- the three passes ------------------------------------------------------------------------------------

    def timed(self) -> list[Timed | None]:
        all_breaks = range(self.breaks)
        last = self.window_closes[-1]
        first = self._forward(self.leaves, last, all_breaks)
        sure = first.whole & ~(first.late & (self.breaks > 1))
        for b in all_breaks:
            had = self.pause_opens[b] + self.pause_s[b]
            sure &= ~((self.pause_opens[b] < self.leaves) & (self.leaves < had))
            for c in range(
                b
            ):  # two at once can both be had before leaving, so that leaving later may be faster
                other = self.pause_opens[c] + self.pause_s[c]
                sure &= ~((self.pause_opens[c] < had) & (self.pause_opens[b] < other))
        last = np.maximum(last, first.starts)  # what is late anyway may be as late as that
        leaves = self._backward(first.ends, last, all_breaks)
        best = self._forward(leaves, last, all_breaks)
        sure &= best.whole
        asking = sure & self.matters & ~(self.single & ~self.resting)
        if asking.any():
            sure &= ~asking | self._shortest(leaves, best, last)
        return self._told(leaves, best, sure)

    def _forward(self, leaves: Ints, last: Ints, breaks: range) -> _Run:
        count, (steps, slots) = len(breaks), self.leg_s.shape
        columns = np.arange(slots)
        sets = 1 << count
        before = np.zeros(slots, np.int64)
        for b in breaks:
            before |= (leaves >= self.pause_opens[b] + self.pause_s[b]).astype(np.int64) << b
        labels = np.full((sets, slots), NONE, np.int64)
        labels[before, columns] = leaves
        arrivals = np.zeros((steps, sets, slots), np.int64)
        starts = np.zeros((steps, sets, slots), np.int64)
        came = np.zeros((steps, sets, slots), np.int64)
        for at in range(steps):
            reached = np.full((sets, slots), NONE, np.int64)
            for had in range(sets):
                late = (labels[had] + HALF) >> BITS
                leave = labels[had] - (late << BITS)
                for has, order in ways(count, had):
                    arrive, able = self._gap(leave, self.leg_s[at], order)
                    start = self._service_from(at, arrive)
                    label = ((late + np.maximum(start - last[at], 0)) << BITS) + start + self.service[at]
                    if order:
                        label = np.where(able & self.real[at], label, NONE)
                    if sets == 1:
                        reached[0], arrivals[at, 0], starts[at, 0] = label, arrive, start
                        continue
                    better = label < reached[has]
                    reached[has] = np.where(better, label, reached[has])
                    arrivals[at, has] = np.where(better, arrive, arrivals[at, has])
                    starts[at, has] = np.where(better, start, starts[at, has])
                    came[at, has] = np.where(better, had, came[at, has])
            labels = reached
        chosen, end = np.zeros(slots, np.int64), np.full(slots, NONE, np.int64)
        for mask in range(sets - 1, -1, -1):
            leave = labels[mask] - (((labels[mask] + HALF) >> BITS) << BITS)
            able = np.ones(slots, bool)
            for b in breaks:
                if not mask >> b & 1:
                    able &= leave <= self.pause_closes[b]
            better = able & (labels[mask] < end)
            chosen, end = np.where(better, mask, chosen), np.where(better, labels[mask], end)
        late = (end + HALF) >> BITS
        if sets == 1:
            return _Run(end - (late << BITS), late > 0, end < NONE, arrivals[:, 0], starts[:, 0])
        path_arrivals, path_starts = np.empty((steps, slots), np.int64), np.empty((steps, slots), np.int64)
        for at in range(steps - 1, -1, -1):
            path_arrivals[at] = arrivals[at, chosen, columns]
            path_starts[at] = starts[at, chosen, columns]
            chosen = came[at, chosen, columns]
        return _Run(end - (late << BITS), late > 0, end < NONE, path_arrivals, path_starts)

    def _backward(self, ends: Ints, last: Ints, breaks: range) -> Ints:
        """The latest departures."""
        count, (steps, slots) = len(breaks), self.leg_s.shape
        sets = 1 << count
        labels = np.empty((sets, slots), np.int64)
        for mask in range(sets):
            labels[mask] = ends
            for b in breaks:
                if not mask >> b & 1:
                    labels[mask] = np.minimum(labels[mask], self.pause_closes[b])
        for at in range(steps - 1, -1, -1):
            reached = np.full((sets, slots), -NEVER, np.int64)
            for has in range(sets):
                by = self._service_by(at, labels[has] - self.service[at], last)
                for had, order in ways_back(count, has):
                    leave = self._gap_back(by, self.leg_s[at], order)
                    if order:
                        leave = np.where(self.real[at], leave, -NEVER)
                    reached[had] = np.maximum(reached[had], leave)
            labels = reached
        found = np.full(slots, -NEVER, np.int64)
        for mask in range(sets):
            able = np.ones(slots, bool)
            for b in breaks:
                if mask >> b & 1:
                    able &= labels[mask] >= self.pause_opens[b] + self.pause_s[b]
            found = np.where(able, np.maximum(found, labels[mask]), found)
        return np.maximum(found, self.leaves)

    def _gap(self, leave: Ints, leg: Ints, order: Sequence[int]) -> tuple[Ints, Bools]:
        soonest, arrive = leave, leave + leg
        able = np.ones(len(leave), bool)
        for b in order:
            able &= soonest <= self.pause_closes[b]
            soonest = np.maximum(soonest, self.pause_opens[b]) + self.pause_s[b]
            arrive = np.maximum(arrive, self.pause_opens[b]) + self.pause_s[b]
        return arrive, able

    def _gap_back(self, by: Ints, leg: Ints, order: Sequence[int]) -> Ints:
        leave, rested = by - leg, np.zeros_like(by)
        if not order:
            return leave
        for b in order:
            leave = leave - self.pause_s[b]
        for b in order:
            leave = np.minimum(leave, self.pause_closes[b] - rested)
            rested = rested + self.pause_s[b]
        arrive, able = self._gap(leave, leg, order)
        found: Ints = np.where(able & (arrive <= by), leave, -NEVER)
        return found

    def _service_from(self, at: int, arrive: Ints) -> Ints:
        start: Ints = np.maximum(arrive, self.window_opens[-1, at])
        if self.width == 1:
            return start
        start = arrive
        for w in range(self.width - 1, -1, -1):
            within = np.maximum(arrive, self.window_opens[w, at])
            start = np.where(arrive <= self.window_closes[w, at], within, start)
        return start

    def _service_by(self, at: int, by: Ints, last: Ints) -> Ints:
        start = np.minimum(by, last[at])
        for w in range(self.width - 2, -1, -1):
            earlier = np.minimum(by, self.window_closes[w, at])
            start = np.where(by >= self.window_opens[w + 1, at], start, earlier)
        return np.where(by >= self.window_opens[0, at], start, -NEVER)

    # --- whether a later finish may be shorter ---------------------------------------------------------------

    def _shortest(self, leaves: Ints, best: _Run, last: Ints) -> Bools:
        """Where nothing can be shorter: no wait is in it, or it is no longer than it would be without any break."""
        took = best.ends - leaves
        busy = self.leg_s.sum(axis=0) + self.service.sum(axis=0)
        end_by = np.maximum(best.ends, self.shift_closes)
        latest = self._backward(end_by, last, range(self.breaks))

        def least(leaving: Ints) -> Ints:
            due: Ints = busy
            for b in range(self.breaks):
                is_due = (leaving < self.pause_opens[b] + self.pause_s[b]) & (
                    best.ends > self.pause_closes[b]
                )
                due = due + np.where(is_due, self.pause_s[b], 0)
            return due

        surely = (took <= least(leaves)) | (latest <= leaves)
        for b in range(self.breaks):
            leaving = self.pause_opens[b] + self.pause_s[b]
            surely &= (leaving <= leaves) | (leaving > latest) | (took <= least(np.maximum(leaving, leaves)))
        unbroken = self._forward(self.leaves, last, range(0))
        without = unbroken.ends - self._backward(unbroken.ends, last, range(0))
        shown: Bools = surely | (self.single & (took <= without))
        return shown

    # --- in words --------------------------------------------------------------------------------------------

    @cached_property
    def _columns(self) -> list[tuple[int, int]]:
        return list(zip(self.vehicle.tolist(), self.position.tolist(), strict=True))

    @cached_property
    def _ids(self) -> list[list[str | None]]:
        return [[*(s.id for s in line.stops), None] for line in self.lines]

    def _told(self, leaves: Ints, best: _Run, sure: Bools) -> list[Timed | None]:
        job = self.job
        columns = np.arange(len(leaves))
        arrive = best.arrivals[self.position, columns].tolist()
        start = best.starts[self.position, columns].tolist()
        late = best.starts - self.window_closes[-1]
        lates: dict[int, dict[str, int]] = {}
        columns_late, steps_late = np.nonzero(((late > 0) & self.real & sure).T)
        seconds = late[steps_late, columns_late].tolist()
        for column, at, by in zip(columns_late.tolist(), steps_late.tolist(), seconds, strict=True):
            id_ = self._id(column, at)
            if id_ is not None:
                said = lates.setdefault(column, {})
                said[id_] = max(said.get(id_, 0), by)
        barred: dict[int, tuple[str | None, ...]] = {}
        for column, at in zip(*(x.tolist() for x in np.nonzero(self.blocked.T)), strict=True):
            barred[column] = (*barred.get(column, ()), self._id(column, at))
        found: list[Timed | None] = []
        rows = zip(
            self.vehicle.tolist(), leaves.tolist(), best.ends.tolist(), self.metres.tolist(), sure.tolist(), strict=True
        )  # fmt: skip
        for column, (number, left, end, metres, known) in enumerate(rows):
            if not known:
                found.append(None)
                continue
            vehicle = self.lines[number].vehicle
            longest, farthest = vehicle.max_duration_s, vehicle.max_distance_m
            visit = Visit("job", job.id, arrive[column], start[column], start[column] + job.service_s)
            found.append(
                Timed(
                    Route(vehicle.id, left, end, (visit,), metres),
                    lates.get(column, {}),
                    max(0, end - vehicle.shift.closes_s),
                    0 if longest is None else max(0, end - left - longest),
                    0 if farthest is None else max(0, metres - farthest),
                    (),
                    barred.get(column, ()),
                )
            )
        return found

    def _id(self, column: int, at: int) -> str | None:
        """Of the stop at that step; None for the end."""
        number, position = self._columns[column]
        if at == position:
            return self.job.id
        ids = self._ids[number]
        return ids[at - (at > position)]


def _legs(line: Line, matrix: Ints, job: Job) -> Ints:
    """[step, slot]: of each leg of the line with the job at each position; the last step leads to the end."""
    count, end = len(line.stops), line.vehicle.end
    way = [line.vehicle.start, *line.places]
    onward = line.places if end is None else [*line.places, end]
    old = np.zeros(count + 1, np.int64)
    old[: len(onward)] = matrix[way[: len(onward)], onward]
    slot, step = np.arange(count + 1)[None, :], np.arange(count + 2)[:, None]
    legs: Ints = old[np.clip(step - (step > slot), 0, count)]
    here = np.arange(count + 1)
    legs[here, here] = matrix[way, job.location]
    legs[here + 1, here] = 0
    legs[here[: len(onward)] + 1, here[: len(onward)]] = matrix[job.location, onward]
    return legs
