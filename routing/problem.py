"""What is asked of planning and what it answers: one problem, one plan, in the words of the VRP literature.

Times are whole seconds from the problem's own zero (a backend takes the start of the day of work in UTC, so a plan
may span midnight), distances whole metres, loads whole numbers, one per dimension (grams, millilitres, pieces: the caller
says which; a load that is not named is 0, a capacity that is not named has no limit). Locations are indices into the
matrices; nothing is ever symmetrised. A cell without a road is `NO_ROAD`.
To add a rule: a field here, its constraint in `solve`, and independently its check in `check`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NO_ROAD = -1
HORIZON_S = 10 * 24 * 3600
"""Where nothing limits a time: ten days."""

IntMatrix: TypeAlias = "npt.NDArray[np.int64]"


@dataclass(frozen=True)
class Matrix:
    """Square, int64, `[from, to]`; metres and seconds of one vehicle profile. `NO_ROAD` where there is no way."""

    distance_m: IntMatrix
    duration_s: IntMatrix


@dataclass(frozen=True)
class Window:
    """Service may begin from `opens_s` to `closes_s`, both included."""

    opens_s: int = 0
    closes_s: int = HORIZON_S


@dataclass(frozen=True)
class Job:
    """One visit. `delivery` is brought from the depot, `pickup` is taken along to the end of the trip."""

    id: str
    location: int
    delivery: tuple[int, ...] = ()
    pickup: tuple[int, ...] = ()
    windows: tuple[Window, ...] = (Window(),)
    service_s: int = 0
    prize: int | None = None
    """What leaving it out costs, in cost units. None: it must be served if anything can."""
    skills: frozenset[str] = frozenset()
    vehicles: frozenset[str] | None = None
    """Only these may serve it (a lock, or goods that are aboard already). None: any."""
    release_s: int = 0
    """The goods cannot leave the depot before: the vehicle's trip with it starts no sooner."""


@dataclass(frozen=True)
class Shipment:
    """Goods taken at one place and brought to another by the same vehicle on the same trip, pickup first.

    The rules of both jobs hold for it (windows, skills, vehicles, release); its prize is the pickup's."""

    id: str
    pickup: Job
    delivery: Job
    load: tuple[int, ...]
    """Both jobs carry empty `delivery` and `pickup`. In a plan both visits carry the shipment's id."""


@dataclass(frozen=True)
class Break:
    """A rest of `duration_s` that begins inside the window, at a stop or on the way: the vehicle stands still.

    Not due where it fits before the vehicle leaves (`opens_s + duration_s`) or after it is back (by `closes_s`)."""

    window: Window
    duration_s: int


@dataclass(frozen=True)
class Vehicle:
    id: str
    start: int
    end: int | None
    """None: the route ends at its last stop (an open route)."""
    capacity: tuple[int, ...] = ()
    shift: Window = Window()
    """It leaves the start no sooner than `opens_s` and is at the end no later than `closes_s`."""
    profile: int = 0
    """Which of the problem's matrices."""
    fixed_cost: int = 0
    cost_per_km: int = 1000
    """1000: a metre costs one."""
    cost_per_h: int = 0
    """Of the route's duration, waiting and breaks included. 3600: a second costs one."""
    max_distance_m: int | None = None
    max_duration_s: int | None = None
    max_stops: int | None = None
    skills: frozenset[str] = frozenset()
    breaks: tuple[Break, ...] = ()
    reload_at: tuple[int, ...] = ()
    """Depot locations where it may unload and load again between trips."""
    reload_s: int = 0
    max_trips: int = 1


@dataclass(frozen=True)
class Problem:
    vehicles: tuple[Vehicle, ...]
    matrices: tuple[Matrix, ...]
    jobs: tuple[Job, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    unit: int | None = None
    """So many seconds, metres and costs are one of the asker's own, which have no name: reasons are said in these."""


VisitKind = Literal["job", "pickup", "delivery", "reload", "break"]


@dataclass(frozen=True)
class Visit:
    """`id`: the job's, or the shipment's for pickup and delivery; the depot's location as text for a reload; which of
    the vehicle's breaks (its index as text) for a break. A break is no place: the way goes on from where it stood."""

    kind: VisitKind
    id: str
    arrive_s: int
    start_s: int
    """Begin of service; later than `arrive_s` where the vehicle waits."""
    leave_s: int


@dataclass(frozen=True)
class Route:
    vehicle: str
    start_s: int
    """It leaves the start."""
    end_s: int
    """It is at the end (or has left the last stop of an open route)."""
    visits: tuple[Visit, ...]
    distance_m: int


UnservedReason = Literal[
    "too_heavy",  # more than any vehicle that may serve it can carry
    "no_road",  # no way to it and back for any vehicle that may serve it
    "window_too_short",  # even a vehicle of its own, empty, cannot be there in the window and home in its shift
    "no_vehicle_allowed",  # skills or a lock leave no vehicle
    "no_capacity_left",  # it fits a vehicle alone, and all such vehicles are full
    "no_time_left",  # it fits alone, and what else has to be done leaves no time for it
    "not_worth_it",  # optional, and serving it costs more than its prize
]


@dataclass(frozen=True)
class Unserved:
    id: str
    reason: UnservedReason
    detail: str
    """A sentence with figures: what stands in the way, and what would make it fit."""


@dataclass(frozen=True)
class Plan:
    routes: tuple[Route, ...]
    """Only vehicles that drive; at most one route a vehicle."""
    unserved: tuple[Unserved, ...] = field(default=())
    cost: int = 0
    """Fixed cost, distance and duration of the routes plus the prizes of optional jobs left out; fractions rounded."""


ViolationKind = Literal[
    "unknown_vehicle", "unknown_job", "visited_twice", "not_visited", "over_capacity", "outside_window", "outside_shift",
    "time_travel", "no_road", "wrong_distance", "too_far", "too_long", "too_many_stops", "missing_skill",
    "vehicle_not_allowed", "before_release", "pickup_after_delivery", "split_shipment", "missing_break", "too_many_trips",
    "wrong_reload", "wrong_cost", "service_too_short", "vehicle_used_twice", "served_and_unserved",
]  # fmt: skip


@dataclass(frozen=True)
class Violation:
    kind: ViolationKind
    detail: str
    vehicle: str | None = None
    visit: str | None = None
