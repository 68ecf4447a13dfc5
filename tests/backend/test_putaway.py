"""Putaway: the right bin is proposed, a scan confirms it, another asks once, a forbidden one says why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from backend import ledger, putaway
from backend.db import Conn
from backend.putaway import Load
from tests.backend.receiving_goods import CASE, EACH, pallet_asn, passed, plate_tag, sscc, stock, unit_tag
from tests.conftest import Api, Warehouse, put_stock


def load(
    w: Warehouse, sku: str, quantity: str = "10", lot_id: UUID | None = None, status: str = "available"
) -> list[Load]:
    return [Load(w.items[sku], Decimal(quantity), lot_id, status)]


def proposed(conn: Conn, w: Warehouse, loads: list[Load]) -> list[str]:
    return [c.code for c in putaway.propose(conn, w.site_id, loads)]


def set_place(conn: Conn, w: Warehouse, code: str, **values: Any) -> None:
    for column, value in values.items():
        conn.execute(f"update place set {column} = %s where id = %s".encode(), [value, w.places[code]])


def why_not(conn: Conn, w: Warehouse, loads: list[Load], code: str) -> str:
    return " ".join(putaway.check_place(conn, w.site_id, loads, w.places[code]).forbidden)


def test_the_bin_that_holds_the_item_comes_first_then_the_nearest_empty_one(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-02-1", "3")
    assert proposed(conn, warehouse, load(warehouse, "TEA-250"))[0] == "A-02-1"
    assert set(proposed(conn, warehouse, load(warehouse, "TEA-250"))) == {"A-01-1", "A-01-2", "A-02-1"}
    for code, x in (("DOCK-1", 0), ("A-01-1", 90), ("A-01-2", 10), ("A-02-1", 60)):
        set_place(conn, warehouse, code, x_m=x, y_m=0)
    near = putaway.propose(
        conn, warehouse.site_id, load(warehouse, "DRILL-X"), from_place_id=warehouse.places["DOCK-1"]
    )
    assert [c.code for c in near] == ["A-01-2", "A-01-1", "A-02-1"]
    assert near[0].reasons == ["empty", "10 m away"]


def test_the_same_lot_is_better_than_the_same_item(conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="OLD", expires_on="2027-01-01")
    put_stock(conn, warehouse, "MILK-1L", "C-01-2", "5", lot="NEW", expires_on="2027-02-01")
    lot = conn.execute("select id from lot where code = 'NEW'").fetchone()
    assert lot is not None
    assert proposed(conn, warehouse, load(warehouse, "MILK-1L", lot_id=lot[0])) == ["C-01-2", "C-01-1"]


def test_temperature_hazard_mixing_and_capacity_forbid_in_words(conn: Conn, warehouse: Warehouse) -> None:
    w = warehouse
    put_stock(conn, w, "TEA-250", "A-01-1", "8")
    put_stock(conn, w, "MILK-1L", "C-01-1", "5", lot="L1", expires_on="2027-01-01")
    set_place(conn, w, "A-01-1", mixed_items=False, max_units=10)
    set_place(conn, w, "C-01-1", mixed_lots=False)
    set_place(conn, w, "A-02-1", storage_class="hazard")
    assert why_not(conn, w, load(w, "MILK-1L"), "A-01-2") == "MILK-1L needs chilled; A-01-2 is ambient."
    assert "hazardous goods stand apart" in why_not(conn, w, load(w, "TEA-250"), "A-02-1")
    assert (
        why_not(conn, w, load(w, "DRILL-X", "1"), "A-01-1") == "A-01-1 holds TEA-250 and takes one item only."
    )
    assert (
        why_not(conn, w, load(w, "TEA-250", "3"), "A-01-1") == "A-01-1 is full: it has room for 2, this is 3."
    )
    assert (
        why_not(conn, w, load(w, "MILK-1L"), "C-01-1")
        == "C-01-1 holds lot L1 of MILK-1L and takes one lot only."
    )
    assert why_not(conn, w, load(w, "TEA-250", status="damaged"), "A-01-2").endswith(
        "it goes to a quarantine place."
    )
    assert why_not(conn, w, load(w, "TEA-250"), "QUAR") == "QUAR is for blocked goods; these are available."
    assert (
        why_not(conn, w, load(w, "TEA-250"), "AMBIENT")
        == "AMBIENT does not hold stock itself; choose a bin in it."
    )
    assert why_not(conn, w, load(w, "TEA-250"), "DOCK-2") == "DOCK-2 is no storage place."
    assert proposed(conn, w, load(w, "TEA-250", status="damaged")) == ["QUAR"]


def test_what_is_on_its_way_to_a_bin_takes_its_room(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    for code in ("A-01-1", "A-01-2", "A-02-1"):
        set_place(conn, warehouse, code, max_units=20)
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2)])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(3)])
    tasks = api.get("/api/v1/putaway-tasks").json()["items"]
    assert len({t["proposed_place"] for t in tasks}) == 2


def received_case(conn: Conn, w: Warehouse, n: int = 2) -> str:
    pallet_asn(conn, w)
    passed(conn, w.ctx(), w.places["DOCK-1"], [plate_tag(n)])
    return sscc(n)


def test_a_scanned_plate_shows_its_task_and_the_scanned_bin_ends_it(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    code = received_case(conn, warehouse)
    api.as_user(conn, "wanda", ["worker"])
    task = api.get("/api/v1/putaway-tasks", params={"code": f"(00){code}"}).json()["items"][0]
    assert (task["what"], task["quantity"], task["from_place"]) == ("case TEA-250", "12", "DOCK-1")
    done = api.post(f"/api/v1/putaway-tasks/{task['id']}/confirm", json={"place": task["proposed_place"]})
    assert done.status_code == 200, done.text
    assert (done.json()["task"]["state"], done.json()["task"]["done_by"], done.json()["left"]) == (
        "done",
        "wanda",
        "0",
    )
    assert stock(conn, warehouse, task["proposed_place"]) == {"TEA-250": 12}
    moved = conn.execute(
        "select cause_kind, cause_id, posting from movement order by seq desc limit 1"
    ).fetchone()
    assert moved == ("putaway", UUID(task["id"]), "nothing")
    assert (
        api.post(f"/api/v1/putaway-tasks/{task['id']}/confirm", json={"place": "A-01-1"}).status_code == 409
    )
    assert ledger.verify(conn) == []


def test_another_bin_asks_once_and_a_forbidden_one_never_lets_in(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    received_case(conn, warehouse)
    task = api.get("/api/v1/putaway-tasks").json()["items"][0]
    url = f"/api/v1/putaway-tasks/{task['id']}/confirm"
    other = next(c for c in ("A-01-1", "A-01-2") if c != task["proposed_place"])
    asked = api.post(url, json={"place": other})
    assert (asked.status_code, asked.json()["override_possible"], asked.json()["seen"]) == (409, True, other)
    refused = api.post(url, json={"place": "C-01-1", "override": True})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/place-forbidden")
    assert (
        refused.json()["detail"]
        == f"TEA-250 needs ambient; C-01-1 is chilled. Take {task['proposed_place']}."
    )
    assert refused.json()["next"]["code"] == task["proposed_place"]
    for wrong in ("nowhere", EACH["TEA-250"]):
        answer = api.post(url, json={"place": wrong})
        assert (answer.status_code, answer.json()["field"]) == (422, "place")
        assert task["proposed_place"] in answer.json()["detail"]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 12}
    done = api.post(url, json={"place": other, "override": True, "reason": "closer"}).json()
    assert (done["task"]["overridden"], done["place"]) == (True, other)
    assert stock(conn, warehouse, other) == {"TEA-250": 12}


def test_a_claimed_task_shows_its_person_and_refuses_another(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    received_case(conn, warehouse)
    api.as_user(conn, "wanda", ["worker"])
    task = api.get("/api/v1/putaway-tasks").json()["items"][0]["id"]
    assert api.post(f"/api/v1/putaway-tasks/{task}/claim", json={}).json()["claimed_by"] == "wanda"
    api.as_user(conn, "wim", ["worker"])
    for path, body in (("claim", {}), ("confirm", {"place": "A-01-1"}), ("release", {})):
        refused = api.post(f"/api/v1/putaway-tasks/{task}/{path}", json=body)
        assert (refused.status_code, refused.json()["claimed_by"]) == (409, "wanda")
    api.as_user(conn, "lea", ["lead"])
    assert api.post(f"/api/v1/putaway-tasks/{task}/release", json={}).json()["state"] == "open"


def test_loose_goods_go_to_several_bins_part_by_part(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    receipt = api.post("/api/v1/receipts", json={"dock_door_id": str(warehouse.places["DOCK-1"])}).json()[
        "id"
    ]
    api.post(f"/api/v1/receipts/{receipt}/scans", json={"code": CASE["TEA-250"]})
    for n in ("1", "2"):
        api.post(f"/api/v1/receipts/{receipt}/scans", json={"code": EACH["DRILL-X"], "serial": n})
    api.post(f"/api/v1/receipts/{receipt}/close", json={})
    tasks = {t["what"].split()[0]: t for t in api.get("/api/v1/putaway-tasks").json()["items"]}
    tea = f"/api/v1/putaway-tasks/{tasks['TEA-250']['id']}/confirm"
    first = api.post(tea, json={"place": "A-01-1", "quantity": "5", "override": True}).json()
    assert (first["left"], first["task"]["state"]) == ("7", "open")
    assert (
        api.post(tea, json={"place": "A-01-2", "quantity": "8", "override": True}).json()["field"]
        == "quantity"
    )
    assert api.post(tea, json={"place": "A-01-2", "override": True}).json()["task"]["state"] == "done"
    drills = f"/api/v1/putaway-tasks/{tasks['DRILL-X']['id']}/confirm"
    assert api.post(drills, json={"place": "A-02-1", "override": True}).status_code == 200
    assert [stock(conn, warehouse, p) for p in ("A-01-1", "A-01-2", "A-02-1", "DOCK-1")] == [
        {"TEA-250": 5}, {"TEA-250": 7}, {"DRILL-X": 2}, {},
    ]  # fmt: skip


def test_two_people_confirming_the_same_task_move_it_once(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    received_case(conn, warehouse)
    task = api.get("/api/v1/putaway-tasks").json()["items"][0]
    url = f"/api/v1/putaway-tasks/{task['id']}/confirm"
    with ThreadPoolExecutor(4) as people:
        answers = list(
            people.map(lambda _: api.post(url, json={"place": task["proposed_place"]}).status_code, range(4))
        )
    assert sorted(answers) == [200, 409, 409, 409]
    assert stock(conn, warehouse, task["proposed_place"]) == {"TEA-250": 12}


def test_two_people_never_fill_the_last_room_of_a_bin_together(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    set_place(conn, warehouse, "A-01-1", max_units=12)
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2)])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(3)])
    tasks = [t["id"] for t in api.get("/api/v1/putaway-tasks").json()["items"]]
    assert len(tasks) == 2
    body = {"place": "A-01-1", "override": True}
    with ThreadPoolExecutor(2) as people:
        answers = list(
            people.map(lambda t: api.post(f"/api/v1/putaway-tasks/{t}/confirm", json=body).status_code, tasks)
        )
    assert sorted(answers) == [200, 409]
    assert stock(conn, warehouse, "A-01-1") == {"TEA-250": 12}


def test_a_case_read_before_its_pallet_is_put_away_with_the_pallet(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    conn.execute("update item set storage_class = 'ambient' where sku = 'MILK-1L'")
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2)])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), unit_tag("DRILL-X", 101)])
    tasks = api.get("/api/v1/putaway-tasks").json()["items"]
    assert [(t["license_plate"], t["quantity"]) for t in tasks] == [(sscc(1), "34")]
    by_case = api.get("/api/v1/putaway-tasks", params={"code": sscc(3)}).json()["items"]
    assert [t["id"] for t in by_case] == [tasks[0]["id"]]
    done = api.post(
        f"/api/v1/putaway-tasks/{tasks[0]['id']}/confirm", json={"place": tasks[0]["proposed_place"]}
    )
    assert done.status_code == 200
    assert api.get(f"/api/v1/license-plates/{sscc(3)}").json()["place"] == tasks[0]["proposed_place"]


def test_a_pallet_of_goods_that_must_stand_apart_is_put_away_case_by_case(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1)])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1)])
    tasks = {t["license_plate"]: t for t in api.get("/api/v1/putaway-tasks").json()["items"]}
    assert {code: t["what"] for code, t in tasks.items()} == {
        sscc(2): "case TEA-250", sscc(3): "case TEA-250", sscc(4): "case MILK-1L",
    }  # fmt: skip
    milk = tasks[sscc(4)]
    assert milk["proposed_place"].startswith("C-")
    url = f"/api/v1/putaway-tasks/{milk['id']}/confirm"
    assert "MILK-1L needs chilled" in api.post(url, json={"place": "A-01-1"}).json()["detail"]
    assert api.post(url, json={"place": milk["proposed_place"]}).status_code == 200
    assert api.get(f"/api/v1/license-plates/{sscc(4)}").json()["inside"] is None


def test_goods_that_no_bin_may_take_get_a_task_that_says_so(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    conn.execute("update place set active = false where kind = 'bin'")
    received_case(conn, warehouse)
    task = api.get("/api/v1/putaway-tasks").json()["items"][0]
    assert (task["proposed_place"], task["reasons"]) == (None, ["no bin may take this; ask a lead"])
    refused = api.post(f"/api/v1/putaway-tasks/{task['id']}/confirm", json={"place": "A-01-1"})
    assert refused.json()["detail"] == "A-01-1 is closed. Ask a lead: no bin may take this."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "item_id"),
        ({"code": EACH["TEA-250"]}, "quantity"),
        ({"item_id": str(UUID(int=1)), "quantity": "1"}, "item_id"),
        ({"code": EACH["TEA-250"], "quantity": "0"}, "quantity"),
    ],
)
def test_a_proposal_asks_for_what_it_needs(api: Api, body: dict[str, str], field: str) -> None:
    refused = api.post("/api/v1/putaway-proposals", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_a_proposal_answers_for_an_item_or_a_plate(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    code = received_case(conn, warehouse)
    for body in ({"code": code}, {"code": EACH["TEA-250"], "quantity": "3"}):
        found = api.post("/api/v1/putaway-proposals", json=body).json()["candidates"]
        assert {c["code"] for c in found} == {"A-01-1", "A-01-2", "A-02-1"}


def test_a_part_of_goods_kept_by_serial_says_which_ones(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    receipt = api.post("/api/v1/receipts", json={"dock_door_id": str(warehouse.places["DOCK-1"])}).json()[
        "id"
    ]
    for serial in ("S1", "S2", "S3"):
        api.post(f"/api/v1/receipts/{receipt}/scans", json={"code": EACH["DRILL-X"], "serial": serial})
    api.post(f"/api/v1/receipts/{receipt}/close", json={})
    url = f"/api/v1/putaway-tasks/{api.get('/api/v1/putaway-tasks').json()['items'][0]['id']}/confirm"
    vague = api.post(url, json={"place": "A-01-1", "quantity": "1", "override": True})
    assert (vague.status_code, vague.json()["field"]) == (422, "serials")
    wrong = api.post(url, json={"place": "A-01-1", "serials": ["S9"], "override": True})
    assert (wrong.status_code, wrong.json()["there"]) == (422, ["S1", "S2", "S3"])
    done = api.post(url, json={"place": "A-01-1", "serials": ["S2"], "override": True})
    assert (done.status_code, done.json()["left"]) == (200, "2"), done.text
    assert [r.serial for r in ledger.rows_at(conn, warehouse.site_id, warehouse.places["A-01-1"])] == ["S2"]
    assert api.post(url, json={"place": "A-01-2", "override": True}).json()["left"] == "0"
    assert ledger.verify(conn) == []
