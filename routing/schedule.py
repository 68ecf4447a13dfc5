"""The times of a sequence of stops that is given: `timed(problem, vehicle, stops)`, exact, O(stops) for a few breaks.

The vehicle is back as early as it can be, and then leaves as late as still gets it back by then: no waiting that a later start
would spare. Where an hour costs something, or its duration is limited, a later finish is taken that makes the duration
shorter (several windows only). Breaks are put where they cost least; a sequence that cannot be in time is timed all the
same, serving late, and the answer says what is late and by how much. What a time-only answer cannot know (loads, skills) is
not looked at.
Source: forward and backward earliest and latest times (Savelsbergh 1985, 1992), over the sets of breaks already taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from routing.problem import (
    HORIZON_S,
    NO_ROAD,
    Break,
    Job,
    Problem,
    Route,
    Shipment,
    Vehicle,
    Violation,
    Visit,
    VisitKind,
    Window,
)

FOREVER = 4 * HORIZON_S
"""Later than anything that happens, late or not."""


@dataclass(frozen=True)
class Stop:
    """What is visited, without times; `id` as in `Visit`. Breaks are placed by `timed` and are no stops."""

    kind: VisitKind
    id: str


@dataclass(frozen=True)
class Timed:
    route: Route
    late_s: dict[str, int] = field(default_factory=dict)
    """By visit id, how long after its last window closes service begins (of a shipment the worse end)."""
    overtime_s: int = 0
    """How long after the end of its shift the vehicle is at the end."""
    over_duration_s: int = 0
    over_distance_m: int = 0
    missed_breaks: tuple[int, ...] = ()
    no_road: tuple[str | None, ...] = ()
    """Visits (None: the end) that no road leads to from the stop before; such a leg counts nothing."""

    @property
    def feasible(self) -> bool:
        return not (
            self.late_s
            or self.overtime_s
            or self.over_duration_s
            or self.over_distance_m
            or self.missed_breaks
            or self.no_road
        )

    def violations(self, vehicle: Vehicle) -> list[Violation]:
        """In the words of `check`."""
        found = [
            Violation("no_road", f"there is no road to {to or 'the end'}", vehicle.id, to)
            for to in self.no_road
        ]
        found += [
            Violation("outside_window", f"is {late} s late", vehicle.id, id_)
            for id_, late in self.late_s.items()
        ]
        if self.overtime_s:
            found.append(
                Violation("outside_shift", f"is back {self.overtime_s} s after the shift ends", vehicle.id)
            )
        if self.over_duration_s:
            found.append(
                Violation("too_long", f"is under way {self.over_duration_s} s longer than it may", vehicle.id)
            )
        if self.over_distance_m:
            found.append(
                Violation("too_far", f"drives {self.over_distance_m} m more than it may", vehicle.id)
            )
        for number in self.missed_breaks:
            pause = vehicle.breaks[number]
            found.append(
                Violation("missing_break", f"no time for its rest of {pause.duration_s} s", vehicle.id)
            )
        return found


Windows = tuple[tuple[int, int], ...]
"""Opens and closes, sorted, apart from each other."""


class Known:
    """A problem's vehicles, jobs and shipments by id; made once where many sequences are timed."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.vehicles = {v.id: v for v in problem.vehicles}
        self.jobs = {j.id: j for j in problem.jobs}
        self.shipments: dict[str, Shipment] = {s.id: s for s in problem.shipments}
        self._windows: dict[tuple[Window, ...], Windows] = {}

    def job(self, stop: Stop) -> Job:
        """The job, or the half of the shipment. KeyError where there is none."""
        if stop.kind == "job":
            return self.jobs[stop.id]
        shipment = self.shipments[stop.id]
        return shipment.pickup if stop.kind == "pickup" else shipment.delivery

    def windows(self, job: Job) -> Windows:
        found = self._windows.get(job.windows)
        if found is None:
            found = self._windows[job.windows] = sorted_windows(job)
        return found


def stops_of(visits: Iterable[Stop | Visit | str]) -> list[Stop]:
    """A text is a job's id. Breaks are left out: they are placed anew."""
    return [
        Stop("job", v) if isinstance(v, str) else Stop(v.kind, v.id)
        for v in visits
        if isinstance(v, str) or v.kind != "break"
    ]


def timed(problem: Problem, vehicle: Vehicle | str, visits: Iterable[Stop | Visit | str]) -> Timed:
    """The best times of these stops in this order. KeyError for a vehicle, job or shipment that is not in the problem."""
    known = Known(problem)
    return Line.of(
        known, known.vehicles[vehicle] if isinstance(vehicle, str) else vehicle, stops_of(visits)
    ).timed()


@dataclass
class Line:
    """A sequence made ready for timing. Lists run over the stops; the legs have one more, the one to the end."""

    vehicle: Vehicle
    stops: list[Stop]
    places: list[int]
    windows: list[Windows]
    """Sorted. A reload's: so that the goods of the trip after it are there when it leaves."""
    service_s: list[int]
    leg_m: list[int]
    leg_s: list[int]
    no_road: list[int]
    """Which legs."""
    opens_s: int
    """It can leave the start no sooner: the shift, and the goods of the first trip."""

    @classmethod
    def of(cls, known: Known, vehicle: Vehicle, stops: list[Stop]) -> Line:
        places, windows, service = list[int](), list[Windows](), list[int]()
        release, opens, reload = 0, vehicle.shift.opens_s, None
        for at, stop in enumerate(stops):
            if stop.kind == "reload":
                if reload is None:
                    opens = max(opens, release)
                else:
                    windows[reload] = ((release - vehicle.reload_s, FOREVER),)
                release, reload = 0, at
                places.append(int(stop.id))
                windows.append(((0, FOREVER),))
                service.append(vehicle.reload_s)
                continue
            job = known.job(stop)
            release = max(release, job.release_s)
            places.append(job.location)
            windows.append(known.windows(job))
            service.append(job.service_s)
        if reload is None:
            opens = max(opens, release)
        else:
            windows[reload] = ((release - vehicle.reload_s, FOREVER),)
        matrix = known.problem.matrices[vehicle.profile]
        way = [vehicle.start, *places]
        if vehicle.end is not None:
            way.append(vehicle.end)
        leg_m = matrix.distance_m[way[:-1], way[1:]].tolist()
        leg_s = matrix.duration_s[way[:-1], way[1:]].tolist()
        blocked = [at for at, leg in enumerate(zip(leg_m, leg_s, strict=True)) if NO_ROAD in leg]
        for at in blocked:
            leg_m[at] = leg_s[at] = 0
        if vehicle.end is None:
            leg_m.append(0)
            leg_s.append(0)
        return cls(vehicle, stops, places, windows, service, leg_m, leg_s, blocked, opens)

    def timed(self) -> Timed:
        vehicle = self.vehicle
        runs = [
            self._run(leaves, vehicle.breaks, self.windows) for leaves in self._departures(vehicle.breaks)
        ]
        in_time = [run for run in runs if not run.late and not run.missed]
        first = min(in_time, key=lambda run: run.end) if in_time else runs[0]
        pauses = [b for at, b in enumerate(vehicle.breaks) if at not in first.missed]
        windows = [
            (*w[:-1], (w[-1][0], max(w[-1][1], start)))
            for w, start in zip(self.windows, first.starts, strict=True)
        ]  # what is late anyway may be as late as that
        best = self._run(self._latest(first.end, pauses, windows), pauses, windows)
        if vehicle.cost_per_h > 0 or vehicle.max_duration_s is not None:
            best = self._shortest(best, pauses, windows)
        numbers = [at for at in range(len(vehicle.breaks)) if at not in first.missed]
        route = self._route(best, numbers)
        late: dict[str, int] = {}
        for stop, w, start in zip(self.stops, self.windows, best.starts, strict=True):
            if start > w[-1][1]:
                late[stop.id] = max(late.get(stop.id, 0), start - w[-1][1])
        return Timed(
            route,
            late,
            max(0, route.end_s - vehicle.shift.closes_s),
            _over(route.end_s - route.start_s, vehicle.max_duration_s),
            _over(route.distance_m, vehicle.max_distance_m),
            tuple(at for at in first.missed if _due(vehicle.breaks[at], best.leaves, best.end)),
            tuple(self.stops[at].id if at < len(self.stops) else None for at in self.no_road),
        )

    def _run(self, leaves: int, pauses: Sequence[Break], windows: Sequence[Windows]) -> _Run:
        """Forward from a departure: as early as possible, by the least lateness first."""
        if not pauses:
            return _Run(leaves, self._straight(leaves, windows), ())
        trace = self._forward(leaves, pauses, windows)
        labels = trace[-1]

        def missed(mask: int) -> tuple[int, ...]:
            end = labels[mask].leave
            return tuple(
                b for b in range(len(pauses)) if not mask >> b & 1 and end > pauses[b].window.closes_s
            )

        mask = min(labels, key=lambda m: (len(missed(m)), labels[m].late, labels[m].leave, -m))
        left_out = missed(mask)
        path = list[_Label]()
        for reached in reversed(trace[1:]):
            path.append(reached[mask])
            mask = reached[mask].had
        path.reverse()
        return _Run(leaves, path, left_out)

    def _straight(self, leaves: int, windows: Sequence[Windows]) -> list[_Label]:
        """Forward where there are no breaks."""
        path, now, late = list[_Label](), leaves, 0
        for leg, open_, service in zip(self.leg_s, windows, self.service_s, strict=False):
            arrive = now + leg
            start = _service_from(open_, arrive)
            late += max(0, start - open_[-1][1])
            now = start + service
            path.append(_Label(late, arrive, start, now, 0, ()))
        now += self.leg_s[-1]
        path.append(_Label(late, now, now, now, 0, ()))
        return path

    def _forward(
        self, leaves: int, pauses: Sequence[Break], windows: Sequence[Windows]
    ) -> list[dict[int, _Label]]:
        """By the breaks taken, as bits: at the start, at every stop, at the end."""
        before = sum(1 << at for at, b in enumerate(pauses) if leaves >= b.window.opens_s + b.duration_s)
        labels = {before: _Label(0, leaves, leaves, leaves, -1, ())}
        trace = [labels]
        steps = [
            [(has, order, [pauses[b] for b in order]) for has, order in ways(len(pauses), had)]
            for had in range(1 << len(pauses))
        ]
        for at, leg in enumerate(self.leg_s):
            reached: dict[int, _Label] = {}
            last = at == len(self.stops)
            for had, label in sorted(labels.items()):
                for has, order, taken in steps[had]:
                    arrive = _gap(label.leave, leg, taken) if taken else label.leave + leg
                    if arrive is None:
                        continue
                    late, start, leave = label.late, arrive, arrive
                    if not last:
                        open_ = windows[at]
                        start = _service_from(open_, arrive)
                        if start > open_[-1][1]:
                            late += start - open_[-1][1]
                        leave = start + self.service_s[at]
                    known = reached.get(has)
                    if known is None or (late, leave) < (known.late, known.leave):
                        reached[has] = _Label(late, arrive, start, leave, had, order)
            labels = reached
            trace.append(labels)
        return trace

    def _latest(self, end: int, pauses: Sequence[Break], windows: Sequence[Windows]) -> int:
        """The latest departure that is at the end by `end`."""
        if not pauses:
            for leg, open_, service in zip(
                reversed(self.leg_s), reversed(windows), reversed(self.service_s), strict=False
            ):
                start = _service_by(open_, end - leg - service)
                if start is None:
                    return self.opens_s
                end = start
            return end - self.leg_s[0]
        return max(
            [
                leave
                for mask, leave in self._backward(end, pauses, windows)[0].items()
                if all(
                    leave >= b.window.opens_s + b.duration_s for at, b in enumerate(pauses) if mask >> at & 1
                )
            ],
            default=self.opens_s,
        )

    def _backward(
        self, end: int, pauses: Sequence[Break], windows: Sequence[Windows]
    ) -> list[dict[int, int]]:
        """The latest departure, then the latest begin of service at every stop; by the breaks taken before it, as bits."""
        labels: dict[int, int] = {}
        for mask in range(1 << len(pauses)):
            after = [b.window.closes_s for at, b in enumerate(pauses) if not mask >> at & 1]
            labels[mask] = min([end, *after])
        trace = list[dict[int, int]]()
        steps = [
            [(had, [pauses[b] for b in order]) for had, order in ways_back(len(pauses), has)]
            for has in range(1 << len(pauses))
        ]
        for at in range(len(self.stops), -1, -1):
            reached: dict[int, int] = {}
            leg = self.leg_s[at]
            for has, by in labels.items():
                for had, taken in steps[has]:
                    leave = _gap_back(by, leg, taken) if taken else by - leg
                    if leave is None:
                        continue
                    if at:
                        leave = _service_by(windows[at - 1], leave - self.service_s[at - 1])
                        if leave is None:
                            continue
                    known = reached.get(had)
                    if known is None or leave > known:
                        reached[had] = leave
            labels = reached
            trace.append(labels)
        trace.reverse()
        return trace

    def leeway(self, at: int) -> list[tuple[int, int]]:
        """From when to when service at this stop may begin if its own windows did not matter, all else being in time."""
        pauses = self.vehicle.breaks
        windows: list[Windows] = [*self.windows[:at], ((0, FOREVER),), *self.windows[at + 1 :]]
        latest = self._backward(self.vehicle.shift.closes_s, pauses, windows)[at + 1]
        found = set[tuple[int, int]]()
        for leaves in self._departures(pauses):
            for mask, label in self._forward(leaves, pauses, windows)[at + 1].items():
                if label.late == 0 and label.start <= latest.get(mask, -1):
                    found.add((label.start, latest[mask]))
        return sorted(found)

    def _departures(self, pauses: Sequence[Break]) -> list[int]:
        """The first one, and those that come just after a break which is then had before leaving."""
        had = {b.window.opens_s + b.duration_s for b in pauses}
        return sorted({self.opens_s, *(leaves for leaves in had if leaves > self.opens_s)})

    def _shortest(self, best: _Run, pauses: Sequence[Break], windows: Sequence[Windows]) -> _Run:
        """Ending later may be shorter: a stop waits for its next window, or a break is had before leaving."""
        if all(len(w) == 1 for w in windows):  # then at least it is no longer than without any break
            unbroken = self._run(self.opens_s, (), windows)
            if best.end - best.leaves <= unbroken.end - self._latest(unbroken.end, (), windows):
                return best
        end_by = max(best.end, self.vehicle.shift.closes_s)
        for leaves in self._departures(pauses):
            if best.end - best.leaves <= self._least(max(leaves, best.leaves), best.end, pauses):
                continue
            run = best if leaves <= best.leaves else self._run(leaves, pauses, windows)
            for _ in range(1 + sum(len(w) for w in windows) + len(self.stops) * len(pauses)):
                if run.late or run.missed or run.end > end_by:
                    break
                run = self._run(self._latest(run.end, pauses, windows), pauses, windows)
                if run.end - run.leaves < best.end - best.leaves:
                    best = run
                slack = self._slack(run, pauses, windows)
                if slack is None or best.end - best.leaves <= self._least(run.leaves, run.end, pauses):
                    break
                run = self._run(run.leaves + slack + 1, pauses, windows)
        return best

    def _least(self, leaves: int, end: int, pauses: Sequence[Break]) -> int:
        """No duration of a run that leaves then and ends no sooner is less: without any waiting."""
        due = [b.duration_s for b in pauses if _due(b, leaves, end)]
        return sum(self.leg_s) + sum(self.service_s) + sum(due)

    def _slack(self, run: _Run, pauses: Sequence[Break], windows: Sequence[Windows]) -> int | None:
        """How much later all of it may be, the same windows and the same places of the breaks; None: as late as one likes."""
        slack = [
            next(closes for opens, closes in w if opens <= start <= closes) - start
            for w, start in zip(windows, run.starts, strict=True)
            if len(w) > 1
        ]
        now, taken = run.leaves, set[int]()
        for label in run.path:
            if label.order:
                slack.append(min(_begins([pauses[b] for b in label.order])) - now)
                taken.update(label.order)
            now = label.leave
        slack += [
            b.window.closes_s - run.end
            for at, b in enumerate(pauses)
            if at not in taken and run.leaves < b.window.opens_s + b.duration_s
        ]
        return min(slack, default=None)

    def _route(self, run: _Run, numbers: Sequence[int]) -> Route:
        """With the breaks between the stops: each begins as soon as it may."""
        visits: list[Visit] = []
        now = run.leaves
        for at, label in enumerate(run.path):
            to_drive = self.leg_s[at]
            for b in label.order:
                pause = self.vehicle.breaks[numbers[b]]
                start = max(now, pause.window.opens_s)
                stands = now + min(to_drive, start - now)
                to_drive -= stands - now
                now = start + pause.duration_s
                visits.append(Visit("break", str(numbers[b]), stands, start, now))
            if at < len(self.stops):
                stop = self.stops[at]
                visits.append(Visit(stop.kind, stop.id, now + to_drive, label.start, label.leave))
                now = label.leave
        return Route(self.vehicle.id, run.leaves, run.end, tuple(visits), sum(self.leg_m))


class _Label(NamedTuple):
    late: int
    """Of all stops so far together."""
    arrive: int
    start: int
    leave: int
    had: int
    """The breaks taken before the leg to here, as bits."""
    order: tuple[int, ...]
    """Those taken on it."""


@dataclass(frozen=True)
class _Run:
    leaves: int
    path: list[_Label]
    """One a stop, and the end."""
    missed: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.path[-1].leave

    @property
    def late(self) -> int:
        return self.path[-1].late

    @property
    def starts(self) -> list[int]:
        return [label.start for label in self.path[:-1]]


@lru_cache(maxsize=256)
def ways(count: int, had: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """What one leg can add to the breaks already taken: the set after it, and the order on it."""
    left = [b for b in range(count) if not had >> b & 1]
    return tuple(
        (had | sum(1 << b for b in order), order)
        for size in range(len(left) + 1)
        for order in permutations(left, size)
    )


@lru_cache(maxsize=256)
def ways_back(count: int, has: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    taken = [b for b in range(count) if has >> b & 1]
    return tuple(
        (has & ~sum(1 << b for b in order), order)
        for size in range(len(taken) + 1)
        for order in permutations(taken, size)
    )


def _due(pause: Break, leaves: int, end: int) -> bool:
    """It fits neither before leaving nor after coming back."""
    return leaves < pause.window.opens_s + pause.duration_s and end > pause.window.closes_s


def _gap(leave: int, drive_s: int, pauses: Sequence[Break]) -> int | None:
    """Arrival after a leg with these breaks on it in this order. None: one of them begins too late even if taken at once.

    A break may begin anywhere on the leg or after it, so its latest begin binds the departure, and its earliest the arrival."""
    soonest, arrive = leave, leave + drive_s
    for b in pauses:
        if soonest > b.window.closes_s:
            return None
        soonest = max(soonest, b.window.opens_s) + b.duration_s
        arrive = max(arrive, b.window.opens_s) + b.duration_s
    return arrive


def _gap_back(arrive: int, drive_s: int, pauses: Sequence[Break]) -> int | None:
    """The latest departure that arrives by then, with these breaks on the leg; None: there is none."""
    rested = sum(b.duration_s for b in pauses)
    leave = min([arrive - drive_s - rested, *_begins(pauses)])
    reached = _gap(leave, drive_s, pauses)
    return leave if reached is not None and reached <= arrive else None


def _begins(pauses: Sequence[Break]) -> list[int]:
    """By when to leave so that each break, taken at once one after the other, still begins in its window."""
    by, rested = list[int](), 0
    for b in pauses:
        by.append(b.window.closes_s - rested)
        rested += b.duration_s
    return by


def _service_from(windows: Windows, arrive: int) -> int:
    """The first moment of service; the arrival itself where it is too late for every window."""
    for opens, closes in windows:
        if arrive <= closes:
            return max(arrive, opens)
    return arrive


def _service_by(windows: Windows, by: int) -> int | None:
    """The last moment of service no later than this."""
    for opens, closes in reversed(windows):
        if by >= opens:
            return min(by, closes)
    return None


def sorted_windows(job: Job) -> Windows:
    """Overlapping windows are one; none at all is one that closed before anything begins."""
    merged: list[tuple[int, int]] = []
    for opens, closes in sorted((w.opens_s, w.closes_s) for w in job.windows if w.opens_s <= w.closes_s):
        if merged and opens <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(closes, merged[-1][1]))
        else:
            merged.append((opens, closes))
    return tuple(merged) or ((-1, -1),)


def _over(value: int, most: int | None) -> int:
    return 0 if most is None else max(0, value - most)
