"""Shipments over HTTP: what the dispatcher and the loader at the door ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from psycopg.rows import class_row
from pydantic import BaseModel, ConfigDict, Field

from backend import api, shipping
from backend.api import Ctx, Db, Quantity, Site, Who, allow
from backend.errors import Forbidden
from backend.handheld import Step, record_step
from backend.paging import Cursor, Limit, Page, page_of, uuid_cursor
from backend.shipping.shipment import Shipment as ShipmentRow
from backend.shipping.shipment import shipments
from backend.shipping.undo import places_of_cartons, undo_of

router = api.router(tags=["shipping"])

Scan = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
State = Literal["planned", "loading", "departed", "cancelled"]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ShipmentOrder(Out):
    order_id: UUID
    number: str
    external_number: str
    customer_name: str
    state: str
    due_at: datetime


class ShipmentCarton(Out):
    carton_id: UUID
    sscc: str
    order_id: UUID
    order_number: str
    state: str
    place_code: str | None
    weight_g: Quantity | None
    loaded_at: datetime | None
    loaded_by: str | None
    confirmed_at: datetime | None = Field(description="A portal saw it go out")


class Shipment(Out):
    id: UUID
    number: str
    state: State
    vehicle_id: UUID | None
    vehicle_code: str | None
    door_id: UUID | None
    door_code: str | None
    created_at: datetime
    created_by: str
    departed_at: datetime | None
    departed_by: str | None
    version: int
    orders: list[ShipmentOrder]
    cartons: list[ShipmentCarton]


def _shown(s: ShipmentRow) -> Shipment:
    return Shipment.model_validate(s)


@router.get("/shipments", response_model=Page[Shipment])
def list_shipments(
    conn: Db,
    site: Site,
    state: Annotated[list[State] | None, Query()] = None,
    door_id: UUID | None = None,
    order_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Shipment]:
    """The newest first."""
    before = uuid_cursor(cursor)
    rows = shipments(
        conn,
        """ and (%s::text[] is null or s.state = any(%s)) and (%s::uuid is null or s.door_id = %s)
            and (%s::uuid is null or exists (select 1 from shipment_order x where x.site_id = s.site_id
                 and x.shipment_id = s.id and x.order_id = %s and (x.current or s.state = 'departed')))
            and (%s::uuid is null or s.id < %s) order by s.id desc limit %s""",
        [site, state, state, door_id, door_id, order_id, order_id, before, before, limit + 1],
    )
    return page_of(rows, limit, lambda s: [s.id], _shown)


class NewShipment(BaseModel):
    """Several orders on one vehicle, or through one door; a packed order has a shipment of its own without this."""

    order_ids: Annotated[list[UUID], Field(min_length=1, max_length=200)]
    vehicle_id: UUID | None = None
    door_id: UUID | None = None


@router.post(
    "/shipments", response_model=Shipment, status_code=201, dependencies=[allow("lead", "dispatcher")]
)
def plan_shipment(body: NewShipment, conn: Db, ctx: Ctx) -> Shipment:
    return _shown(shipping.plan(conn, ctx, body.order_ids, vehicle_id=body.vehicle_id, door_id=body.door_id))


@router.get("/shipments/{shipment_id}", response_model=Shipment)
def get_shipment(shipment_id: UUID, conn: Db, site: Site) -> Shipment:
    return _shown(shipping.shipment(conn, site, shipment_id))


class ShipmentChange(BaseModel):
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    vehicle_id: UUID | None = None
    door_id: UUID | None = None


@router.patch("/shipments/{shipment_id}", response_model=Shipment, dependencies=[allow("lead", "dispatcher")])
def assign_shipment(shipment_id: UUID, body: ShipmentChange, conn: Db, ctx: Ctx) -> Shipment:
    """The vehicle and the door as they are to be, while nothing is loaded."""
    return _shown(
        shipping.assign(
            conn, ctx, shipment_id, body.version, vehicle_id=body.vehicle_id, door_id=body.door_id
        )
    )


class LoadScan(BaseModel):
    code: Scan = Field(description="The carton's SSCC")
    door: Scan | None = Field(default=None, description="The door's code; needed once where none is planned")


@router.post(
    "/shipments/{shipment_id}/load", response_model=Shipment, dependencies=[allow("worker", "dispatcher")]
)
def load_carton(shipment_id: UUID, body: LoadScan, conn: Db, ctx: Ctx) -> Shipment:
    """A carton of another vehicle is 409 with `expected`; nothing moves, the mismatch is recorded."""
    before = shipping.shipment(conn, ctx.site_id, shipment_id)
    stood = places_of_cartons(conn, ctx.site_id, [x.carton_id for x in before.cartons])
    after = shipping.load(conn, ctx, shipment_id, body.code, body.door)
    loaded = {x.carton_id: x for x in after.cartons if x.loaded_at is not None}
    for x in before.cartons:
        if x.loaded_at is None and x.carton_id in loaded:
            label = f"{x.sscc} -> {after.door_code or after.vehicle_code}"
            record_step(
                conn, ctx, Step("load", label, undo_of(before, after, x.carton_id, stood.get(x.carton_id)))
            )
    return _shown(after)


class UnloadScan(BaseModel):
    code: Scan


@router.post(
    "/shipments/{shipment_id}/unload", response_model=Shipment, dependencies=[allow("worker", "dispatcher")]
)
def unload_carton(shipment_id: UUID, body: UnloadScan, conn: Db, ctx: Ctx) -> Shipment:
    return _shown(shipping.unload(conn, ctx, shipment_id, body.code))


class Departure(BaseModel):
    anyway: bool = Field(
        default=False,
        description="A lead or dispatcher: although cartons stay behind, or strays are on the vehicle",
    )


@router.post(
    "/shipments/{shipment_id}/depart", response_model=Shipment, dependencies=[allow("worker", "dispatcher")]
)
def depart_shipment(shipment_id: UUID, body: Departure, conn: Db, ctx: Ctx, who: Who) -> Shipment:
    """The goods issue: what is loaded is the customer's now; what stayed waits for the next shipment."""
    if body.anyway and not who.may("lead", "dispatcher"):
        raise Forbidden("Only a lead or dispatcher lets an incomplete shipment leave.", field="anyway")
    return _shown(shipping.depart(conn, ctx, shipment_id, anyway=body.anyway))


@dataclass(frozen=True)
class _EventRow:
    id: UUID
    shipment_id: UUID | None
    door_code: str | None
    at: datetime
    actor: str
    what: str
    code: str | None
    expected: str | None
    detail: str
    evidence: dict[str, Any]


class ShipmentEvent(Out):
    """Loaded, unloaded, confirmed by a portal, refused at the door, stray, departed."""

    id: UUID
    shipment_id: UUID | None
    door_code: str | None
    at: datetime
    actor: str
    what: str
    code: str | None
    expected: str | None
    detail: str
    evidence: dict[str, Any]


@router.get("/shipment-events", response_model=Page[ShipmentEvent])
def list_shipment_events(
    conn: Db, site: Site, shipment_id: UUID | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[ShipmentEvent]:
    """The newest first."""
    before = uuid_cursor(cursor)
    with conn.cursor(row_factory=class_row(_EventRow)) as cur:
        rows = cur.execute(
            """select e.id, e.shipment_id, d.code as door_code, e.at, e.actor, e.what, e.code, e.expected, e.detail, e.evidence
               from shipment_event e left join place d on d.id = e.door_id
               where e.site_id = %s and (%s::uuid is null or e.shipment_id = %s) and (%s::uuid is null or e.id < %s)
               order by e.id desc limit %s""",
            [site, shipment_id, shipment_id, before, before, limit + 1],
        ).fetchall()
    return page_of(rows, limit, lambda e: [e.id], ShipmentEvent.model_validate)
