"""The whole house at once: trucks, portals, people, counts, customers and jobs on the same scarce stock, from seeded dice.

Whatever they do and however they interleave: stock is conserved, promises and tasks agree, documents say what the ledger
says, and what was observed (a portal, a count) is never refused. Another seed is another day: `STOWAGE_TEST_SEEDS=3,4,5`.
"""

from __future__ import annotations

import os
import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from backend import counting, ledger, orders, receiving, returns, shipping, transfers
from backend.catalog.tags import NewPlate, create_plate
from backend.catalog.tags.plates import PlateContent
from backend.context import Context
from backend.counting import counts
from backend.db import Conn, connect, in_transaction
from backend.errors import Refused, from_database
from backend.handheld import undo_last
from backend.ids import new_id
from backend.putaway import confirm as put_away
from backend.receiving import NewReceipt, NewScan
from backend.returns import NewReturn, ReturnLine
from edge.messages import Event, TagPassage, TagsPassed, encode_data
from tests.backend.orders import test_many_at_once as people
from tests.backend.orders.flow import let_jobs_run
from tests.backend.receiving_goods import Portal, passed, unit_tag
from tests.conftest import Warehouse, build_warehouse, put_stock

SEEDS = [int(s) for s in os.environ.get("STOWAGE_TEST_SEEDS", "1,2").split(",")]
BINS = ("A-01-1", "A-01-2", "A-02-1", "C-01-1", "C-01-2")
Deed = Callable[[Conn, Warehouse, Context, random.Random], None]
SERIALS = 40


def some(c: Conn, dice: random.Random, query: str, params: list[Any]) -> Any:
    rows = c.execute(query.encode(), params).fetchall()
    return dice.choice(rows) if rows else None


def receive(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    receipt = receiving.open_receipt(c, ctx, NewReceipt(w.places["DOCK-1"]))
    for _ in range(dice.randint(1, 3)):
        scan = dice.choice([
            NewScan("TEA-250", Decimal(dice.randint(1, 6))),
            NewScan("16412345000019"),
            NewScan("MILK-1L", Decimal(3), lot=dice.choice(["L1", "L2"])),
            NewScan("DRILL-X", serial=str(dice.randint(1, SERIALS))),
        ])  # fmt: skip
        receiving.scan(c, ctx, receipt.id, scan)
    if dice.random() < 0.8:
        receiving.close_receipt(c, ctx, receipt.id)


def truck(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    tags = [unit_tag("TEA-250", dice.randint(1, 200)) for _ in range(3)]
    tags += [unit_tag("DRILL-X", dice.randint(1, SERIALS)) for _ in range(2)]
    direction = "in" if dice.random() < 0.8 else "out"
    door = w.places[dice.choice(["DOCK-1", "DOCK-2"])]
    passed(c, ctx, door, dict.fromkeys(tags), direction=direction, portal=f"p-{door}")


def thief(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    """Out through the shipping door: cartons, pallets, single pieces, whatever anybody shipped."""
    tags = [unit_tag("DRILL-X", dice.randint(1, SERIALS)), unit_tag("TEA-250", dice.randint(1, 200))]
    plate = some(
        c, dice, "select t.epc from tag t join license_plate p on p.id = t.license_plate_id where p.site_id = %s", [w.site_id]
    )  # fmt: skip
    if plate is not None and dice.random() < 0.6:
        tags.append(plate[0])
    at = datetime.now(UTC)
    data = TagsPassed(
        portal="out", passage_id=new_id().hex, direction="out" if dice.random() < 0.8 else "in",
        tags=[TagPassage(epc=e, confidence=0.9, reads=5, first_at=at, last_at=at) for e in dict.fromkeys(tags)],
        strays=[],
    )  # fmt: skip
    event = Event(
        seq=1, device="out", type="tags_passed", occurred_at=at, correlation_id=ctx.correlation_id, data=encode_data(data)
    )  # fmt: skip
    shipping.on_tags_passed(c, ctx, Portal("out", w.places["DOCK-2"]), event, data)  # type: ignore[arg-type]


def shelve(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    task = some(
        c, dice, """select t.id, p.code from putaway_task t join place p on p.id = t.proposed_place_id
                    where t.site_id = %s and t.state in ('open', 'claimed')""", [w.site_id]
    )  # fmt: skip
    if task is not None:
        put_away(c, ctx, task[0], task[1] if dice.random() < 0.7 else dice.choice(BINS), override=True)


def palletise(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    place = w.places[dice.choice(BINS)]
    free = [r for r in ledger.rows_at(c, w.site_id, place) if r.free > 0 and r.license_plate_id is None]
    parent = some(c, dice, "select id from license_plate where site_id = %s and place_id = %s and kind = 'pallet'", [w.site_id, place])  # fmt: skip
    if free:
        r = dice.choice(free)
        content = PlateContent(r.item_id, Decimal(dice.randint(1, int(r.free))), r.lot_id, r.serial, r.status)
        kind, on = ("case", parent[0]) if parent and dice.random() < 0.5 else ("pallet", None)
        plate_id = create_plate(c, ctx, NewPlate(kind, None, place, on, (content,)))
        c.execute(
            "insert into tag (id, epc, license_plate_id) values (%s, %s, %s)",
            [new_id(), new_id().hex.upper()[-24:], plate_id],
        )


def carry(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    plate = some(c, dice, "select code from license_plate where site_id = %s", [w.site_id])
    to = dice.choice((*BINS, *BINS, "STAGE-OUT", "QUAR", "DOCK-1"))
    if plate is not None and dice.random() < 0.6:
        transfers.move_by_code(c, ctx, code=plate[0], to=to)
    else:
        transfers.move_by_code(
            c, ctx, code="TEA-250", from_=dice.choice(BINS), to=to, quantity=Decimal(dice.randint(1, 3))
        )


def count(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    """A count by dice: each thing is there, or a little less, or something else is there too."""
    task = some(c, dice, "select id, state from count_task where site_id = %s and state in ('open', 'recount', 'to_approve')", [w.site_id])  # fmt: skip
    if task is None or dice.random() < 0.3:
        task = (
            counting.open_count(c, ctx, w.places[dice.choice((*BINS, "STAGE-OUT", "QUAR"))], None, reason="dice"),
            "open",
        )  # fmt: skip
    if task[1] == "to_approve":
        counts.approve(c, ctx, task[0])
        return
    t = counts.count_task(c, ctx, task[0])
    skus = {v: k for k, v in w.items.items()}
    for r in ledger.rows_at(c, w.site_id, t.place_id, t.item_id):
        there = r.on_hand if dice.random() < 0.8 else max(Decimal(0), r.on_hand - dice.randint(0, 2))
        if r.serial is None and there > 0:
            counts.add_line(c, ctx, t.id, skus[r.item_id], there, r.lot_code, None)
        elif there > 0:
            counts.add_line(c, ctx, t.id, str(r.serial), None, None, None)
    if dice.random() < 0.3:
        serial = dice.randint(1, SERIALS)
        scan = f"(01)06412345000036(21){serial}" if dice.random() < 0.5 else "TEA-250"
        if t.item_id is None or skus[t.item_id] == ("DRILL-X" if scan.startswith("(") else "TEA-250"):
            counts.add_line(c, ctx, t.id, scan, Decimal(1), None, None)
    counts.submit(c, ctx, t.id)


def give_back(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    order = some(c, dice, "select id from sales_order where site_id = %s and state = 'shipped'", [w.site_id])
    if order is not None:
        line = dice.choice(orders.order(c, w.site_id, order[0]).lines)
        serial = some(c, dice, "select serial from movement where cause_kind = 'shipment' and item_id = %s and serial is not null", [line.item_id])  # fmt: skip
        back = ReturnLine("dice", dice.choice(["as_new", "damaged"]), line.item_id, quantity=Decimal(1),
                          lot="L1" if line.sku == "MILK-1L" else None, serial=serial[0] if serial else None)  # fmt: skip
        returns.receive_return(c, ctx, NewReturn((back,), order[0]))


def undo(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    undo_last(c, ctx)


def expire(c: Conn, w: Warehouse, ctx: Context, dice: random.Random) -> None:
    orders.reallocate_expired(c, ctx)


OBSERVED: list[Deed] = [truck, thief]
"""Never refused, whatever they saw."""
DEEDS: list[Deed] = [
    *people.DEEDS, receive, truck, truck, thief, shelve, shelve, shelve, palletise, carry, carry, count, count, give_back, undo, expire,
]  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_at_once_the_books_are_right(
    database_url: str, conn: Conn, warehouse: Warehouse, seed: int
) -> None:
    build_warehouse(conn, "TRE1")
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "25")
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "15")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "20", lot="L1", expires_on="2099-01-01")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "20", lot="L2", expires_on="2099-02-01")
    for n in range(1, 9):
        put_stock(conn, warehouse, "DRILL-X", "A-02-1", "1", serial=str(n))
    faults: list[str] = []
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    def work(name: str) -> None:
        dice = random.Random(f"{seed}-{name}")
        with connect(database_url, autocommit=True) as c:
            for _ in range(40):
                deed = dice.choice(DEEDS)

                def again(deed: Deed = deed) -> None:
                    deed(c, warehouse, warehouse.ctx(f"user:{name}"), dice)

                try:
                    in_transaction(c, again, tries=20)
                    done[deed.__name__] += 1
                except Refused as e:
                    refused[deed.__name__] += 1
                    if deed in OBSERVED:
                        faults.append(f"{deed.__name__} was refused: {e}")
                except psycopg.Error as e:
                    if from_database(e) is None or deed in OBSERVED:
                        faults.append(traceback.format_exc())
                except Exception:  # noqa: BLE001
                    faults.append(traceback.format_exc())
                if dice.random() < 0.2:
                    let_jobs_run(c)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert faults == [], "\n".join(faults[:3])
    assert ledger.verify(conn) == []
    for sentence, query in LAWS.items():
        assert conn.execute(query.encode()).fetchall() == [], sentence
    assert len(done) > len({d.__name__ for d in DEEDS}) - 4, (
        f"hardly anything was done: {done}, refused: {refused}"
    )


LAWS = {
    "nobody is promised more than was ordered": "select line_id, waiting from order_line_progress where waiting < 0",
    "no promise outlives its order": """
        select o.number from reservation r join sales_order_line l on l.id = r.demand_id join sales_order o on o.id = l.order_id
        where r.closed_at is null and o.state in ('cancelled', 'shipped')""",
    "promises on shelves and pick tasks are the same": """
        select r.id, r.quantity, t.left from (
            select r.id, r.quantity from reservation r join place p on p.id = r.place_id and p.kind in ('bin', 'zone', 'aisle')
            where r.closed_at is null and r.demand_kind = 'order_line') r
        full join (select reservation_id, quantity - picked as left from pick_task where state in ('open', 'claimed')) t
             on t.reservation_id = r.id where r.quantity is distinct from t.left""",
    "a task names the place of its promise": """
        select t.id from pick_task t join reservation r on r.id = t.reservation_id where t.state in ('open', 'claimed')
          and (t.place_id, t.item_id, t.lot_id, t.serial, t.license_plate_id)
              is distinct from (r.place_id, r.item_id, r.lot_id, r.serial, r.license_plate_id)""",
    "what left is what the orders say": """
        select 1 from (select coalesce(sum(shipped), 0) as q from sales_order_line) s,
             (select coalesce(sum(quantity), 0) as q from movement where cause_kind = 'shipment' and evidence ? 'order_line_id') m
        where s.q <> m.q""",
    "a plate stands where its contents are": """
        select lp.code from balance b join license_plate lp on lp.id = b.license_plate_id
        where b.on_hand > 0 and b.place_id is distinct from lp.place_id""",
    "a plate on a plate stands where that one stands": """
        select c.code from license_plate c join license_plate p on p.id = c.parent_id
        where exists (select 1 from balance b where b.license_plate_id = c.id and b.on_hand > 0)
          and c.place_id is distinct from p.place_id""",
    "what is in a carton is what was packed into it": """
        select coalesce(n.id, b.id) from (
            select carton_id as id, item_id, lot_id, serial, sum(quantity) as q from carton_content n
            join carton c on c.id = n.carton_id where c.state in ('open', 'closed', 'loaded') group by 1, 2, 3, 4) n
        full join (select c.id, b.item_id, b.lot_id, b.serial, sum(b.on_hand) as q from balance b join carton c on c.id = b.license_plate_id
                   where b.on_hand > 0 and c.state in ('open', 'closed', 'loaded') group by 1, 2, 3, 4) b
             on (n.id, n.item_id) = (b.id, b.item_id) and n.lot_id is not distinct from b.lot_id and n.serial is not distinct from b.serial
        where n.q is distinct from b.q""",
    "every movement that the ERP keeps has one posting": """
        select coalesce(m.id, p.id) from (select id from movement where posting = 'to_post') m
        full join posting p on p.id = m.id where m.id is null or p.id is null""",
    "a receipt counted what came in": """
        select coalesce(e.receipt_id, m.cause_id) from (
            select receipt_id, sum(quantity) as q from receipt_entry where reversed_at is null group by 1) e
        full join (select m.cause_id, sum(case when f.kind = 'supplier' then quantity else -quantity end) as q
                   from movement m join place f on f.id = m.from_place_id join place t on t.id = m.to_place_id
                   where m.cause_kind = 'receipt' and 'supplier' in (f.kind, t.kind) group by 1) m on m.cause_id = e.receipt_id
        where coalesce(e.q, 0) <> coalesce(m.q, 0)""",
    "nothing is booked at another site": """
        select 1 from balance b join place p on p.id = b.place_id where b.site_id <> p.site_id""",
}
"""Sentence -> query that finds what breaks it."""
