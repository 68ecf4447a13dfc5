"""Delivery vehicles: a place of kind `vehicle` with what it may carry (`goods` says which) and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.dispatch.settings import update_version
from backend.errors import Conflict, NotFound, Unknown, register
from backend.ids import new_id
from backend.live.announce import announce
from backend.picking.confirm import outbound_staging

register(
    {
        "delivery_vehicle_gps_once": (Conflict, "Another vehicle carries this GPS device already.", "gps_device"),
        "delivery_vehicle_pkey": (Conflict, "There is a vehicle with this code already.", "code"),
    }
)  # fmt: skip


@dataclass(frozen=True)
class DeliveryVehicle:
    id: UUID
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
    skills: list[str]
    gps_agent: str | None
    gps_device: str | None
    active: bool
    version: int


_VEHICLE = """
    select v.id, p.code, p.name, v.depot_id, d.code as depot_code, v.plate, v.max_weight_g, v.max_volume_ml, v.max_cartons,
           v.fixed_cost_cents, v.cost_per_km_cents, v.cost_per_h_cents, v.skills, v.gps_agent, v.gps_device, v.active, v.version
    from delivery_vehicle v join place p on p.id = v.id join depot d on d.site_id = v.site_id and d.id = v.depot_id
    where v.site_id = %s"""


def vehicles(conn: Conn, site_id: UUID) -> list[DeliveryVehicle]:
    with conn.cursor(row_factory=class_row(DeliveryVehicle)) as cur:
        return cur.execute(f"{_VEHICLE} order by v.active desc, p.code".encode(), [site_id]).fetchall()


def vehicle(conn: Conn, site_id: UUID, vehicle_id: UUID) -> DeliveryVehicle:
    """Raises NotFound."""
    with conn.cursor(row_factory=class_row(DeliveryVehicle)) as cur:
        found = cur.execute(f"{_VEHICLE} and v.id = %s".encode(), [site_id, vehicle_id]).fetchone()
    if found is None:
        raise NotFound("There is no such delivery vehicle at this site.", field="vehicle_id")
    return found


def create(
    conn: Conn, ctx: Context, *, code: str, name: str = "", depot_id: UUID, **fields: Any
) -> DeliveryVehicle:
    """With its place; a place of kind `vehicle` that has the code already is taken. Raises Conflict, Unknown."""
    _check_depot(conn, ctx, depot_id)
    place_id = _place(conn, ctx, code, name)
    conn.execute(
        """insert into delivery_vehicle (site_id, id, depot_id, plate, max_weight_g, max_volume_ml, max_cartons, fixed_cost_cents,
                                         cost_per_km_cents, cost_per_h_cents, skills, gps_agent, gps_device)
           values (%(site)s, %(id)s, %(depot)s, %(plate)s, %(max_weight_g)s, %(max_volume_ml)s, %(max_cartons)s,
                   %(fixed_cost_cents)s, %(cost_per_km_cents)s, %(cost_per_h_cents)s, %(skills)s, %(gps_agent)s, %(gps_device)s)""",
        {**_DEFAULTS, **fields, "site": ctx.site_id, "id": place_id, "depot": depot_id},
    )
    announce(conn, ctx.site_id, "deliveries", place_id)
    return vehicle(conn, ctx.site_id, place_id)


_DEFAULTS: dict[str, Any] = {
    "plate": "", "max_cartons": 1000, "fixed_cost_cents": 0, "cost_per_km_cents": 60, "cost_per_h_cents": 3500, "skills": [],
    "gps_agent": None, "gps_device": None,
}  # fmt: skip


def change(
    conn: Conn, ctx: Context, vehicle_id: UUID, version: int, changes: dict[str, Any]
) -> DeliveryVehicle:
    """Raises ChangedMeanwhile, Conflict (it is on the road), NotFound, Unknown."""
    conn.execute(
        "select 1 from delivery_vehicle where site_id = %s and id = %s for update", [ctx.site_id, vehicle_id]
    )
    present = vehicle(conn, ctx.site_id, vehicle_id)
    may_be_none = ("gps_agent", "gps_device")
    changes = {k: v for k, v in changes.items() if v is not None or k in may_be_none}
    if "depot_id" in changes:
        _check_depot(conn, ctx, changes["depot_id"])
    if changes.get("active") is False:
        _check_idle(conn, ctx, present)
    name = changes.pop("name", None)
    update_version(
        conn, ctx, "delivery_vehicle", vehicle_id, version, present, changes, f"vehicle {present.code}"
    )
    if name is not None and name != present.name:
        conn.execute("update place set name = %s, version = version + 1 where id = %s", [name, vehicle_id])
    announce(conn, ctx.site_id, "deliveries", vehicle_id)
    return vehicle(conn, ctx.site_id, vehicle_id)


def _check_depot(conn: Conn, ctx: Context, depot_id: UUID) -> None:
    row = conn.execute(
        "select active from depot where site_id = %s and id = %s", [ctx.site_id, depot_id]
    ).fetchone()
    if row is None or not row[0]:
        raise Unknown("There is no such depot at this site, or it is not used any more.", field="depot_id")


def _check_idle(conn: Conn, ctx: Context, v: DeliveryVehicle) -> None:
    row = conn.execute(
        """select number from delivery_route where site_id = %s and vehicle_id = %s
             and state in ('draft', 'released', 'loading', 'under_way', 'back') order by day limit 1""",
        [ctx.site_id, v.id],
    ).fetchone()
    if row is not None:
        raise Conflict(f"{v.code} has route {row[0]}; finish or cancel it first.", field="active")


def _place(conn: Conn, ctx: Context, code: str, name: str) -> UUID:
    """ERP sees goods on a vehicle at the depot where they were staged."""
    row = conn.execute(
        "select id, kind from place where site_id = %s and code = %s", [ctx.site_id, code]
    ).fetchone()
    if row is not None:
        if row[1] != "vehicle":
            raise Conflict(f"{code} is a {row[1].replace('_', ' ')} here already.", field="code")
        return UUID(str(row[0]))
    place_id = new_id()
    conn.execute(
        """insert into place (id, site_id, code, name, kind, erp_location)
           values (%s, %s, %s, %s, 'vehicle', (select place_erp_location(%s)))""",
        [place_id, ctx.site_id, code, name, outbound_staging(conn, ctx.site_id)],
    )
    announce(conn, ctx.site_id, "floor", place_id)
    return place_id
