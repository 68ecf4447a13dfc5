"""Short ways to say what the order tests need: an order, its stock, where its goods are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from backend import ledger, orders
from backend.db import Conn, in_transaction
from backend.ids import new_id
from backend.orders import NewLine, NewOrder, Order
from backend.stock_changed import stock_changed
from tests.conftest import Warehouse

DUE = datetime(2027, 3, 1, 12, tzinfo=UTC)


def new_order(
    w: Warehouse,
    *lines: tuple[str, str],
    number: str | None = None,
    due_h: int = 0,
    source: str = "api",
    priority: int = 5,
) -> NewOrder:
    return NewOrder(
        source,  # type: ignore[arg-type]
        number or f"X-{new_id().hex[-8:]}",
        w.customer_id,
        DUE + timedelta(hours=due_h),
        [NewLine(w.items[sku], Decimal(quantity)) for sku, quantity in lines],
        priority,
    )


def accept(conn: Conn, w: Warehouse, *lines: tuple[str, str], **more: object) -> Order:
    with conn.transaction():
        return orders.accept(conn, w.ctx(), new_order(w, *lines, **more))  # type: ignore[arg-type]


def again(conn: Conn, w: Warehouse, o: Order | UUID) -> Order:
    return orders.order(conn, w.site_id, o if isinstance(o, UUID) else o.id)


def stages(o: Order, line: int = 0) -> dict[str, int]:
    """How the line's quantity is spread; zeros left out."""
    names = ("waiting", "allocated", "picked", "packed", "loaded", "shipped")
    return {n: int(getattr(o.lines[line], n)) for n in names if getattr(o.lines[line], n)}


def on_hand(conn: Conn, w: Warehouse, sku: str, place: str) -> Decimal:
    rows = ledger.rows_at(conn, w.site_id, w.places[place], w.items[sku])
    return sum((r.on_hand for r in rows), Decimal(0))


def reserved(conn: Conn, w: Warehouse, sku: str) -> Decimal:
    row = conn.execute(
        "select coalesce(sum(reserved), 0) from balance where item_id = %s", [w.items[sku]]
    ).fetchone()
    assert row is not None
    return Decimal(row[0])


def let_jobs_run(conn: Conn) -> None:
    """What the worker does after a commit: each waiting `stock_changed`, once."""
    rows = conn.execute(
        "delete from procrastinate_jobs where task_name = 'stock_changed' and status = 'todo' returning id, args"
    ).fetchall()
    for _, args in sorted(rows, key=lambda r: r[0]):
        in_transaction(conn, lambda a=args: stock_changed(conn, **a))  # type: ignore[misc]
