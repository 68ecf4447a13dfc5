"""Many people at once, for a while, on scarce stock: whatever they do, the books stay right and nothing is left over."""

from __future__ import annotations

import random
import threading
from decimal import Decimal
from uuid import UUID

import pytest

from backend import ledger, orders, packing, picking, shipping
from backend.context import Context
from backend.db import Conn, connect, in_transaction
from backend.errors import Refused
from tests.backend.orders.flow import new_order
from tests.conftest import Warehouse, put_stock

SKUS = ("TEA-250", "MILK-1L", "DRILL-X")
UNFINISHED = ("open", "allocated", "picking", "packed", "loaded")


def some_order(c: Conn, w: Warehouse, dice: random.Random) -> UUID | None:
    rows = c.execute(
        "select id from sales_order where state = any(%s) order by id", [list(UNFINISHED)]
    ).fetchall()
    return dice.choice(rows)[0] if rows else None


def accept(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    lines = [(sku, str(dice.randint(1, 4))) for sku in dice.sample(SKUS, dice.randint(1, 3))]
    orders.accept(c, ctx, new_order(w, *lines, priority=dice.randint(1, 9)))


def cancel(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    if (order_id := some_order(c, w, dice)) is not None:
        orders.cancel(c, ctx, order_id, "dice")


def change(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    if (order_id := some_order(c, w, dice)) is not None:
        line = dice.choice(orders.order(c, w.site_id, order_id).lines)
        orders.change_line(c, ctx, order_id, line.id, Decimal(dice.randint(0, 5)), line.version)


def pick(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    t = picking.next_task(c, ctx)
    if t is not None:
        quantity = Decimal(dice.randint(1, int(t.remaining)))
        picking.confirm(
            c, ctx, t.id, place=t.place_code, code=t.serial or t.sku, lot=t.lot_code, quantity=quantity
        )


def short(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    t = picking.next_task(c, ctx)
    if t is not None and dice.random() < 0.3:
        picking.short(c, ctx, t.id, "empty")
        orders.unblock_bin(c, ctx, t.place_id, t.item_id)


def pack(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    order_id = some_order(c, w, dice)
    if order_id is None:
        return
    box = packing.open_carton(c, ctx, order_id, w.places["BENCH-1"])
    for line in orders.order(c, w.site_id, order_id).lines:
        for r in ledger.reservations_of(c, "order_line", line.id):
            if r.place_id == w.places["STAGE-OUT"]:
                lot = c.execute("select code from lot where id = %s", [r.lot_id]).fetchone()
                packing.pack(
                    c, ctx, box.id, line.sku, r.quantity, lot=lot[0] if lot else None, serial=r.serial
                )
    box = packing.close_carton(c, ctx, box.id, override_reason="no scale", may_override=True)
    row = c.execute(
        "select shipment_id from shipment_order where order_id = %s and current", [order_id]
    ).fetchone()
    assert row is not None
    if dice.random() < 0.8:
        shipping.load(c, ctx, row[0], box.sscc, "DOCK-2")
    if dice.random() < 0.7:
        shipping.depart(c, ctx, row[0], anyway=True)


DEEDS = [accept, accept, cancel, change, pick, pick, pick, short, pack, pack]


@pytest.mark.parametrize("seed", [1, 2])
def test_many_people_at_once_leave_books_that_are_right(
    database_url: str, conn: Conn, warehouse: Warehouse, seed: int
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "25")
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "15")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "20", lot="L1", expires_on="2099-01-01")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "20", lot="L2", expires_on="2099-02-01")
    for n in range(12):
        put_stock(conn, warehouse, "DRILL-X", "A-02-1", "1", serial=f"S{n}")
    faults: list[BaseException] = []
    done: dict[str, int] = {}

    def work(name: str) -> None:
        dice = random.Random(f"{seed}-{name}")
        ctx_of = lambda: warehouse.ctx(f"user:{name}")  # noqa: E731
        with connect(database_url, autocommit=True) as c:
            for _ in range(25):
                deed = dice.choice(DEEDS)
                try:
                    in_transaction(c, lambda d=deed: d(c, warehouse, ctx_of(), dice), tries=10)  # type: ignore[misc]
                    done[deed.__name__] = done.get(deed.__name__, 0) + 1
                except Refused:
                    pass
                except Exception as e:  # noqa: BLE001
                    faults.append(e)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert faults == []
    assert set(done) == {d.__name__ for d in DEEDS}, "every deed was done at least once"
    assert ledger.verify(conn) == []
    _promises_are_what_orders_ask_for(conn)
    _tasks_are_what_is_promised_on_shelves(conn)
    _what_left_is_what_orders_say(conn)


def _promises_are_what_orders_ask_for(conn: Conn) -> None:
    over = conn.execute("select count(*) from order_line_progress where waiting < 0").fetchone()
    assert over == (0,)
    ghosts = conn.execute(
        """select count(*) from reservation r join sales_order_line l on l.id = r.demand_id join sales_order o on o.id = l.order_id
           where r.closed_at is null and o.state in ('cancelled', 'shipped')"""
    ).fetchone()
    assert ghosts == (0,)


def _tasks_are_what_is_promised_on_shelves(conn: Conn) -> None:
    differ = conn.execute(
        """select count(*) from (select r.id, r.quantity from reservation r join place p on p.id = r.place_id
                  and p.kind = 'bin' where r.closed_at is null and r.demand_kind = 'order_line') r
           full join (select reservation_id, quantity - picked as left from pick_task where state in ('open', 'claimed')) t
                on t.reservation_id = r.id where r.quantity is distinct from t.left"""
    ).fetchone()
    assert differ == (0,)


def _what_left_is_what_orders_say(conn: Conn) -> None:
    shipped = conn.execute("select coalesce(sum(shipped), 0) from sales_order_line").fetchone()
    left = conn.execute(
        "select coalesce(sum(quantity), 0) from movement where cause_kind = 'shipment'"
    ).fetchone()
    assert shipped == left
    packed = conn.execute(
        """select coalesce(sum(n.quantity), 0) from carton_content n join carton c on c.id = n.carton_id where c.state = 'shipped'"""
    ).fetchone()
    assert packed == shipped
