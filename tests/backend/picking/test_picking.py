"""A pick task follows its promise, is one worker's, and only the right thing is picked."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest

from backend import ledger, orders, picking
from backend.context import Context
from backend.db import Conn, connect
from backend.errors import Conflict, Invalid
from backend.ids import new_id
from backend.orders import Order
from backend.picking import PickTask, WrongPick
from backend.picking.claim import NotYours
from tests.backend.orders.flow import accept, again, on_hand, reserved, stages
from tests.conftest import Api, Warehouse, put_stock

TEA = "06412345000012"


def open_tasks(conn: Conn, w: Warehouse, o: Order | None = None) -> list[PickTask]:
    found = picking.tasks_where(
        conn, " and t.state in ('open', 'claimed') order by t.sequence, t.id", [w.site_id]
    )
    return [t for t in found if o is None or t.order_id == o.id]


def tote(conn: Conn, w: Warehouse, code: str) -> str:
    conn.execute(
        "insert into license_plate (id, site_id, code, kind) values (%s, %s, %s, 'tote')",
        [new_id(), w.site_id, code],
    )
    return code


def pick(conn: Conn, ctx: Context, t: PickTask, code: str = TEA, **more: object) -> picking.Picked:
    with conn.transaction():
        return picking.confirm(conn, ctx, t.id, place=str(more.pop("place", t.place_code)), code=code, **more)  # type: ignore[arg-type]


def test_a_pick_moves_goods_into_the_tote_and_keeps_them_promised(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "4"))
    (t,) = open_tasks(conn, warehouse)
    done = pick(conn, warehouse.ctx(), t, quantity=Decimal(4), tote=tote(conn, warehouse, "T-1"))
    assert (done.task.state, done.zero_check) == ("done", False)
    assert stages(again(conn, warehouse, o)) == {"picked": 4}
    assert again(conn, warehouse, o).state == "picking"
    assert on_hand(conn, warehouse, "TEA-250", "STAGE-OUT") == 4
    assert ledger.on_plate(
        conn,
        warehouse.site_id,
        ledger.rows_at(conn, warehouse.site_id, warehouse.places["STAGE-OUT"])[0].license_plate_id,
    )  # type: ignore[arg-type]
    assert ledger.verify(conn) == []


def test_scans_count_up_one_at_a_time_and_a_case_is_its_content(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    accept(conn, warehouse, ("TEA-250", "14"))
    ctx = warehouse.ctx()
    (t,) = open_tasks(conn, warehouse)
    assert pick(conn, ctx, t).task.remaining == 13
    assert pick(conn, ctx, t, "16412345000019").task.remaining == 1
    with pytest.raises(Invalid, match="more than that"):
        pick(conn, ctx, t, "16412345000019")
    assert pick(conn, ctx, t).task.state == "done"
    assert ledger.verify(conn) == []


@pytest.mark.parametrize(
    ("place", "code", "what", "expected", "seen"),
    [("A-01-2", TEA, "place", "A-01-1", "A-01-2"), ("NOWHERE", TEA, "place", "A-01-1", "NOWHERE"),
     ("A-01-1", "06412345000029", "item", "TEA-250", "06412345000029"), ("A-01-1", "garbage", "item", "TEA-250", "garbage")],
)  # fmt: skip
def test_a_wrong_scan_changes_nothing_and_is_recorded(
    conn: Conn, warehouse: Warehouse, api: Api, place: str, code: str, what: str, expected: str, seen: str
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "4"))
    (t,) = open_tasks(conn, warehouse)
    answer = api.post(f"/api/v1/pick-tasks/{t.id}/confirm", json={"place": place, "code": code})
    assert answer.status_code == 409
    body = answer.json()
    assert (body["type"], body["what"], body["expected"], body["seen"]) == (
        "/problems/wrong-pick",
        what,
        expected,
        seen,
    )
    (mismatch,) = api.get("/api/v1/pick-mismatches").json()["items"]
    assert (mismatch["task_id"], mismatch["expected"], mismatch["seen"]) == (str(t.id), expected, seen)
    assert (mismatch["order_number"], mismatch["sku"], mismatch["place_code"]) == (
        t.order_number,
        "TEA-250",
        "A-01-1",
    )
    of = [
        api.get("/api/v1/pick-mismatches", params={"actor": a}).json()["items"]
        for a in (mismatch["actor"], "user:nobody")
    ]
    assert [len(found) for found in of] == [1, 0]
    assert stages(again(conn, warehouse, o)) == {"allocated": 4}
    assert ledger.verify(conn) == []


def test_two_pickers_get_two_tasks_and_never_the_same(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    for place in ("A-01-1", "A-01-2", "A-02-1"):
        put_stock(conn, warehouse, "TEA-250", place, "1")
    accept(conn, warehouse, ("TEA-250", "3"))
    got: list[PickTask | None] = []

    def claim(name: str) -> None:
        with connect(database_url) as c, c.transaction():
            got.append(picking.next_task(c, warehouse.ctx(f"user:{name}")))

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed = [t.id for t in got if t is not None]
    assert len(claimed) == len(set(claimed)) == 3


def test_one_of_two_workers_confirming_one_task_is_told_who_does_it(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    (t,) = open_tasks(conn, warehouse)
    outcomes: list[str] = []

    def confirm(name: str) -> None:
        with connect(database_url) as c:
            try:
                pick(c, warehouse.ctx(f"user:{name}"), t, quantity=Decimal(4))
                outcomes.append("picked")
            except Conflict as e:
                outcomes.append(type(e).__name__)

    threads = [threading.Thread(target=confirm, args=(n,)) for n in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Conflict", "picked"]
    assert on_hand(conn, warehouse, "TEA-250", "STAGE-OUT") == 4
    assert ledger.verify(conn) == []


def test_a_claimed_task_is_kept_resumed_and_given_back_after_idling(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    ann, bob = warehouse.ctx("user:ann"), warehouse.ctx("user:bob")
    with conn.transaction():
        mine = picking.next_task(conn, ann)
        assert mine is not None
        assert picking.next_task(conn, bob) is None
        again_mine = picking.next_task(conn, ann)
    assert again_mine is not None
    assert again_mine.id == mine.id
    with pytest.raises(NotYours, match="ann"):
        pick(conn, bob, mine)
    later = Context("user:bob", warehouse.site_id, bob.now + picking.IDLE + timedelta(seconds=1), "c")
    with conn.transaction():
        taken = picking.next_task(conn, later)
    assert taken is not None
    assert taken.claimed_by == "user:bob"


def test_a_skipped_task_goes_to_the_end(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "1")
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "1")
    accept(conn, warehouse, ("TEA-250", "2"))
    ctx = warehouse.ctx()
    with conn.transaction():
        first = picking.next_task(conn, ctx)
        assert first is not None
        picking.skip(conn, ctx, first.id, "forklift in the way")
        second = picking.next_task(conn, ctx)
    assert second is not None
    assert second.id != first.id
    pick(conn, ctx, second)
    with conn.transaction():
        back = picking.next_task(conn, ctx)
    assert back is not None
    assert back.id == first.id


def test_a_short_pick_sends_the_bin_to_the_count_and_the_worker_to_the_next_bin(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "5")
    put_stock(conn, warehouse, "TEA-250", "A-02-1", "3")
    o = accept(conn, warehouse, ("TEA-250", "5"))
    ctx = warehouse.ctx()
    (t,) = open_tasks(conn, warehouse)
    pick(conn, ctx, t, quantity=Decimal(1))
    with conn.transaction():
        result = picking.short(conn, ctx, t.id, "too_few")
    assert result.next is not None
    assert (result.next.place_code, result.next.quantity, result.next.claimed_by) == ("A-02-1", 3, ctx.actor)
    assert result.missing == 1
    assert stages(again(conn, warehouse, o)) == {"waiting": 1, "allocated": 3, "picked": 1}
    row = conn.execute("select kind, expected, observed, place_id from discrepancy").fetchall()
    assert row == [("short_pick", 4, 0, warehouse.places["A-01-1"])]
    assert conn.execute("select count(*) from count_task").fetchone() == (1,)
    later = accept(conn, warehouse, ("TEA-250", "2"))
    assert stages(later) == {"waiting": 2}, "the doubtful bin is not promised to anybody"
    assert ledger.verify(conn) == []


def test_a_bin_that_empties_is_looked_into(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "2")
    accept(conn, warehouse, ("TEA-250", "2"))
    (t,) = open_tasks(conn, warehouse)
    ctx = warehouse.ctx()
    assert pick(conn, ctx, t, quantity=Decimal(2)).zero_check
    with conn.transaction():
        assert picking.answer_zero_check(conn, ctx, t.id, Decimal(3)).zero_check == "not_empty"
    assert conn.execute("select kind, expected, observed from discrepancy").fetchall() == [
        ("zero_check", 0, 3)
    ]
    with pytest.raises(Conflict), conn.transaction():
        picking.answer_zero_check(conn, ctx, t.id, Decimal(0))


def test_another_serial_from_the_same_bin_takes_the_place_of_the_named_one(
    conn: Conn, warehouse: Warehouse
) -> None:
    for s in ("S1", "S2", "S3"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=s)
    first, second = accept(conn, warehouse, ("DRILL-X", "1")), accept(conn, warehouse, ("DRILL-X", "1"))
    ctx = warehouse.ctx()
    (t,) = open_tasks(conn, warehouse, first)
    (other,) = open_tasks(conn, warehouse, second)
    assert {t.serial, other.serial} == {"S1", "S2"}
    free = pick(conn, ctx, t, "S3")  # nobody's
    assert free.task.serial == "S3"
    assert free.task.state == "done"
    assert stages(again(conn, warehouse, first)) == {"picked": 1}
    assert ledger.verify(conn) == []
    with pytest.raises(WrongPick, match="S9"):
        pick(conn, ctx, other, "06412345000036", serial="S9")
    with pytest.raises(Invalid, match="scan the one"):
        pick(conn, ctx, other, "06412345000036")


def test_two_orders_swap_serials_that_were_promised_the_other_way_round(
    conn: Conn, warehouse: Warehouse
) -> None:
    for s in ("S1", "S2"):
        put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial=s)
    first, second = accept(conn, warehouse, ("DRILL-X", "1")), accept(conn, warehouse, ("DRILL-X", "1"))
    ctx = warehouse.ctx()
    (t,), (u,) = open_tasks(conn, warehouse, first), open_tasks(conn, warehouse, second)
    assert u.serial is not None
    pick(conn, ctx, t, u.serial)
    (left,) = open_tasks(conn, warehouse, second)
    assert left.serial == t.serial
    assert t.serial is not None
    pick(conn, ctx, left, t.serial)
    assert [stages(again(conn, warehouse, o)) for o in (first, second)] == [{"picked": 1}] * 2
    assert ledger.verify(conn) == []


def test_a_later_lot_is_refused_unless_the_worker_says_so(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "4", lot="SOON", expires_on="2099-01-01")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "4", lot="LATE", expires_on="2099-06-01")
    o = accept(conn, warehouse, ("MILK-1L", "4"))
    (t,) = open_tasks(conn, warehouse)
    assert t.lot_code == "SOON"
    ctx = warehouse.ctx()
    with pytest.raises(Invalid, match="several lots"):
        pick(conn, ctx, t, "06412345000029", quantity=Decimal(1))
    with pytest.raises(WrongPick, match="expires first"):
        pick(conn, ctx, t, "06412345000029", quantity=Decimal(1), lot="LATE")
    pick(conn, ctx, t, "06412345000029", quantity=Decimal(1), lot="SOON")
    swapped = pick(conn, ctx, t, "06412345000029", quantity=Decimal(2), lot="LATE", change_lot=True)
    assert (swapped.task.lot_code, swapped.task.state) == ("LATE", "done")
    (left,) = open_tasks(conn, warehouse)
    assert (left.lot_code, left.remaining) == ("SOON", 1)
    assert stages(again(conn, warehouse, o)) == {"allocated": 1, "picked": 3}
    assert ledger.verify(conn) == []


def test_a_tote_holds_the_goods_of_one_order(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    first, second = accept(conn, warehouse, ("TEA-250", "1")), accept(conn, warehouse, ("TEA-250", "1"))
    ctx, code = warehouse.ctx(), tote(conn, warehouse, "T-1")
    (t,), (u,) = open_tasks(conn, warehouse, first), open_tasks(conn, warehouse, second)
    pick(conn, ctx, t, tote=code)
    with pytest.raises(WrongPick, match="something else"):
        pick(conn, ctx, u, tote=code)
    with pytest.raises(WrongPick, match="no tote"):
        pick(conn, ctx, u, tote="A-01-1")
    pick(conn, ctx, u, tote=tote(conn, warehouse, "T-2"))


def test_cancelling_while_picking_brings_the_picked_goods_back_and_leaves_no_ghost(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "6"))
    (t,) = open_tasks(conn, warehouse)
    ctx = warehouse.ctx()
    pick(conn, ctx, t, quantity=Decimal(2), tote=tote(conn, warehouse, "T-1"))
    failures: list[BaseException] = []

    def run(what: object) -> None:
        try:
            with connect(database_url) as c, c.transaction():
                what(c)  # type: ignore[operator]
        except Conflict:
            pass
        except Exception as e:  # noqa: BLE001
            failures.append(e)

    threads = [
        threading.Thread(
            target=run, args=(lambda c: orders.cancel(c, warehouse.ctx(), o.id, "changed his mind"),)
        ),
        threading.Thread(
            target=run,
            args=(lambda c: picking.confirm(c, ctx, t.id, place="A-01-1", code=TEA, quantity=Decimal(1)),),
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert again(conn, warehouse, o).state == "cancelled"
    assert open_tasks(conn, warehouse) == []
    assert reserved(conn, warehouse, "TEA-250") == 0
    standing = on_hand(conn, warehouse, "TEA-250", "STAGE-OUT")
    assert standing in (2, 3)
    assert conn.execute("select sum(quantity) from putaway_task where state = 'open'").fetchone() == (
        standing,
    )
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") + standing == 10
    with pytest.raises(Conflict, match=r"cancelled|done"):
        pick(conn, ctx, t)
    assert ledger.verify(conn) == []


def test_less_of_a_line_that_is_picked_goes_back_by_a_task(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "6"))
    (t,) = open_tasks(conn, warehouse)
    pick(conn, warehouse.ctx(), t, quantity=Decimal(4))
    with conn.transaction():
        orders.change_line(conn, warehouse.ctx(), o.id, o.lines[0].id, Decimal(3), 1)
    assert stages(again(conn, warehouse, o)) == {"picked": 3}
    assert open_tasks(conn, warehouse) == []
    assert conn.execute("select quantity from putaway_task where state = 'open'").fetchall() == [(1,)]
    assert ledger.verify(conn) == []


def test_a_wave_is_one_walk_over_several_orders(conn: Conn, warehouse: Warehouse, api: Api) -> None:
    for place in ("A-01-1", "A-01-2", "A-02-1"):
        put_stock(conn, warehouse, "TEA-250", place, "2")
    made = [accept(conn, warehouse, ("TEA-250", "3")), accept(conn, warehouse, ("TEA-250", "3"))]
    answer = api.post("/api/v1/waves", json={"order_ids": [str(o.id) for o in made]})
    assert answer.status_code == 201, answer.text
    wave = answer.json()
    assert (wave["orders"], wave["tasks"], wave["state"]) == (2, 4, "open")
    walked = api.get("/api/v1/pick-tasks", params={"wave_id": wave["id"], "limit": 3}).json()
    rest = api.get(
        "/api/v1/pick-tasks", params={"wave_id": wave["id"], "cursor": walked["next_cursor"]}
    ).json()
    codes = [t["place_code"] for t in walked["items"] + rest["items"]]
    assert codes == ["A-01-1", "A-01-2", "A-01-2", "A-02-1"]
    assert api.post("/api/v1/waves", json={"order_ids": [str(made[0].id)]}).status_code == 409
    assert api.post("/api/v1/waves", json={}).status_code == 409
    while (t := api.post("/api/v1/pick-tasks/next", json={"wave_id": wave["id"]}).json()["task"]) is not None:
        picked = api.post(
            f"/api/v1/pick-tasks/{t['id']}/confirm",
            json={"place": t["place_code"], "code": t["gtin"], "quantity": t["remaining"]},
        )
        assert picked.status_code == 200, picked.text
    assert api.get(f"/api/v1/waves/{wave['id']}").json()["state"] == "done"
    assert [w["number"] for w in api.get("/api/v1/waves").json()["items"]] == [wave["number"]]
    assert ledger.verify(conn) == []


def test_a_pick_sent_twice_moves_stock_once(conn: Conn, warehouse: Warehouse, api: Api) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    (t,) = open_tasks(conn, warehouse)
    key = {"Idempotency-Key": str(new_id())}
    body = {"place": "A-01-1", "code": TEA}
    first = api.post(f"/api/v1/pick-tasks/{t.id}/confirm", json=body, headers=key)
    second = api.post(f"/api/v1/pick-tasks/{t.id}/confirm", json=body, headers=key)
    assert first.status_code == second.status_code == 200, first.text
    assert first.json() == second.json()
    assert on_hand(conn, warehouse, "TEA-250", "STAGE-OUT") == 1


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "0.5", "99"])
def test_a_quantity_that_cannot_be_picked_is_refused(
    conn: Conn, warehouse: Warehouse, api: Api, quantity: str
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    (t,) = open_tasks(conn, warehouse)
    answer = api.post(
        f"/api/v1/pick-tasks/{t.id}/confirm", json={"place": "A-01-1", "code": TEA, "quantity": quantity}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, "quantity")
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 10
