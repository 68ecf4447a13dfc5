"""A shipment as it stands: its orders, their cartons and which of them are on the vehicle. Reads, and the locks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend.context import Context
from backend.db import Conn
from backend.errors import NotFound
from backend.ids import new_id


@dataclass(frozen=True)
class ShipmentOrder:
    shipment_id: UUID
    order_id: UUID
    number: str
    external_number: str
    customer_name: str
    state: str
    due_at: datetime


@dataclass(frozen=True)
class ShipmentCarton:
    """A carton of one of the orders, or one that has left with the shipment."""

    shipment_id: UUID
    carton_id: UUID
    sscc: str
    order_id: UUID
    order_number: str
    state: str
    place_code: str | None
    weight_g: Decimal | None
    loaded_at: datetime | None
    loaded_by: str | None
    confirmed_at: datetime | None


@dataclass(frozen=True)
class Shipment:
    id: UUID
    number: str
    state: str
    vehicle_id: UUID | None
    vehicle_code: str | None
    door_id: UUID | None
    door_code: str | None
    created_at: datetime
    created_by: str
    departed_at: datetime | None
    departed_by: str | None
    version: int
    orders: tuple[ShipmentOrder, ...] = field(default=())
    cartons: tuple[ShipmentCarton, ...] = field(default=())

    @property
    def is_over(self) -> bool:
        return self.state in ("departed", "cancelled")

    @property
    def there(self) -> UUID | None:
        """Where loaded cartons are by the books: on the vehicle, or at the door where no vehicle is named."""
        return self.vehicle_id or self.door_id

    @property
    def label(self) -> str:
        return f"{self.number} on {self.vehicle_code}" if self.vehicle_code else self.number


_HEAD = """
    select s.id, s.number, s.state, s.vehicle_id, v.code as vehicle_code, s.door_id, d.code as door_code, s.created_at, s.created_by,
           s.departed_at, s.departed_by, s.version
    from shipment s left join place v on v.id = s.vehicle_id left join place d on d.id = s.door_id
    where s.site_id = %s"""

_ORDERS = """
    select x.shipment_id, o.id as order_id, o.number, o.external_number, c.name as customer_name, o.state, o.due_at
    from shipment_order x join shipment s on s.id = x.shipment_id join sales_order o on o.id = x.order_id
         join partner c on c.id = o.customer_id
    where x.site_id = %s and x.shipment_id = any(%s) and (x.current or s.state = 'departed') order by o.due_at, o.number"""

_CARTONS = """
    select x.shipment_id, c.id as carton_id, lp.code as sscc, c.order_id, o.number as order_number, c.state, p.code as place_code,
           c.weight_g, l.loaded_at, l.loaded_by, l.confirmed_at
    from shipment_order x join carton c on c.site_id = x.site_id and c.order_id = x.order_id join sales_order o on o.id = c.order_id
         join license_plate lp on lp.id = c.id left join place p on p.id = lp.place_id
         left join shipment_carton l on l.site_id = c.site_id and l.carton_id = c.id and l.unloaded_at is null
    where x.site_id = %s and x.shipment_id = any(%s) and c.state <> 'cancelled'
      and (l.shipment_id = x.shipment_id or (l.shipment_id is null and x.current)) order by o.number, c.position"""


def shipments(conn: Conn, where: str, params: list[Any]) -> list[Shipment]:
    """`where` continues the query and is never input; `params` starts with the site."""
    with conn.cursor(row_factory=class_row(Shipment)) as cur:
        heads = cur.execute((_HEAD + where).encode(), params).fetchall()
    if not heads:
        return []
    site_id, ids = params[0], [h.id for h in heads]
    with conn.cursor(row_factory=class_row(ShipmentOrder)) as order_cur:
        orders = order_cur.execute(_ORDERS, [site_id, ids]).fetchall()
    with conn.cursor(row_factory=class_row(ShipmentCarton)) as carton_cur:
        cartons = carton_cur.execute(_CARTONS, [site_id, ids]).fetchall()
    return [
        Shipment(
            **{
                **h.__dict__,
                "orders": tuple(o for o in orders if o.shipment_id == h.id),
                "cartons": tuple(c for c in cartons if c.shipment_id == h.id),
            }
        )
        for h in heads
    ]


def shipment(conn: Conn, site_id: UUID, shipment_id: UUID) -> Shipment:
    """Raises NotFound, also for a shipment of another site."""
    found = shipments(conn, " and s.id = %s", [site_id, shipment_id])
    if not found:
        raise NotFound("There is no such shipment at this site.", field="shipment_id")
    return found[0]


def shipment_of_order(conn: Conn, site_id: UUID, order_id: UUID) -> Shipment | None:
    """The shipment the order is to leave with."""
    found = shipments(
        conn,
        """ and s.id = (select shipment_id from shipment_order where site_id = s.site_id and order_id = %s and current)""",
        [site_id, order_id],
    )
    return found[0] if found else None


def shipments_at(conn: Conn, site_id: UUID, door_id: UUID) -> list[Shipment]:
    """What is being loaded at a door, or is about to be."""
    return shipments(
        conn,
        " and s.door_id = %s and s.state in ('planned', 'loading') order by s.created_at, s.id",
        [site_id, door_id],
    )


def lock_orders(conn: Conn, site_id: UUID, order_ids: Collection[UUID]) -> None:
    """Orders first, in the order of their ids, as everywhere."""
    conn.execute(
        "select 1 from sales_order where site_id = %s and id = any(%s) order by id for update",
        [site_id, sorted(set(order_ids))],
    )


def lock_shipment(conn: Conn, site_id: UUID, shipment_id: UUID) -> Shipment:
    """The shipment, held until the transaction ends. Take the orders before it."""
    conn.execute("select 1 from shipment where site_id = %s and id = %s for update", [site_id, shipment_id])
    return shipment(conn, site_id, shipment_id)


def note(
    conn: Conn,
    ctx: Context,
    what: str,
    detail: str,
    *,
    shipment_id: UUID | None = None,
    door_id: UUID | None = None,
    code: str | None = None,
    expected: str | None = None,
    evidence: dict[str, Any] | None = None,
) -> None:
    """What happened at the door, refused things included."""
    conn.execute(
        """insert into shipment_event (site_id, id, shipment_id, door_id, at, actor, what, code, expected, detail, evidence)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, new_id(), shipment_id, door_id, ctx.now, ctx.actor, what, code and code[:500], expected, detail,
         Jsonb(evidence or {})],
    )  # fmt: skip
