"""A carton as it stands, with what it should weigh. Reads, and the lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import class_row

from backend.context import Context
from backend.db import Conn
from backend.errors import NotFound
from backend.ids import new_id

TOLERANCE_G = Decimal(20)
TOLERANCE_SHARE = Decimal("0.02")
"""A carton may differ by the larger of the two: goods and cardboard vary by some per cent, a missing piece by more."""


@dataclass(frozen=True)
class CartonContent:
    carton_id: UUID
    line_id: UUID
    position: int
    item_id: UUID
    sku: str
    item_name: str
    item_name_i18n: dict[str, Any]
    unit: str
    lot_id: UUID | None
    lot_code: str | None
    expires_on: date | None
    serial: str | None
    quantity: Decimal
    unit_weight_g: Decimal | None


@dataclass(frozen=True)
class Carton:
    """`sscc` is its license plate's code. `position`: the how manieth carton of its order."""

    id: UUID
    sscc: str
    order_id: UUID
    order_number: str
    position: int
    bench_id: UUID
    bench_code: str
    place_code: str | None
    state: str
    tare_g: Decimal
    weight_g: Decimal | None
    weighed_at: datetime | None
    weighed_by: str | None
    override_by: str | None
    override_reason: str | None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    version: int
    contents: tuple[CartonContent, ...] = field(default=())

    @property
    def expected_weight_g(self) -> Decimal | None:
        """None where the catalog does not know the weight of something inside."""
        weight = self.tare_g
        for c in self.contents:
            if c.unit_weight_g is None:
                return None
            weight += c.quantity * c.unit_weight_g
        return weight

    @property
    def tolerance_g(self) -> Decimal:
        expected = self.expected_weight_g
        return TOLERANCE_G if expected is None else max(TOLERANCE_G, round(expected * TOLERANCE_SHARE, 1))

    @property
    def weight_check(self) -> Literal["not_weighed", "good", "off", "cannot_say"]:
        expected = self.expected_weight_g
        if expected is None:
            return "cannot_say"
        if self.weight_g is None:
            return "not_weighed"
        return "good" if abs(self.weight_g - expected) <= self.tolerance_g else "off"


_CARTON = """
    select c.id, lp.code as sscc, c.order_id, o.number as order_number, c.position, c.bench_id, b.code as bench_code,
           p.code as place_code, c.state, c.tare_g, c.weight_g, c.weighed_at, c.weighed_by, c.override_by, c.override_reason,
           c.opened_at, c.opened_by, c.closed_at, c.version
    from carton c join license_plate lp on lp.id = c.id join sales_order o on o.id = c.order_id join place b on b.id = c.bench_id
         left join place p on p.id = lp.place_id
    where c.site_id = %s"""

_CONTENT = """
    select n.carton_id, n.line_id, l.position, n.item_id, i.sku, i.name as item_name, i.name_i18n as item_name_i18n, i.base_unit as unit, n.lot_id,
           t.code as lot_code, t.expires_on, n.serial, n.quantity, i.weight_g as unit_weight_g
    from carton_content n join sales_order_line l on l.id = n.line_id join item i on i.id = n.item_id
         left join lot t on t.id = n.lot_id
    where n.site_id = %s and n.carton_id = any(%s) order by n.carton_id, l.position, t.code, n.serial"""


def cartons(conn: Conn, where: str, params: list[Any]) -> list[Carton]:
    """`where` continues the query and is never input; `params` starts with the site."""
    with conn.cursor(row_factory=class_row(Carton)) as cur:
        heads = cur.execute((_CARTON + where).encode(), params).fetchall()
    if not heads:
        return []
    with conn.cursor(row_factory=class_row(CartonContent)) as content:
        inside = content.execute(_CONTENT, [params[0], [h.id for h in heads]]).fetchall()
    of_carton: dict[UUID, list[CartonContent]] = {}
    for n in inside:
        of_carton.setdefault(n.carton_id, []).append(n)
    return [Carton(**{**h.__dict__, "contents": tuple(of_carton.get(h.id, []))}) for h in heads]


def carton(conn: Conn, site_id: UUID, carton_id: UUID) -> Carton:
    """Raises NotFound, also for a carton of another site."""
    found = cartons(conn, " and c.id = %s", [site_id, carton_id])
    if not found:
        raise NotFound("There is no such carton at this site.", field="carton_id")
    return found[0]


def find_carton(conn: Conn, site_id: UUID, license_plate_id: UUID) -> Carton | None:
    """The carton that a license plate is, if it is one."""
    found = cartons(conn, " and c.id = %s", [site_id, license_plate_id])
    return found[0] if found else None


def cartons_of_order(conn: Conn, site_id: UUID, order_id: UUID) -> list[Carton]:
    return cartons(conn, " and c.order_id = %s order by c.position", [site_id, order_id])


def open_at_bench(conn: Conn, site_id: UUID, bench_id: UUID) -> Carton | None:
    found = cartons(conn, " and c.bench_id = %s and c.state = 'open'", [site_id, bench_id])
    return found[0] if found else None


def lock_carton(conn: Conn, site_id: UUID, carton_id: UUID) -> Carton:
    """The carton, held with its order (the order first, as everywhere) until the transaction ends."""
    order_id = carton(conn, site_id, carton_id).order_id
    conn.execute("select 1 from sales_order where site_id = %s and id = %s for update", [site_id, order_id])
    conn.execute("select 1 from carton where site_id = %s and id = %s for update", [site_id, carton_id])
    return carton(conn, site_id, carton_id)


def note(
    conn: Conn,
    ctx: Context,
    bench_id: UUID,
    what: str,
    detail: str,
    *,
    carton_id: UUID | None = None,
    code: str | None = None,
) -> None:
    """What happened at the bench, for its screen and for later."""
    conn.execute(
        """insert into bench_event (site_id, id, bench_id, carton_id, at, actor, what, code, detail)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, new_id(), bench_id, carton_id, ctx.now, ctx.actor, what, code and code[:500], detail],
    )
