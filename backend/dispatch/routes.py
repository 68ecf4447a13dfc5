"""Planning and dispatch over HTTP: depots, vehicles, shifts, what has to be delivered, plans, and the board of a day."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import BackgroundTasks, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from backend import api
from backend.api import Ctx, Db, Site, Who, allow
from backend.dispatch import board, depots, jobs, moves, planning, release, shifts, slots, vehicles, warm
from backend.dispatch.driver_routes import own_route
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["dispatch"])
PLANS = [allow("dispatcher", "lead")]

Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=0, le=14400)]
GOODS = "Beside ambient goods: chilled, frozen, hazard"
Skills = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00]+$")]], Field(max_length=20)
]
Day = Annotated[
    dt.date, Query(ge=dt.date(2000, 1, 1), le=dt.date(2200, 1, 1), description="In the site's time zone")
]


def _of_this_age(t: dt.datetime) -> dt.datetime:
    if not 2000 <= t.year <= 2200:
        raise ValueError("the time is not of this age")
    return t


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Times(BaseModel):
    """Every time of a body lies between 2000 and 2200."""

    @model_validator(mode="after")
    def of_this_age(self) -> Times:
        for value in self.__dict__.values():
            if isinstance(value, dt.datetime):
                _of_this_age(value)
        return self


def _changes(body: BaseModel) -> dict[str, Any]:
    """What the body names, without its version."""
    return {k: v for k, v in body.model_dump(exclude_unset=True).items() if k != "version"}


# --- depots -----------------------------------------------------------------------------------------------


class Depot(Out):
    id: UUID
    code: str
    name: str
    address: str
    lat: float
    lon: float
    load_s: int = Field(description="How long a vehicle takes to load before it leaves")
    active: bool
    version: int


class NewDepot(BaseModel):
    """`lat` and `lon`, or an address that the map knows."""

    code: Code
    name: Name
    address: Text = ""
    lat: Lat | None = None
    lon: Lon | None = None
    load_s: Seconds = 600


class DepotChange(BaseModel):
    version: Version
    name: Name | None = None
    address: Text | None = None
    lat: Lat | None = None
    lon: Lon | None = None
    load_s: Seconds | None = None
    active: bool | None = None


@router.get("/depots", response_model=Page[Depot])
def list_depots(conn: Db, site: Site) -> Page[Depot]:
    return Page(items=[Depot.model_validate(d) for d in depots.depots(conn, site)])


@router.post("/depots", response_model=Depot, status_code=201, dependencies=PLANS)
def create_depot(body: NewDepot, conn: Db, ctx: Ctx) -> Depot:
    return Depot.model_validate(depots.create(conn, ctx, **body.model_dump()))


@router.patch("/depots/{depot_id}", response_model=Depot, dependencies=PLANS)
def change_depot(depot_id: UUID, body: DepotChange, conn: Db, ctx: Ctx) -> Depot:
    return Depot.model_validate(depots.change(conn, ctx, depot_id, body.version, _changes(body)))


# --- vehicles ---------------------------------------------------------------------------------------------


class DeliveryVehicle(Out):
    id: UUID = Field(description="Also the id of its place")
    code: str
    name: str
    depot_id: UUID
    depot_code: str
    plate: str
    max_weight_g: int
    max_volume_ml: int
    max_cartons: int
    fixed_cost_cents: int
    cost_per_km_cents: int
    cost_per_h_cents: int
    skills: list[str] = Field(
        description="What only it may carry, exactly: chilled, frozen, hazard; and what it has beside, in free words"
    )
    gps_agent: str | None = Field(description="Code of the edge agent it carries")
    gps_device: str | None
    active: bool
    version: int


Grams = Annotated[int, Field(gt=0, le=10**9)]
Millilitres = Annotated[int, Field(gt=0, le=10**9)]
Cartons = Annotated[int, Field(gt=0, le=100_000)]
FixedCost = Annotated[int, Field(ge=0, le=100_000_000)]
KmCost = Annotated[int, Field(ge=0, le=1_000_000)]
HourCost = Annotated[int, Field(ge=0, le=10_000_000)]


class NewDeliveryVehicle(BaseModel):
    """Makes the place of kind `vehicle` with it, or takes the one that has this code."""

    code: Code
    name: Text = ""
    depot_id: UUID
    plate: Text = ""
    max_weight_g: Grams
    max_volume_ml: Millilitres
    max_cartons: Cartons = 1000
    fixed_cost_cents: FixedCost = 0
    cost_per_km_cents: KmCost = 60
    cost_per_h_cents: HourCost = 3500
    skills: Skills = []
    gps_agent: Name | None = None
    gps_device: Name | None = None


class DeliveryVehicleChange(BaseModel):
    version: Version
    name: Text | None = None
    depot_id: UUID | None = None
    plate: Text | None = None
    max_weight_g: Grams | None = None
    max_volume_ml: Millilitres | None = None
    max_cartons: Cartons | None = None
    fixed_cost_cents: FixedCost | None = None
    cost_per_km_cents: KmCost | None = None
    cost_per_h_cents: HourCost | None = None
    skills: Skills | None = None
    gps_agent: Name | None = None
    gps_device: Name | None = None
    active: bool | None = None


@router.get("/delivery-vehicles", response_model=Page[DeliveryVehicle])
def list_delivery_vehicles(conn: Db, site: Site) -> Page[DeliveryVehicle]:
    return Page(items=[DeliveryVehicle.model_validate(v) for v in vehicles.vehicles(conn, site)])


@router.post("/delivery-vehicles", response_model=DeliveryVehicle, status_code=201, dependencies=PLANS)
def create_delivery_vehicle(body: NewDeliveryVehicle, conn: Db, ctx: Ctx) -> DeliveryVehicle:
    return DeliveryVehicle.model_validate(vehicles.create(conn, ctx, **body.model_dump()))


@router.patch("/delivery-vehicles/{vehicle_id}", response_model=DeliveryVehicle, dependencies=PLANS)
def change_delivery_vehicle(
    vehicle_id: UUID, body: DeliveryVehicleChange, conn: Db, ctx: Ctx
) -> DeliveryVehicle:
    changed = vehicles.change(conn, ctx, vehicle_id, body.version, _changes(body))
    return DeliveryVehicle.model_validate(changed)


# --- shifts -----------------------------------------------------------------------------------------------


class VehicleShift(Out):
    id: UUID
    vehicle_id: UUID
    vehicle_code: str
    driver_id: UUID | None
    driver_name: str | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    break_s: int
    break_from: dt.datetime | None
    break_until: dt.datetime | None
    cancelled_at: dt.datetime | None
    version: int


class NewVehicleShift(Times):
    """A break of `break_s` begins between `break_from` and `break_until`."""

    vehicle_id: UUID
    driver_id: UUID | None = None
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    break_s: Seconds = 0
    break_from: AwareDatetime | None = None
    break_until: AwareDatetime | None = None


class VehicleShiftChange(Times):
    version: Version
    driver_id: UUID | None = None
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    break_s: Seconds | None = None
    break_from: AwareDatetime | None = None
    break_until: AwareDatetime | None = None
    cancelled: bool | None = Field(default=None, description="true takes the shift off")


@router.get("/vehicle-shifts", response_model=Page[VehicleShift])
def list_vehicle_shifts(
    conn: Db, site: Site, day: Day | None = None, vehicle_id: UUID | None = None, limit: Limit = 200, cursor: Cursor = None
) -> Page[VehicleShift]:  # fmt: skip
    """The latest first; with `day`, those that begin on it."""
    rows = shifts.shifts(
        conn, site, day=day, vehicle_id=vehicle_id, before=uuid_cursor(cursor), limit=limit + 1
    )
    return page_of(rows, limit, lambda s: [s.id], VehicleShift.model_validate)


@router.post("/vehicle-shifts", response_model=VehicleShift, status_code=201, dependencies=PLANS)
def create_vehicle_shift(body: NewVehicleShift, conn: Db, ctx: Ctx) -> VehicleShift:
    return VehicleShift.model_validate(shifts.create(conn, ctx, **body.model_dump()))


@router.patch("/vehicle-shifts/{shift_id}", response_model=VehicleShift, dependencies=PLANS)
def change_vehicle_shift(shift_id: UUID, body: VehicleShiftChange, conn: Db, ctx: Ctx) -> VehicleShift:
    return VehicleShift.model_validate(shifts.change(conn, ctx, shift_id, body.version, _changes(body)))


# --- what has to be delivered -----------------------------------------------------------------------------

JobState = Literal[
    "to_review", "ready", "planned", "released", "aboard", "delivered", "partly_delivered", "refused", "nobody_there", "cancelled"
]  # fmt: skip


class DeliveryJob(Out):
    id: UUID
    number: str
    order_id: UUID
    order_number: str
    attempt: int
    previous_id: UUID | None
    state: JobState
    customer_name: str
    phone: str
    address: str
    note: str
    lat: float | None
    lon: float | None
    located_by: Literal["order", "map", "pin"] | None
    located_as: str = Field(description="What the map calls it")
    window_from: dt.datetime
    window_until: dt.datetime
    service_s: int
    weight_g: int
    volume_ml: int
    cartons: int
    skills: list[str] = Field(
        description="What its vehicle must list: chilled, frozen and hazard as its cartons' contents say, or free words"
    )
    priority: int
    reason: str | None = Field(
        description="Why it is not planned: too_heavy, no_road, window_too_short, no_vehicle_allowed, no_capacity_left,"
        " no_time_left, not_worth_it, too_far_from_road, vehicle_broke_down; null before it was tried"
    )
    detail: str = Field(description="The reason in a sentence")
    goods_on_route_id: UUID | None = Field(description="Its goods are aboard a vehicle that broke down")
    promised_from: dt.datetime | None = Field(description="What the customer was told")
    promised_until: dt.datetime | None
    route_id: UUID | None
    route_number: str | None
    stop_id: UUID | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    version: int


class DeliveryCarton(Out):
    carton_id: UUID
    sscc: str
    state: str
    weight_g: int | None
    goods: list[str] = Field(description=GOODS)
    place_code: str | None


class JobEvent(Out):
    id: UUID
    at: dt.datetime
    actor: str
    what: str
    detail: str


class DeliveryJobDetail(DeliveryJob):
    carton_list: list[DeliveryCarton]
    events: list[JobEvent]


class DeliveryJobChange(Times):
    version: Version
    window_from: AwareDatetime | None = None
    window_until: AwareDatetime | None = None
    service_s: Seconds | None = None
    address: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")] | None = None
    note: Note | None = None
    phone: Text | None = None
    priority: Annotated[int, Field(ge=1, le=9)] | None = None


class Pin(BaseModel):
    version: Version
    lat: Lat
    lon: Lon


@router.get("/delivery-jobs", response_model=Page[DeliveryJob])
def list_delivery_jobs(
    conn: Db,
    site: Site,
    state: Annotated[list[JobState] | None, Query()] = None,
    order_id: UUID | None = None,
    q: Annotated[
        str | None, Query(max_length=100, description="Part of a number, a customer or an address")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[DeliveryJob]:
    """The newest first."""
    rows = jobs.search(
        conn, site, states=state, order_id=order_id, q=q, before=uuid_cursor(cursor), limit=limit + 1
    )
    return page_of(rows, limit, lambda j: [j.id], DeliveryJob.model_validate)


@router.get("/delivery-jobs/{delivery_job_id}", response_model=DeliveryJobDetail)
def get_delivery_job(delivery_job_id: UUID, conn: Db, site: Site) -> DeliveryJobDetail:
    return _detail(conn, site, delivery_job_id)


def _detail(conn: Db, site: UUID, job_id: UUID) -> DeliveryJobDetail:
    job = jobs.job(conn, site, job_id)
    return DeliveryJobDetail(
        **DeliveryJob.model_validate(job).model_dump(),
        carton_list=[DeliveryCarton.model_validate(c) for c in jobs.cartons_of(conn, site, job_id)],
        events=[JobEvent.model_validate(e) for e in jobs.events_of(conn, site, job_id)],
    )


@router.patch("/delivery-jobs/{delivery_job_id}", response_model=DeliveryJobDetail, dependencies=PLANS)
def change_delivery_job(
    delivery_job_id: UUID, body: DeliveryJobChange, conn: Db, ctx: Ctx
) -> DeliveryJobDetail:
    """A new address is looked up on the map; one that it does not know goes to review."""
    jobs.change(conn, ctx, delivery_job_id, body.version, _changes(body))
    return _detail(conn, ctx.site_id, delivery_job_id)


@router.post("/delivery-jobs/{delivery_job_id}/pin", response_model=DeliveryJobDetail, dependencies=PLANS)
def pin_delivery_job(delivery_job_id: UUID, body: Pin, conn: Db, ctx: Ctx) -> DeliveryJobDetail:
    """A person says where it is."""
    jobs.pin(conn, ctx, delivery_job_id, body.version, body.lat, body.lon)
    return _detail(conn, ctx.site_id, delivery_job_id)


# --- plans ------------------------------------------------------------------------------------------------


class NewDeliveryPlan(BaseModel):
    day: Annotated[dt.date, Field(ge=dt.date(2000, 1, 1), le=dt.date(2200, 1, 1))]
    depot_id: UUID | None = None
    limit_s: Annotated[
        float, Field(ge=0.5, le=120, allow_inf_nan=False, description="How long the planner may think")
    ] = 10
    route_ids: Annotated[
        list[UUID] | None,
        Field(max_length=200, description="Only these routes are made anew; else all that may change"),
    ] = None


class ProposedStop(BaseModel):
    kind: Literal["delivery", "break", "reload", "take_over"]
    job_id: UUID | None
    job_number: str | None
    customer_name: str | None
    address: str | None
    lat: float | None
    lon: float | None
    arrival_at: dt.datetime
    start_at: dt.datetime
    leave_at: dt.datetime
    leg_m: int
    leg_s: int
    late_s: int


class ProposedRoute(BaseModel):
    route_id: UUID | None = Field(description="The route on the board that it replaces; null: a new one")
    route_number: str | None
    vehicle_id: UUID
    code: str
    shift_id: UUID
    starts_at: dt.datetime
    ends_at: dt.datetime
    distance_m: int
    drive_s: int
    estimated: bool
    geometry: list[list[float]] | None = Field(
        description="[[lon, lat], ...] along the road; null: draw straight lines and say so"
    )
    stops: list[ProposedStop]


class PlanUnserved(BaseModel):
    job_id: UUID
    job_number: str
    customer_name: str
    reason: str
    detail: str


class PlanProposal(BaseModel):
    routes: list[ProposedRoute]
    unserved: list[PlanUnserved]
    cost: int = Field(description="In cents")


class ChangedJob(BaseModel):
    """`from_route` and `to_route` are vehicle codes; null is the tray."""

    job_id: UUID
    job_number: str
    customer_name: str
    from_route: str | None
    to_route: str | None


class LateJob(BaseModel):
    job_id: UUID
    job_number: str
    customer_name: str
    late_s: int


class PlanDifference(BaseModel):
    """The proposal against the board it was made from."""

    moved: list[ChangedJob] = Field(description="From one vehicle to another")
    resequenced: list[str] = Field(description="Vehicles that keep their stops in another order")
    added: list[ChangedJob]
    removed: list[ChangedJob]
    km: float = Field(description="More than the board (negative: fewer)")
    minutes: float
    late_jobs: list[LateJob]
    kept_promises_broken: list[ChangedJob] = Field(
        description="Customers who were told another time and would have to be told anew"
    )


class DeliveryPlan(Out):
    id: UUID
    state: Literal["computing", "proposed", "accepted", "discarded", "failed"]
    day: dt.date
    depot_id: UUID | None
    progress: str
    problem: str | None = Field(description="Why it failed, in words")
    proposal: PlanProposal | None
    difference: PlanDifference | None
    created_at: dt.datetime
    created_by: str
    settled_at: dt.datetime | None
    version: int


class PlanVersion(BaseModel):
    version: Version


@router.post("/delivery-plans", response_model=DeliveryPlan, status_code=202, dependencies=PLANS)
def start_delivery_plan(body: NewDeliveryPlan, conn: Db, ctx: Ctx) -> DeliveryPlan:
    """The worker plans; ask `GET /delivery-plans/{id}` until it is proposed or failed. Nothing changes before it is accepted."""
    plan = planning.start(
        conn, ctx, body.day, depot_id=body.depot_id, limit_s=body.limit_s, route_ids=body.route_ids
    )
    return DeliveryPlan.model_validate(plan)


@router.get("/delivery-plans", response_model=Page[DeliveryPlan])
def list_delivery_plans(
    conn: Db, site: Site, day: Day | None = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[DeliveryPlan]:
    """The newest first, without their routes: ask for one to see those."""
    rows = planning.plans(conn, site, day=day, before=uuid_cursor(cursor), limit=limit + 1)
    return page_of(rows, limit, lambda p: [p.id], DeliveryPlan.model_validate)


@router.get("/delivery-plans/{plan_id}", response_model=DeliveryPlan)
def get_delivery_plan(plan_id: UUID, conn: Db, site: Site) -> DeliveryPlan:
    return DeliveryPlan.model_validate(planning.plan(conn, site, plan_id))


@router.post("/delivery-plans/{plan_id}/accept", response_model=DeliveryPlan, dependencies=PLANS)
def accept_delivery_plan(plan_id: UUID, body: PlanVersion, conn: Db, ctx: Ctx) -> DeliveryPlan:
    """Puts it on the board. 409 with `changed` where the board is not what the plan was made from any more."""
    return DeliveryPlan.model_validate(planning.accept(conn, ctx, plan_id, body.version))


@router.post("/delivery-plans/{plan_id}/discard", response_model=DeliveryPlan, dependencies=PLANS)
def discard_delivery_plan(plan_id: UUID, body: PlanVersion, conn: Db, ctx: Ctx) -> DeliveryPlan:
    return DeliveryPlan.model_validate(planning.discard(conn, ctx, plan_id, body.version))


# --- the board --------------------------------------------------------------------------------------------

RouteState = Literal[
    "draft", "released", "loading", "under_way", "back", "finished", "cancelled", "broken_down"
]
StopState = Literal["planned", "arrived", "done", "failed", "skipped"]


class RouteVehicle(Out):
    id: UUID
    code: str
    plate: str
    max_weight_g: int
    max_volume_ml: int
    max_cartons: int
    skills: list[str] = Field(description="What only it may carry, and what it has beside")


class RouteDriver(Out):
    id: UUID
    name: str


class RouteLoad(Out):
    """All that the route brings, what is delivered included."""

    weight_g: int
    volume_ml: int
    cartons: int


class RouteStop(Out):
    id: UUID
    position: int
    kind: Literal["delivery", "break", "reload", "take_over"]
    state: StopState
    locked: bool
    job: DeliveryJob | None
    planned_arrival_at: dt.datetime
    planned_start_at: dt.datetime
    planned_leave_at: dt.datetime
    eta_at: dt.datetime | None
    late_s: int
    arrived_at: dt.datetime | None
    left_at: dt.datetime | None
    done_at: dt.datetime | None
    leg_m: int
    leg_s: int
    lat: float | None = Field(
        description="Where it is, where that is not the customer's door: a vehicle that broke down"
    )
    lon: float | None


class DeliveryRoute(Out):
    id: UUID
    number: str
    state: RouteState
    day: dt.date
    locked: bool
    version: int
    depot_id: UUID
    shipment_id: UUID | None
    vehicle: RouteVehicle
    driver: RouteDriver | None
    shift: VehicleShift
    starts_at: dt.datetime
    ends_at: dt.datetime
    distance_m: int
    drive_s: int
    geometry: list[list[float]] | None = Field(
        description="[[lon, lat], ...] along the road; null: draw straight lines and say so"
    )
    estimated: bool = Field(description="Some leg is a straight-line estimate")
    load: RouteLoad
    late_s: int = Field(description="Foreseen at the end of the shift")
    eta_back_at: dt.datetime | None
    released_at: dt.datetime | None
    departed_at: dt.datetime | None
    stops: list[RouteStop]


class BoardTrays(Out):
    unplanned: list[DeliveryJob]
    review: list[DeliveryJob] = Field(description="The map does not know the address: put a pin")
    unroutable: list[DeliveryJob] = Field(description="No road leads there")


class BoardVehicle(Out):
    id: UUID
    code: str
    lat: float
    lon: float
    at: dt.datetime
    speed_kmh: float | None
    course_deg: float | None
    stale: bool = Field(description="Nothing was heard of it for two minutes")


class DeliveryBoard(Out):
    day: dt.date
    now: dt.datetime
    depots: list[Depot]
    routes: list[DeliveryRoute]
    trays: BoardTrays
    vehicles: list[BoardVehicle]
    free_shifts: list[VehicleShift]


@router.get("/delivery-board", response_model=DeliveryBoard)
def get_delivery_board(conn: Db, ctx: Ctx, behind: BackgroundTasks, day: Day | None = None) -> DeliveryBoard:
    """All of a day in one answer; today where no day is named."""
    found = board.board(conn, ctx, day)
    behind.add_task(warm.warm, warm.places(found))
    return DeliveryBoard.model_validate(found)


@router.get("/delivery-positions", response_model=Page[BoardVehicle])
def list_delivery_positions(conn: Db, ctx: Ctx) -> Page[BoardVehicle]:
    """Where the vehicles were heard last: the part of the board that changes every second."""
    return Page(items=[BoardVehicle.model_validate(v) for v in board.vehicles_now(conn, ctx)])


@router.get("/delivery-routes/{route_id}", response_model=DeliveryRoute)
def get_delivery_route(route_id: UUID, conn: Db, site: Site) -> DeliveryRoute:
    return DeliveryRoute.model_validate(board.route(conn, site, route_id))


class SlotLate(Out):
    """A customer who would be reached after the window's end."""

    job_id: UUID
    job_number: str
    customer_name: str
    seconds: int


class RuleBroken(Out):
    kind: str = Field(description="over_capacity, outside_window, outside_shift, no_road, missing_skill, ...")
    detail: str
    allowed_anyway: bool = Field(description="A dispatcher may do it all the same (`anyway`)")


class JobSlot(Out):
    route_id: UUID
    position: int = Field(description="The job becomes the stop at this position")
    arrival_at: dt.datetime | None
    extra_m: int
    extra_s: int
    extra_cents: int
    late: list[SlotLate]
    violations: list[RuleBroken]
    best: bool


class JobSlots(Out):
    """Every place on every route of the day, also those that break a rule."""

    slots: list[JobSlot]
    what_would_it_take: list[str] = Field(description="In sentences, where no slot is free of violations")


@router.get("/delivery-jobs/{delivery_job_id}/slots", response_model=JobSlots)
def list_delivery_job_slots(delivery_job_id: UUID, conn: Db, ctx: Ctx, day: Day | None = None) -> JobSlots:
    return JobSlots.model_validate(slots.slots(conn, ctx, delivery_job_id, day))


class NewDeliveryRoute(BaseModel):
    """By the shift, or by the vehicle where it has one shift on the day that is still free."""

    shift_id: UUID | None = None
    vehicle_id: UUID | None = None
    day: Annotated[dt.date, Field(ge=dt.date(2000, 1, 1), le=dt.date(2200, 1, 1))] | None = None

    @model_validator(mode="after")
    def names_one(self) -> NewDeliveryRoute:
        if (self.shift_id is None) == (self.vehicle_id is None):
            raise ValueError("name the shift, or the vehicle and the day")
        if self.vehicle_id is not None and self.day is None:
            raise ValueError("name the day with the vehicle")
        return self


class MoveStop(BaseModel):
    job_id: UUID
    position: Annotated[int, Field(ge=1, le=1000, description="It becomes the stop at this position")]
    version: Annotated[Version, Field(description="Of the route it goes to, as you saw it")]
    from_version: Version | None = Field(
        default=None, description="Of the route it comes from; none where it comes from the tray"
    )
    anyway: bool = Field(
        default=False,
        description="Also where it makes somebody late or a shift longer; never beyond what a vehicle can carry",
    )


class JobFrom(BaseModel):
    job_id: UUID
    from_version: Version | None = Field(
        default=None, description="Of the route it comes from; none where it comes from the tray"
    )


class AssignStops(BaseModel):
    jobs: Annotated[list[JobFrom], Field(min_length=1, max_length=50)]
    version: Annotated[Version, Field(description="Of the route they go to, as you saw it")]
    anyway: bool = Field(default=False, description="As for one stop; it holds for each of them")


class ChangedRoutes(BaseModel):
    """The routes that changed, as they are now; `consequences` in sentences."""

    routes: list[DeliveryRoute]
    job: DeliveryJob | None
    consequences: list[str]


class RouteLock(BaseModel):
    locked: bool
    version: Version


class StopLock(BaseModel):
    locked: bool


class RouteVersion(BaseModel):
    version: Version


class RouteRelease(BaseModel):
    version: Version
    door_id: UUID | None = Field(default=None, description="The dock door it is loaded at")


class Breakdown(BaseModel):
    note: Note = ""


def _changed(conn: Db, ctx: Ctx, done: moves.Changed) -> ChangedRoutes:
    return ChangedRoutes(
        routes=[
            DeliveryRoute.model_validate(r) for r in board.routes(conn, ctx.site_id, route_ids=done.route_ids)
        ],
        job=DeliveryJob.model_validate(jobs.job(conn, ctx.site_id, done.job_id)) if done.job_id else None,
        consequences=done.consequences,
    )


@router.post("/delivery-routes", response_model=DeliveryRoute, status_code=201, dependencies=PLANS)
def create_delivery_route(body: NewDeliveryRoute, conn: Db, ctx: Ctx) -> DeliveryRoute:
    """An empty draft, to be filled by hand."""
    route_id = moves.new_route(conn, ctx, shift_id=body.shift_id, vehicle_id=body.vehicle_id, day=body.day)
    return DeliveryRoute.model_validate(board.route(conn, ctx.site_id, route_id))


@router.post("/delivery-routes/{route_id}/stops", response_model=ChangedRoutes, dependencies=PLANS)
def move_delivery_stop(route_id: UUID, body: MoveStop, conn: Db, ctx: Ctx) -> ChangedRoutes:
    """From the tray, from another route, or to another position. 409 where a route is not as you saw it (`present`); 422
    with `violations` where it breaks a rule."""
    return _changed(
        conn,
        ctx,
        moves.move(
            conn, ctx, route_id, body.job_id, body.position,
            version=body.version, from_version=body.from_version, anyway=body.anyway,
        ),
    )  # fmt: skip


@router.post("/delivery-routes/{route_id}/assign", response_model=ChangedRoutes, dependencies=PLANS)
def assign_delivery_stops(route_id: UUID, body: AssignStops, conn: Db, ctx: Ctx) -> ChangedRoutes:
    """Several at once onto a draft, from the tray or from other drafts, each where it costs least; all of them or none. 409
    where a route is not as you saw it; 422 with `refused`: for each that does not fit, its `violations`."""
    wanted = {j.job_id: j.from_version for j in body.jobs}
    return _changed(
        conn, ctx, moves.assign(conn, ctx, route_id, wanted, version=body.version, anyway=body.anyway)
    )


@router.delete(
    "/delivery-routes/{route_id}/stops/{stop_id}", response_model=ChangedRoutes, dependencies=PLANS
)
def remove_delivery_stop(
    route_id: UUID,
    stop_id: UUID,
    conn: Db,
    ctx: Ctx,
    version: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Of the route as you saw it; needed")
    ] = None,
) -> ChangedRoutes:
    """Back to the tray."""
    return _changed(conn, ctx, moves.remove(conn, ctx, route_id, stop_id, version=version))


@router.post("/delivery-routes/{route_id}/lock", response_model=DeliveryRoute, dependencies=PLANS)
def lock_delivery_route(route_id: UUID, body: RouteLock, conn: Db, ctx: Ctx) -> DeliveryRoute:
    """A locked route is left alone by every further plan."""
    moves.lock_route(conn, ctx, route_id, body.version, locked=body.locked)
    return DeliveryRoute.model_validate(board.route(conn, ctx.site_id, route_id))


@router.post("/delivery-stops/{stop_id}/lock", response_model=DeliveryRoute, dependencies=PLANS)
def lock_delivery_stop(stop_id: UUID, body: StopLock, conn: Db, ctx: Ctx) -> DeliveryRoute:
    """A locked stop stays with its vehicle in every further plan."""
    return DeliveryRoute.model_validate(
        board.route(conn, ctx.site_id, moves.lock_stop(conn, ctx, stop_id, locked=body.locked))
    )


@router.post("/delivery-routes/{route_id}/release", response_model=DeliveryRoute, dependencies=PLANS)
def release_delivery_route(route_id: UUID, body: RouteRelease, conn: Db, ctx: Ctx) -> DeliveryRoute:
    """Makes the shipment that is loaded at the door, and tells the customers when to expect it."""
    release.release(conn, ctx, route_id, body.version, door_id=body.door_id)
    return DeliveryRoute.model_validate(board.route(conn, ctx.site_id, route_id))


@router.post("/delivery-routes/{route_id}/withdraw", response_model=DeliveryRoute, dependencies=PLANS)
def withdraw_delivery_route(route_id: UUID, body: RouteVersion, conn: Db, ctx: Ctx) -> DeliveryRoute:
    """Takes the release back, while nothing is loaded: a draft again, with its stops."""
    release.withdraw(conn, ctx, route_id, body.version)
    return DeliveryRoute.model_validate(board.route(conn, ctx.site_id, route_id))


@router.post("/delivery-routes/{route_id}/cancel", response_model=DeliveryRoute, dependencies=PLANS)
def cancel_delivery_route(route_id: UUID, body: RouteVersion, conn: Db, ctx: Ctx) -> DeliveryRoute:
    """Its jobs go back to the tray. Refused once something is loaded."""
    release.cancel(conn, ctx, route_id, body.version)
    return DeliveryRoute.model_validate(board.route(conn, ctx.site_id, route_id))


@router.post(
    "/delivery-routes/{route_id}/breakdown",
    response_model=DeliveryRoute,
    dependencies=[allow("driver", "dispatcher", "lead")],
)
def report_breakdown(route_id: UUID, body: Breakdown, conn: Db, ctx: Ctx, who: Who) -> DeliveryRoute:
    """The vehicle cannot go on: what it still carries goes to the tray, and the next plan sends another to take it over.
    Drivers say it of their own."""
    own_route(conn, ctx, who, route_id)
    release.break_down(conn, ctx, route_id, body.note)
    return DeliveryRoute.model_validate(board.route(conn, ctx.site_id, route_id))
