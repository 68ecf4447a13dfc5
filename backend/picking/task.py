"""A pick task with the words a picker needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn
from backend.errors import NotFound


@dataclass(frozen=True)
class PickTask:
    """Quantities in base units; `remaining` is what is still to be taken from this bin."""

    id: UUID
    order_id: UUID
    order_number: str
    line_id: UUID
    wave_id: UUID | None
    reservation_id: UUID
    place_id: UUID
    place_code: str
    item_id: UUID
    sku: str
    item_name: str
    item_name_i18n: dict[str, Any]
    unit: str
    gtin: str | None
    lot_id: UUID | None
    lot_code: str | None
    expires_on: date | None
    serial: str | None
    license_plate_id: UUID | None
    license_plate_code: str | None
    quantity: Decimal
    picked: Decimal
    sequence: int
    state: str
    claimed_by: str | None
    touched_at: datetime | None
    skip_reason: str | None
    short_reason: str | None
    zero_check: str | None
    due_at: datetime
    priority: int
    created_at: datetime
    done_at: datetime | None
    version: int

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.picked if self.state in ("open", "claimed") else Decimal(0)


SELECT = """
    select t.id, t.order_id, o.number as order_number, t.line_id, t.wave_id, t.reservation_id, t.place_id, p.code as place_code,
           t.item_id, i.sku, i.name as item_name, i.name_i18n as item_name_i18n, i.base_unit as unit,
           (select k.gtin from item_pack k where k.item_id = i.id and k.units = 1 and k.gtin is not null limit 1) as gtin,
           t.lot_id, l.code as lot_code, l.expires_on, t.serial, t.license_plate_id, lp.code as license_plate_code,
           t.quantity, t.picked, t.sequence, t.state, t.claimed_by, t.touched_at, t.skip_reason, t.short_reason, t.zero_check,
           o.due_at, o.priority, t.created_at, t.done_at, t.version
    from pick_task t join sales_order o on o.id = t.order_id join place p on p.id = t.place_id join item i on i.id = t.item_id
         left join lot l on l.id = t.lot_id left join license_plate lp on lp.id = t.license_plate_id
    where t.site_id = %s"""


def tasks_where(conn: Conn, where: str, params: list[Any]) -> list[PickTask]:
    """`where` continues the query and is never input; `params` starts with the site."""
    with conn.cursor(row_factory=class_row(PickTask)) as cur:
        return cur.execute((SELECT + where).encode(), params).fetchall()


def task(conn: Conn, site_id: UUID, task_id: UUID) -> PickTask:
    """Raises NotFound, also for a task of another site."""
    found = tasks_where(conn, " and t.id = %s", [site_id, task_id])
    if not found:
        raise NotFound("There is no such pick task at this site.", field="task_id")
    return found[0]


def lock_task(conn: Conn, site_id: UUID, task_id: UUID) -> PickTask:
    """The task, held with its order (the order first, as everywhere) until the transaction ends."""
    order_id = task(conn, site_id, task_id).order_id
    conn.execute("select 1 from sales_order where site_id = %s and id = %s for update", [site_id, order_id])
    conn.execute("select 1 from pick_task where site_id = %s and id = %s for update", [site_id, task_id])
    return task(conn, site_id, task_id)
