"""Deliveries on the road, over HTTP: what driver, loader and rescue van ask for, proofs, and the customer's link.

Everything a driver does may come late (`occurred_at`, from a phone without a signal) and twice (`Idempotency-Key`): it
happens once. `open_router` is the customer's tracking link: whoever has it is let in, and sees one delivery only.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend import api
from backend.api import Ctx, Db, Quantity, Site, Who, allow
from backend.auth.principals import Principal
from backend.context import Context
from backend.db import Conn
from backend.dispatch import come_back, load, proof, road_views, tracking
from backend.dispatch import on_the_road as road
from backend.errors import Forbidden, NotFound
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor

router = api.router(tags=["deliveries"])
open_router = api.router(tags=["tracking"], open_commands=True)

Scan = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
Lat = Annotated[float, Field(ge=-90, le=90)]
Lon = Annotated[float, Field(ge=-180, le=180)]

GOODS = "Beside ambient goods: chilled, frozen, hazard"

RouteState = Literal[
    "draft", "released", "loading", "under_way", "back", "finished", "cancelled", "broken_down"
]
StopState = Literal["planned", "arrived", "done", "failed", "skipped"]
StopKind = Literal["delivery", "break", "reload", "take_over"]
JobState = Literal[
    "to_review", "ready", "planned", "released", "aboard", "delivered", "partly_delivered", "refused", "nobody_there",
    "cancelled",
]  # fmt: skip
Outcome = Literal["delivered", "partly_delivered", "refused", "nobody_there"]

DRIVES = allow("driver", "lead", "dispatcher")
LOADS = allow("worker", "driver", "dispatcher")
READS_PROOFS = allow("driver", "lead", "dispatcher", "integrator")


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


guesses = tracking.Guesses()


def own_route(conn: Conn, ctx: Context, who: Principal, route_id: UUID) -> None:
    """A driver acts on the routes of their own shifts. Raises Forbidden, NotFound."""
    r = road.route(conn, ctx.site_id, route_id)
    if r.driver_id is not None and r.driver_id != who.user_id and not who.may("lead", "dispatcher"):
        raise Forbidden(f"{r.label} is driven by {r.driver_name}; it is not yours.", driver=r.driver_name)


def _own_stop(conn: Conn, ctx: Context, who: Principal, stop_id: UUID) -> None:
    own_route(conn, ctx, who, road.stop(conn, ctx.site_id, stop_id).route_id)


def _may_read(conn: Conn, site_id: UUID, who: Principal, proof_id: UUID) -> None:
    """A driver reads the proofs of their own routes; others are not there for them."""
    found = proof.proof(conn, site_id, proof_id)
    if not who.may("lead", "dispatcher", "integrator") and found.driver_id != who.user_id:
        raise NotFound("There is no such proof of delivery at this site.", field="proof_id")


def _shown(conn: Conn, ctx: Context, route_id: UUID) -> DriverRoute:
    return DriverRoute.model_validate(road_views.view(conn, ctx, route_id))


def _proof(conn: Conn, site_id: UUID, proof_id: UUID) -> Proof:
    return Proof.model_validate(proof.proof(conn, site_id, proof_id))


def _photo(photo: Photo | None) -> proof.Photo | None:
    return None if photo is None else proof.photo_of(photo.type, photo.base64)


def _handed_over(line: DeliveredCarton) -> proof.HandedOver:
    if isinstance(line.delivered, str):
        return proof.HandedOver(line.sscc, line.delivered, (), line.reason)
    pieces = tuple(
        proof.Piece(p.item_id, p.quantity, p.lot, p.serial) for p in line.delivered if p.quantity > 0
    )
    return proof.HandedOver(line.sscc, "pieces", pieces, line.reason)


# --- the driver's day -------------------------------------------------------------------------------------


class DriverContent(Out):
    """One thing in a carton. `aboard` is what the van still has of it, `delivered` what the customer took."""

    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    serial: str | None
    quantity: Quantity = Field(description="As packed")
    aboard: Quantity
    delivered: Quantity


class DriverCarton(Out):
    carton_id: UUID
    sscc: str
    weight_g: int | None
    goods: list[str] = Field(description=GOODS)
    where: Literal["at_depot", "loaded", "aboard", "delivered", "partly_delivered", "returned"]
    aboard_of: UUID | None = Field(description="The route whose van has it, where that is not this one")
    contents: list[DriverContent]


class DriverJob(Out):
    id: UUID
    number: str
    order_id: UUID
    order_number: str
    attempt: int
    state: JobState
    customer_name: str
    phone: str
    address: str
    note: str
    lat: float
    lon: float
    window_from: datetime
    window_until: datetime
    service_s: int
    weight_g: int
    skills: list[str] = Field(
        description="What its vehicle must list: chilled, frozen, hazard, or free words"
    )
    proof_id: UUID | None
    outcome: Outcome | None
    stands_in: str | None = Field(
        description="The vehicle that broke down with its goods, until they are taken over"
    )
    stands_in_plate: str | None
    cartons: list[DriverCarton]


class DriverStop(Out):
    id: UUID
    position: int
    kind: StopKind
    state: StopState
    planned_arrival_at: datetime
    planned_start_at: datetime
    planned_leave_at: datetime
    eta_at: datetime | None
    late_s: int
    arrived_at: datetime | None
    arrived_by: Literal["geofence", "driver"] | None
    left_at: datetime | None
    done_at: datetime | None
    leg_m: int
    leg_s: int
    lat: float | None = Field(
        description="Where it is: the customer's door, or where the vehicle stands that broke down"
    )
    lon: float | None
    job: DriverJob | None


class BackCarton(Out):
    """What the van brings back, and where it has to go when it is unloaded by scan."""

    carton_id: UUID
    sscc: str
    order_number: str
    customer_name: str
    outcome: Outcome | None = Field(description="None: not tried yet")
    contents: list[DriverContent]


class DriverVehicle(Out):
    id: UUID
    code: str
    plate: str
    lat: float | None
    lon: float | None
    at: datetime | None
    stale: bool = Field(description="No position for a quarter of an hour while it is under way")


class DriverDepot(Out):
    id: UUID
    code: str
    name: str
    address: str
    lat: float
    lon: float


class DriverRoute(Out):
    id: UUID
    number: str
    state: RouteState
    day: date
    version: int
    locked: bool
    vehicle: DriverVehicle
    driver_id: UUID | None
    driver_name: str | None
    depot: DriverDepot
    shipment_id: UUID | None
    door_code: str | None
    starts_at: datetime
    ends_at: datetime
    distance_m: int
    drive_s: int
    geometry: list[tuple[float, float]] | None = Field(description="[lon, lat] along the road")
    estimated: bool = Field(description="Some leg is a straight line")
    released_at: datetime | None
    departed_at: datetime | None
    back_at: datetime | None
    finished_at: datetime | None
    eta_back_at: datetime | None
    eta_by: Literal["plan", "position"] = Field(
        description="`plan`: no fresh position, the ETAs are estimates by the plan"
    )
    late_s: int
    next_stop_id: UUID | None
    cartons: int
    loaded: int
    to_unload: list[BackCarton]
    stops: list[DriverStop]


@router.get("/driver/routes", response_model=Page[DriverRoute], dependencies=[DRIVES])
def list_driver_routes(
    conn: Db,
    ctx: Ctx,
    who: Who,
    day: Annotated[date | None, Query(description="Left out: today, and what is still under way")] = None,
    driver_id: Annotated[UUID | None, Query(description="A lead or dispatcher may name a driver")] = None,
) -> Page[DriverRoute]:
    """One's own routes from their release on, the earliest first."""
    if driver_id is not None and driver_id != who.user_id and not who.may("lead", "dispatcher"):
        raise Forbidden("Drivers see their own routes.", field="driver_id")
    asked = driver_id or (
        None if who.may("lead", "dispatcher") and "driver" not in who.roles else who.user_id
    )
    found = road_views.of_driver(conn, ctx, asked, day)
    return Page(items=[DriverRoute.model_validate(r) for r in found])


@router.get("/driver/routes/{route_id}", response_model=DriverRoute, dependencies=[DRIVES])
def get_driver_route(route_id: UUID, conn: Db, ctx: Ctx, who: Who) -> DriverRoute:
    """One route in full; drivers see their own."""
    own_route(conn, ctx, who, route_id)
    return _shown(conn, ctx, route_id)


# --- loading and leaving ----------------------------------------------------------------------------------


class ManifestCarton(Out):
    loading_order: int = Field(description="1 is loaded first: the last stop's")
    stop_id: UUID
    stop_position: int
    job_id: UUID
    carton_id: UUID
    sscc: str
    order_number: str
    customer_name: str
    weight_g: int | None
    goods: list[str] = Field(description=GOODS)
    place_code: str | None
    state: str
    loaded_at: datetime | None
    loaded_by: str | None


class Manifest(Out):
    route_id: UUID
    number: str
    state: RouteState
    vehicle_code: str
    plate: str
    shipment_id: UUID | None
    door_code: str | None
    starts_at: datetime
    total: int
    loaded: int
    complete: bool
    next_sscc: str | None = Field(description="What is best loaded next")
    cartons: list[ManifestCarton]


@router.get("/delivery-routes/{route_id}/manifest", response_model=Manifest)
def get_manifest(route_id: UUID, conn: Db, site: Site) -> Manifest:
    """In loading order: what is delivered last goes in first."""
    return Manifest.model_validate(load.manifest(conn, site, route_id))


class RouteLoadScan(BaseModel):
    code: Scan = Field(description="The carton's SSCC")
    door: Scan | None = Field(default=None, description="The door's code, where none is planned")


@router.post("/delivery-routes/{route_id}/load", response_model=Manifest, dependencies=[LOADS])
def load_route(route_id: UUID, body: RouteLoadScan, conn: Db, ctx: Ctx) -> Manifest:
    """A parcel of another route is 409 `wrong-vehicle` with `expected` and `seen`; nothing moves, it is recorded."""
    return Manifest.model_validate(load.load(conn, ctx, route_id, body.code, body.door))


class RouteDeparture(BaseModel):
    anyway: bool = Field(default=False, description="A lead or dispatcher: although cartons stay behind")
    reason: Text = Field(default="", description="Needed with `anyway`")
    occurred_at: AwareDatetime | None = None


@router.post(
    "/delivery-routes/{route_id}/depart",
    response_model=DriverRoute,
    dependencies=[allow("worker", "driver", "dispatcher")],
)
def depart_route(route_id: UUID, body: RouteDeparture, conn: Db, ctx: Ctx, who: Who) -> DriverRoute:
    """What is loaded is in transit now. 409 with `not_loaded` while the manifest is not complete."""
    if not who.may("worker", "dispatcher"):
        own_route(conn, ctx, who, route_id)
    load.depart(
        conn,
        ctx,
        route_id,
        anyway=body.anyway,
        reason=body.reason,
        may_anyway=who.may("lead", "dispatcher"),
        occurred_at=body.occurred_at,
    )
    return _shown(conn, ctx, route_id)


# --- at the customer's door -------------------------------------------------------------------------------


class Arrival(BaseModel):
    lat: Lat | None = None
    lon: Lon | None = None
    occurred_at: AwareDatetime | None = Field(
        default=None, description="When it was, where the phone was offline"
    )


@router.post("/delivery-stops/{stop_id}/arrive", response_model=DriverRoute, dependencies=[DRIVES])
def arrive_at_stop(stop_id: UUID, body: Arrival, conn: Db, ctx: Ctx, who: Who) -> DriverRoute:
    """By hand, where the geofence has not said it yet. Twice is once."""
    _own_stop(conn, ctx, who, stop_id)
    r = road.arrive(conn, ctx, stop_id, occurred_at=body.occurred_at)
    return _shown(conn, ctx, r.id)


class Moment(BaseModel):
    occurred_at: AwareDatetime | None = Field(
        default=None, description="When it was, where the phone was offline"
    )


@router.post("/delivery-stops/{stop_id}/go-on", response_model=DriverRoute, dependencies=[DRIVES])
def go_on_after_break(stop_id: UUID, body: Moment, conn: Db, ctx: Ctx, who: Who) -> DriverRoute:
    """The break is over: the next customer sees the van again. Twice is once."""
    _own_stop(conn, ctx, who, stop_id)
    r = road.go_on(conn, ctx, stop_id, occurred_at=body.occurred_at)
    return _shown(conn, ctx, r.id)


class Photo(BaseModel):
    type: Literal["image/jpeg", "image/png", "image/webp"]
    base64: Annotated[str, Field(min_length=8, max_length=1_600_000, pattern=r"^[A-Za-z0-9+/=\r\n]+$")]


class DeliveredPiece(BaseModel):
    item_id: UUID
    lot: Annotated[str, Field(max_length=60)] | None = None
    serial: Annotated[str, Field(max_length=60)] | None = None
    quantity: Annotated[Quantity, Field(ge=0, lt=10**11)]


class DeliveredCarton(BaseModel):
    sscc: Scan
    delivered: Literal["all", "none"] | Annotated[list[DeliveredPiece], Field(max_length=200)] = Field(
        default="all", description="What was handed over; pieces that are not named stay aboard"
    )
    reason: Text = Field(default="", description="Why not all of it")


class HandOver(BaseModel):
    receiver_name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    signature_svg: Annotated[str, Field(max_length=400_000)] | None = Field(
        default=None, description="Only its path data is kept"
    )
    photo: Photo | None = None
    lines: Annotated[list[DeliveredCarton], Field(max_length=500)] = Field(
        default_factory=list, description="Every carton of the stop, or none: then all were handed over"
    )
    scanned: Annotated[list[Scan], Field(max_length=1000)] = Field(default_factory=list)
    note: Text = ""
    lat: Lat | None = None
    lon: Lon | None = None
    occurred_at: AwareDatetime | None = None


class ProofLine(Out):
    carton_id: UUID
    sscc: str
    item_id: UUID
    sku: str
    name: str
    unit: str
    lot: str | None
    serial: str | None
    aboard: Quantity
    delivered: Quantity
    reason: str
    scanned: bool


class Proof(Out):
    """What happened at a customer's door. Never changed."""

    id: UUID
    job_id: UUID
    job_number: str
    attempt: int
    order_id: UUID
    order_number: str
    external_number: str
    customer_name: str
    route_id: UUID | None
    route_number: str | None
    stop_id: UUID | None
    outcome: Outcome
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    receiver_name: str
    reason: str
    lat: float | None
    lon: float | None
    signature_svg: str | None
    photo_type: str | None = Field(description="Where there is a photo: GET .../photo")
    lines: list[ProofLine]


@router.post(
    "/delivery-stops/{stop_id}/deliver", response_model=Proof, status_code=201, dependencies=[DRIVES]
)
def deliver_at_stop(stop_id: UUID, body: HandOver, conn: Db, ctx: Ctx, who: Who) -> Proof:
    """Handed over, whole or in part. 409 `more-than-aboard` where it says more than the van has."""
    _own_stop(conn, ctx, who, stop_id)
    cartons = [_handed_over(line) for line in body.lines]
    evidence = proof.Evidence(
        receiver_name=body.receiver_name,
        signature_svg=body.signature_svg,
        photo=_photo(body.photo),
        scanned=tuple(body.scanned),
        note=body.note,
        lat=body.lat,
        lon=body.lon,
        occurred_at=body.occurred_at,
    )
    return _proof(conn, ctx.site_id, proof.deliver(conn, ctx, stop_id, cartons, evidence))


class Failure(BaseModel):
    outcome: Literal["refused", "nobody_there"]
    reason: Reason
    photo: Photo | None = None
    lat: Lat | None = None
    lon: Lon | None = None
    occurred_at: AwareDatetime | None = None


@router.post("/delivery-stops/{stop_id}/fail", response_model=Proof, status_code=201, dependencies=[DRIVES])
def fail_at_stop(stop_id: UUID, body: Failure, conn: Db, ctx: Ctx, who: Who) -> Proof:
    """Refused as a whole, or nobody there: the goods stay aboard and come back."""
    _own_stop(conn, ctx, who, stop_id)
    evidence = proof.Evidence(
        photo=_photo(body.photo), lat=body.lat, lon=body.lon, occurred_at=body.occurred_at
    )
    return _proof(conn, ctx.site_id, proof.fail(conn, ctx, stop_id, body.outcome, body.reason, evidence))


# --- coming back ------------------------------------------------------------------------------------------


class TakeOverScan(BaseModel):
    code: Scan
    occurred_at: AwareDatetime | None = None


@router.post("/delivery-stops/{stop_id}/take-over", response_model=DriverRoute, dependencies=[DRIVES])
def take_over_at_stop(stop_id: UUID, body: TakeOverScan, conn: Db, ctx: Ctx, who: Who) -> DriverRoute:
    """A carton from the van that broke down, scanned onto this one."""
    _own_stop(conn, ctx, who, stop_id)
    then = replace(ctx, now=road.moment(ctx, body.occurred_at, None))
    r = come_back.take_over(conn, then, stop_id, body.code)
    return _shown(conn, ctx, r.id)


class UnloadedScan(BaseModel):
    code: Scan = Field(description="The carton's SSCC, or an item's code where single pieces came back")
    quantity: Annotated[Quantity, Field(gt=0, lt=10**11)] | None = Field(
        default=None, description="Of an item; left out: all of it that is aboard"
    )
    place: Scan | None = Field(default=None, description="Where it goes; left out: quarantine, or staging")


class Unloaded(Out):
    sscc: str
    place_code: str
    outcome: Outcome | None
    next_job_id: UUID | None = Field(description="The further attempt, once all of it is back")
    route: DriverRoute


@router.post("/delivery-routes/{route_id}/unload", response_model=Unloaded, dependencies=[LOADS])
def unload_route(route_id: UUID, body: UnloadedScan, conn: Db, ctx: Ctx) -> Unloaded:
    """Refused goods go to quarantine; what met nobody stands ready for a further attempt."""
    done = come_back.unload(conn, ctx, route_id, body.code, quantity=body.quantity, place=body.place)
    return Unloaded.model_validate({**done.__dict__, "route": _shown(conn, ctx, route_id)})


class RouteEnd(BaseModel):
    anyway: bool = Field(
        default=False,
        description="A lead or dispatcher: something the van should still have is not in it; it is written off to be found",
    )
    reason: Text = ""


@router.post("/delivery-routes/{route_id}/finish", response_model=DriverRoute, dependencies=[LOADS])
def finish_route(route_id: UUID, body: RouteEnd, conn: Db, ctx: Ctx, who: Who) -> DriverRoute:
    """Nothing is aboard any more and no stop is open. 409 with `aboard` and `open_stops` where that is not so."""
    if not who.may("worker", "dispatcher"):
        own_route(conn, ctx, who, route_id)
    come_back.finish(
        conn,
        ctx,
        route_id,
        anyway=body.anyway,
        reason=body.reason,
        may_anyway=who.may("lead", "dispatcher"),
    )
    return _shown(conn, ctx, route_id)


# --- proofs, events, tracks -------------------------------------------------------------------------------


@router.get("/delivery-proofs", response_model=Page[Proof], dependencies=[READS_PROOFS])
def list_delivery_proofs(
    conn: Db,
    site: Site,
    who: Who,
    job_id: UUID | None = None,
    order_id: UUID | None = None,
    route_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Proof]:
    """The newest first. Drivers see those of their own routes."""
    before = uuid_cursor(cursor)
    driver_id = None if who.may("lead", "dispatcher", "integrator") else who.user_id
    rows = proof.proofs(
        conn,
        """ and (%s::uuid is null or p.job_id = %s) and (%s::uuid is null or j.order_id = %s)
            and (%s::uuid is null or s.route_id = %s) and (%s::uuid is null or h.driver_id = %s)
            and (%s::uuid is null or p.id < %s) order by p.id desc limit %s""",
        [
            site,
            job_id,
            job_id,
            order_id,
            order_id,
            route_id,
            route_id,
            driver_id,
            driver_id,
            before,
            before,
            limit + 1,
        ],
    )
    return page_of(rows, limit, lambda p: [p.id], Proof.model_validate)


@router.get("/delivery-proofs/{proof_id}", response_model=Proof, dependencies=[READS_PROOFS])
def get_delivery_proof(proof_id: UUID, conn: Db, site: Site, who: Who) -> Proof:
    _may_read(conn, site, who, proof_id)
    return _proof(conn, site, proof_id)


@router.get(
    "/delivery-proofs/{proof_id}/photo",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}}},
    dependencies=[READS_PROOFS],
)
def get_delivery_photo(proof_id: UUID, conn: Db, site: Site, who: Who) -> Response:
    _may_read(conn, site, who, proof_id)
    found = proof.photo(conn, site, proof_id)
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"}
    return Response(found.data, media_type=found.type, headers=headers)


class DeliveryEvent(Out):
    id: UUID
    route_id: UUID | None
    job_id: UUID | None
    at: datetime
    actor: str
    what: str
    detail: str
    evidence: dict[str, Any]


@router.get("/delivery-events", response_model=Page[DeliveryEvent])
def list_delivery_events(
    conn: Db,
    site: Site,
    route_id: UUID | None = None,
    job_id: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DeliveryEvent]:
    """The newest first."""
    rows = road_views.events(
        conn, site, route_id=route_id, job_id=job_id, before=uuid_cursor(cursor), limit=limit + 1
    )
    return page_of(rows, limit, lambda e: [e.id], DeliveryEvent.model_validate)


class TrackPoint(Out):
    at: datetime
    lat: float
    lon: float
    speed_kmh: float | None
    after_gap: bool = Field(
        description="Nothing was heard for two minutes or more before it: draw no line from the point before"
    )


class TrackStop(Out):
    stop_id: UUID
    position: int
    lat: float
    lon: float
    planned_arrival_at: datetime
    arrived_at: datetime | None
    left_at: datetime | None


class VehicleTrack(Out):
    """A route as planned, and as driven."""

    route_id: UUID
    vehicle_id: UUID
    planned: list[tuple[float, float]] = Field(description="[lon, lat] along the road")
    estimated: bool
    planned_m: int
    driven: list[TrackPoint] = Field(
        description="Oldest first, without the points that lie on the way between their neighbours at their time (6 m)"
    )
    driven_m: int = Field(description="Along these points; straight over what was not heard")
    stops: list[TrackStop]


@router.get("/vehicle-tracks", response_model=VehicleTrack)
def get_vehicle_track(conn: Db, ctx: Ctx, route_id: UUID) -> VehicleTrack:
    """Nothing is driven before the departure. A vehicle without a receiver has no track."""
    return VehicleTrack.model_validate(road_views.track(conn, ctx, route_id))


# --- the customer's link ----------------------------------------------------------------------------------


class TrackingLink(Out):
    """The token is shown once; only its hash is kept."""

    url: str
    token: str
    expires_at: datetime | None = Field(description="None: until the delivery is over")


@router.post(
    "/delivery-jobs/{delivery_job_id}/tracking-link",
    response_model=TrackingLink,
    status_code=201,
    dependencies=[allow("lead", "dispatcher", "integrator")],
)
def make_tracking_link(delivery_job_id: UUID, conn: Db, ctx: Ctx, request: Request) -> TrackingLink:
    link = tracking.make_link(conn, ctx, delivery_job_id, asked_at=str(request.base_url))
    return TrackingLink(url=link.url, token=link.token, expires_at=link.expires_at)


class TrackingVehicle(Out):
    lat: float
    lon: float
    at: datetime
    stale: bool


class TrackingPoint(Out):
    lat: float
    lon: float


class Tracking(Out):
    """What a customer may know of their own delivery, and nothing of anybody else's."""

    state: Literal["planned", "on_the_way", "next", "arrived", "delivered", "partly_delivered", "refused", "nobody_there",
                   "cancelled"]  # fmt: skip
    window_from: datetime
    window_until: datetime
    eta_from: datetime | None
    eta_until: datetime | None
    eta_is_estimate: bool
    late: bool
    stops_before: int | None = Field(description="Once it is under way")
    vehicle: TrackingVehicle | None = Field(description="Only while it is on the way to this customer")
    destination: TrackingPoint | None
    outcome: Outcome | None
    outcome_at: datetime | None
    expires_at: datetime | None
    time_zone: str = Field(description="Of the site: the times at the customer's door are told in it")


@open_router.get("/tracking/{token}", response_model=Tracking)
def follow_delivery(token: Annotated[str, Field(max_length=200)], conn: Db, request: Request) -> Response:
    """No log-in. 404: no such link; 410: the delivery is over."""
    try:
        found = tracking.follow(conn, token, datetime.now(UTC))
    except NotFound:
        guesses.wrong(request.client.host if request.client else "")
        raise
    return Response(
        Tracking.model_validate(found).model_dump_json(by_alias=True),
        media_type="application/json",
        headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"},
    )
