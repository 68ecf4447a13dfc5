"""Depots: where vehicles load, start and end. The site has deliveries of its own from its first active depot on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.dispatch.locate import on_the_map
from backend.dispatch.settings import update_version
from backend.errors import Conflict, Invalid, NotFound, register
from backend.ids import new_id
from backend.live.announce import announce

register({"depot_code_unique": (Conflict, "The site has a depot with this code already.", "code")})


@dataclass(frozen=True)
class Depot:
    id: UUID
    code: str
    name: str
    address: str
    lat: float
    lon: float
    load_s: int
    active: bool
    version: int


_DEPOT = "select id, code, name, address, lat, lon, load_s, active, version from depot where site_id = %s"


def depots(conn: Conn, site_id: UUID) -> list[Depot]:
    with conn.cursor(row_factory=class_row(Depot)) as cur:
        return cur.execute(f"{_DEPOT} order by active desc, code".encode(), [site_id]).fetchall()


def depot(conn: Conn, site_id: UUID, depot_id: UUID) -> Depot:
    """Raises NotFound."""
    with conn.cursor(row_factory=class_row(Depot)) as cur:
        found = cur.execute(f"{_DEPOT} and id = %s".encode(), [site_id, depot_id]).fetchone()
    if found is None:
        raise NotFound("There is no such depot at this site.", field="depot_id")
    return found


def create(
    conn: Conn,
    ctx: Context,
    *,
    code: str,
    name: str,
    address: str = "",
    lat: float | None = None,
    lon: float | None = None,
    load_s: int = 600,
) -> Depot:
    """Raises Invalid where the map does not know the address, Conflict (a code that is there)."""
    lat, lon = _where(address, lat, lon)
    depot_id = new_id()
    conn.execute(
        "insert into depot (site_id, id, code, name, address, lat, lon, load_s) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [ctx.site_id, depot_id, code, name, address, lat, lon, load_s],
    )
    announce(conn, ctx.site_id, "deliveries", depot_id)
    return depot(conn, ctx.site_id, depot_id)


def change(conn: Conn, ctx: Context, depot_id: UUID, version: int, changes: dict[str, Any]) -> Depot:
    """Raises ChangedMeanwhile, Invalid, NotFound."""
    present = depot(conn, ctx.site_id, depot_id)
    changes = {k: v for k, v in changes.items() if v is not None}
    moved = changes.get("address", present.address) != present.address
    if moved and "lat" not in changes and "lon" not in changes:
        changes["lat"], changes["lon"] = _where(changes["address"], None, None)
    update_version(conn, ctx, "depot", depot_id, version, present, changes, f"depot {present.code}")
    announce(conn, ctx.site_id, "deliveries", depot_id)
    return depot(conn, ctx.site_id, depot_id)


def _where(address: str, lat: float | None, lon: float | None) -> tuple[float, float]:
    if (lat is None) != (lon is None):
        raise Invalid("Give lat and lon both, or none.", field="lat")
    if lat is not None and lon is not None:
        return lat, lon
    found = on_the_map(address)
    if found is None:
        raise Invalid(
            f"The map does not know {address!r} for sure; give lat and lon." if address else "Give lat and lon, or an address.",
            field="address",
        )  # fmt: skip
    return found.lat, found.lon
