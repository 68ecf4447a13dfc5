"""The handheld in a real browser against the real API: each job by keyboard-wedge scans, in both languages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from backend import ledger, shipping
from backend.db import Conn
from backend.ids import new_id
from backend.shipping.shipment import shipment_of_order
from tests.backend.orders.flow import accept, again, on_hand, stages
from tests.backend.receiving_goods import EXPIRY, pallet_asn, sscc, stock
from tests.chromium import intercept
from tests.conftest import Warehouse, put_stock
from tests.screens import handheld
from tests.screens.handheld import WATCH, Backend, Handheld, eventually, too_small

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TEA, TEA_CASE, MILK, MILK_CASE, DRILL = (
    "06412345000012",
    "16412345000019",
    "06412345000029",
    "16412345000026",
    "06412345000036",
)

if shots := os.environ.get("STOWAGE_TEST_SHOTS"):
    handheld.SHOTS = Path(shots)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 360, "height": 640}, has_touch=True, locale="en-GB")
    context.set_default_timeout(30_000)
    context.add_init_script(WATCH)
    yield context
    context.close()


@pytest.fixture
def worker(backend: Backend, context: BrowserContext) -> Iterator[Handheld]:
    """Wendy, logged in, with the list of jobs before her; no error may come up while she works."""
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on(
        "console",
        lambda m: (
            faults.append(m.text)
            if m.type == "error" and "status of 4" not in m.text and "ERR_" not in m.text
            else None
        ),
    )
    hand = Handheld(page, backend.base)
    hand.log_in("wendy")
    yield hand
    assert faults == []


def tote(conn: Conn, w: Warehouse, code: str) -> None:
    conn.execute(
        "insert into license_plate (id, site_id, code, kind) values (%s, %s, %s, 'tote')",
        [new_id(), w.site_id, code],
    )


def fits(hand: Handheld, name: str) -> None:
    hand.shot(name)
    assert too_small(hand.page) == [], name


def test_from_the_delivery_to_the_loaded_vehicle_by_scans_alone(
    worker: Handheld, backend: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, "ASN-77", door="DOCK-1")
    tote(conn, warehouse, "T-1")
    w = worker
    w.says("job-receive", "1")
    fits(w, "home")

    w.open("receive")
    w.expects("order")
    fits(w, "receive-choose")
    w.scan("ASN-77")
    fits(w, "receive-scan")
    w.scan("00" + sscc(1))  # the pallet: 24 tea and 10 milk
    assert w.text("amount").startswith("34 / 36")
    w.scan(f"01{DRILL}21S-1")  # a serial in the code
    w.scan(DRILL, tone="warn")  # without: asked once
    w.says("instruction", "serial")
    fits(w, "receive-ask")
    w.scan("S-2")
    assert w.text("amount").startswith("36 / 36")
    fits(w, "receive-done")
    w.press("action-close")
    fits(w, "receive-close")
    w.press("choice-close")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 2}

    w.open("putaway")
    fits(w, "putaway-choose")
    while conn.execute("select 1 from putaway_task where state = 'open'").fetchone():
        task = w.page.locator("[data-testid^=choice-]").first
        task.click()
        w.settled()
        fits(w, "putaway-bin")
        w.scan(w.page.get_by_test_id("target").locator("strong").inner_text())
    assert stock(conn, warehouse, "DOCK-1") == {}
    fits(w, "putaway-nothing")

    o = accept(conn, warehouse, ("TEA-250", "14"))
    w.open("pick")
    left = 14
    while left:
        w.expects("place")
        fits(w, "pick-place")
        w.scan(w.page.get_by_test_id("target").locator("strong").inner_text())
        w.expects("item")
        fits(w, "pick-item")
        w.scan(TEA)
        w.expects("tote")
        fits(w, "pick-tote")
        w.scan("T-1")
        left = stages(again(conn, warehouse, o)).get("allocated", 0)
        if w.page.get_by_test_id("choice-empty").count():
            fits(w, "pick-zero")
            w.press("choice-empty")
    w.says("instruction", "Nothing to pick")
    assert stages(again(conn, warehouse, o)) == {"picked": 14}

    w.open("pack")
    fits(w, "pack-order")
    w.scan("T-1")
    fits(w, "pack-item")
    w.scan(TEA_CASE)
    w.scan(TEA)
    w.scan(TEA)
    assert w.text("amount").startswith("14 / 14")
    (carton,) = backend.ask("GET", "/cartons")["items"]
    backend.ask(
        "POST", f"/cartons/{carton['id']}/weight", {"weight_g": str(14 * 280 + 250)}
    )  # as the scale does
    expect(w.page.get_by_text("4,170 / 4,170")).to_be_visible()
    w.says("instruction", "Close the carton")
    fits(w, "pack-close")
    w.press("action-close")
    w.says("target", carton["sscc"])
    fits(w, "pack-label")

    w.open("load")
    fits(w, "load-door")
    w.scan("DOCK-2")
    fits(w, "load-carton")
    w.scan("00" + carton["sscc"])
    w.says("instruction", "All loaded")
    fits(w, "load-complete")
    w.press("action-depart")
    assert stages(again(conn, warehouse, o)) == {"shipped": 14}
    assert ledger.verify(conn) == []


def test_ten_fast_scans_count_ten(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    worker.wedge(*[TEA] * 10)
    worker.settled()
    assert worker.text("amount").startswith("10")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 10}
    keys = conn.execute(
        "select count(distinct key) from idempotency_key where route like '%%/scans'"
    ).fetchone()
    assert keys == (10,)


def test_the_answer_stands_over_the_whole_screen(worker: Handheld) -> None:
    """How fast: `make bench FIGURE=scan`."""
    worker.open("receive")
    worker.scan("DOCK-1")
    worker.wedge(TEA)
    size = worker.page.get_by_test_id("answer").bounding_box()
    assert size is not None
    assert (size["width"], size["height"]) == (360, 640)


def test_a_wrong_scan_is_red_changes_nothing_and_says_what_was_expected(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    o = accept(conn, warehouse, ("TEA-250", "4"))
    worker.open("pick")
    worker.wedge("A-01-2")
    worker.page.wait_for_function("window.answers.length > 0")
    worker.shot("wrong-place-flash")
    worker.settled()
    assert worker.answers()[-1] == "bad"
    verdict = worker.page.get_by_test_id("verdict")
    expect(verdict.get_by_test_id("expected")).to_have_text("A-01-1")
    expect(verdict.get_by_test_id("seen")).to_have_text("A-01-2")
    worker.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(worker, "wrong-place")
    worker.scan("A-01-1")
    worker.scan(MILK, tone="bad")
    expect(verdict.get_by_test_id("expected")).to_have_text("TEA-250")
    worker.scan("no such code", tone="bad")
    assert stages(again(conn, warehouse, o)) == {"allocated": 4}
    mismatches = conn.execute("select what, expected from pick_mismatch order by id").fetchall()
    assert mismatches == [("place", "A-01-1"), ("item", "TEA-250"), ("item", "TEA-250")]


def test_the_enter_of_a_scan_never_presses_the_focused_button(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    worker.page.get_by_test_id("action-close").focus()
    worker.scan(TEA)
    worker.wedge(TEA, end="Tab")
    worker.settled()
    worker.says("instruction", "Scan each item")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 2}


def test_the_last_step_is_named_and_taken_back(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    worker.scan(TEA)
    worker.scan(TEA_CASE)
    worker.says("undo", "12 x TEA-250")
    fits(worker, "undo-named")
    worker.press("undo")
    assert worker.answers()[-1] == "warn"
    assert worker.text("amount").startswith("1 ")
    worker.says("undo", "Nothing to undo")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 1}


def test_a_scan_without_network_waits_and_is_sent_again_with_its_key(
    worker: Handheld, context: BrowserContext, conn: Conn, warehouse: Warehouse
) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    context.set_offline(True)
    worker.wedge(TEA, TEA, TEA)
    worker.page.get_by_test_id("cut-off").wait_for()
    worker.says("cut-off", "3 scans kept")
    worker.says("pending", "3")
    fits(worker, "no-network")
    context.set_offline(False)
    worker.settled()
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 3}
    expect(worker.page.get_by_test_id("cut-off")).to_have_count(0)


def test_a_lost_answer_counts_once(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    keys: list[str | None] = []

    def lose_first(route: Route) -> None:
        keys.append(route.request.header_value("idempotency-key"))
        if len(keys) == 1:
            route.fetch()  # it reaches the backend, and its answer gets lost
            route.abort("connectionreset")
        else:
            route.continue_()

    intercept(worker.page, "**/scans*", lose_first)
    worker.scan(TEA)
    assert len(keys) == 2
    assert keys[0] == keys[1]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 1}
    assert worker.text("amount").startswith("1")


def test_over_damaged_and_short_are_taken_with_a_reason(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, "ASN-8", door="DOCK-1")
    worker.open("receive")
    worker.scan("ASN-8")
    worker.scan("00" + sscc(1))
    worker.scan(TEA, tone="warn")
    fits(worker, "receive-over")
    worker.press("choice-over_delivered")
    assert worker.text("amount").startswith("35 / 36")
    worker.press("action-damage")
    fits(worker, "receive-damage")
    worker.press("choice-wet")
    worker.scan(f"01{DRILL}21S-9")
    worker.press("action-close")
    worker.says("instruction", "Less came")
    fits(worker, "receive-short")
    worker.press("choice-not_delivered")
    rows = conn.execute("select over_reason, short_reason from receipt_line order by line_no").fetchall()
    assert ("over_delivered", None) in rows
    assert (None, "not_delivered") in rows
    assert conn.execute("select status, reason from receipt_entry where serial = 'S-9'").fetchone() == (
        "damaged",
        "wet",
    )


def test_lot_and_expiry_are_asked_once_and_land_on_the_right_item(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    worker.scan(MILK, tone="warn")
    worker.says("instruction", "Which lot")
    worker.scan(MILK, tone="warn")  # one more of the same, while its lot is asked
    worker.scan(TEA, tone="warn")  # another item is no lot
    worker.wedge("L-42")
    worker.settled()
    worker.says("instruction", "expire")
    fits(worker, "receive-expiry")
    worker.type_on_keypad("270630")
    worker.scan(MILK)
    fits(worker, "receive-lot-known")
    rows = [
        (r.lot_code, int(r.on_hand), r.expires_on)
        for r in ledger.rows_at(conn, warehouse.site_id, warehouse.places["DOCK-1"])
    ]
    assert rows == [("L-42", 3, EXPIRY)]
    worker.scan(f"01{MILK}10L-43\x1d17280131")
    assert stock(conn, warehouse, "DOCK-1") == {"MILK-1L": 4}


def test_another_bin_asks_once_and_a_forbidden_one_names_the_next(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    worker.open("receive")
    worker.scan("DOCK-1")
    worker.scan(TEA_CASE)
    worker.press("action-close")
    worker.press("choice-close")
    worker.open("putaway")
    worker.scan(TEA)
    proposed = worker.page.get_by_test_id("target").locator("strong").inner_text()
    worker.scan("C-01-1", tone="bad")
    worker.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(worker, "putaway-forbidden")
    assert on_hand(conn, warehouse, "TEA-250", "DOCK-1") == 12
    other = next(
        code
        for code in ("A-01-1", "A-01-2", "A-02-1")
        if code not in (proposed, worker.text("target").split()[0])
    )
    worker.scan(other, tone="warn")
    worker.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(worker, "putaway-another")
    worker.scan(other)
    assert on_hand(conn, warehouse, "TEA-250", other) == 12


def test_short_zero_check_and_skip(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "4")
    put_stock(conn, warehouse, "TEA-250", "A-01-2", "10")
    o = accept(conn, warehouse, ("TEA-250", "6"))
    worker.open("pick")
    first = worker.page.get_by_test_id("target").locator("strong").inner_text()
    worker.press("action-skip")
    fits(worker, "pick-skip")
    worker.press("choice-later")
    worker.press("action-short")
    fits(worker, "pick-short")
    worker.press("choice-empty")
    assert worker.answers()[-1] == "warn"
    assert conn.execute("select count(*) from discrepancy").fetchone() == (1,)
    assert first
    assert sum(stages(again(conn, warehouse, o)).values()) == 6


def test_a_count_is_blind_and_a_second_person_is_asked(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    worker.open("count")
    worker.scan("A-01-1")
    fits(worker, "count-empty")
    assert "10" not in worker.page.inner_text("main")
    worker.press("action-times")
    worker.type_on_keypad("7")
    worker.scan(TEA)
    worker.scan(TEA)
    assert worker.text("amount").startswith("8")
    fits(worker, "count-scan")
    worker.press("undo")
    worker.scan(TEA)
    worker.press("action-done")
    assert worker.answers()[-1] == "warn"
    (state,) = conn.execute("select state from count_task").fetchall()
    assert state == ("recount",)
    assert on_hand(conn, warehouse, "TEA-250", "A-01-1") == 10


def test_move_loose_goods_and_look_them_up(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    worker.open("move")
    fits(worker, "move-what")
    worker.scan(TEA)
    worker.press("action-quantity")
    fits(worker, "keypad-number")
    worker.type_on_keypad("6")
    worker.scan("A-01-1")
    fits(worker, "move-to")
    worker.scan("A-02-1")
    assert on_hand(conn, warehouse, "TEA-250", "A-02-1") == 6
    worker.open("lookup")
    worker.scan(TEA)
    assert worker.text("amount").startswith("10")
    worker.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(worker, "lookup-item")
    worker.scan("A-02-1")
    worker.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(worker, "lookup-place")
    assert "TEA-250" in worker.page.inner_text("main")


def left(conn: Conn, w: Warehouse, number: str, *lines: tuple[str, str]) -> UUID:
    """An order that was shipped, as shipping leaves it behind."""
    order_id = new_id()
    conn.execute(
        """insert into sales_order (site_id, id, number, source, external_number, customer_id, state, due_at, received_at, shipped_at)
           values (%s, %s, %s, 'api', %s, %s, 'shipped', now(), now(), now())""",
        [w.site_id, order_id, number, order_id.hex, w.customer_id],
    )
    for at, (sku, quantity) in enumerate(lines, 1):
        conn.execute(
            "insert into sales_order_line (site_id, id, order_id, position, item_id, quantity, shipped) values (%s, %s, %s, %s, %s, %s, %s)",
            [w.site_id, new_id(), order_id, at, w.items[sku], quantity, quantity],
        )
    return order_id


def carton_that_left(conn: Conn, w: Warehouse, order_id: UUID, code: str, sku: str, serial: str) -> None:
    plate = new_id()
    conn.execute(
        "insert into license_plate (id, site_id, code, kind, state) values (%s, %s, %s, 'carton', 'shipped')",
        [plate, w.site_id, code],
    )
    conn.execute(
        """insert into carton (site_id, id, order_id, position, bench_id, state, tare_g, opened_at, opened_by, closed_at, closed_by)
           values (%s, %s, %s, 1, %s, 'shipped', 100, now(), 'user:w', now(), 'user:w')""",
        [w.site_id, plate, order_id, w.places["BENCH-1"]],
    )
    conn.execute(
        """insert into carton_content (site_id, id, carton_id, line_id, item_id, serial, quantity)
           select site_id, %s, %s, id, item_id, %s, 1 from sales_order_line where order_id = %s and item_id = %s""",
        [new_id(), plate, serial, order_id, w.items[sku]],
    )


def test_what_comes_back_is_scanned_graded_and_booked_piece_by_piece(
    worker: Handheld, backend: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    order_id = left(conn, warehouse, "SO-000077", ("TEA-250", "14"), ("DRILL-X", "1"))
    carton_that_left(conn, warehouse, order_id, sscc(4), "DRILL-X", "S-1")
    accept(conn, warehouse, ("TEA-250", "4"), number="X-NOT-YET")
    w = worker
    w.open("return")
    w.expects("returned")
    fits(w, "return-order")
    w.scan("X-NOT-YET", tone="bad")
    w.says("verdict", "Nothing of it has left yet")
    w.scan("A-01-1", tone="bad")
    expect(w.page.get_by_test_id("verdict").get_by_test_id("seen")).to_have_text("A-01-1")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "return-no-order")
    w.scan("SO-000077")
    w.expects("item")
    fits(w, "return-scan")

    w.scan(TEA_CASE)
    w.says("target", "12 ×")
    fits(w, "return-why")
    w.scan(TEA, tone="warn")
    w.says("verdict", "First finish TEA-250")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "return-first-finish")
    w.press("choice-arrived_damaged")
    fits(w, "return-grade")
    w.press("choice-damaged")
    assert w.answers()[-1] == "good"
    assert stock(conn, warehouse, "QUAR") == {"TEA-250": 12}
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    expect(w.page.get_by_role("definition")).to_have_text("QUAR · quarantine")
    fits(w, "return-booked")

    w.scan(TEA)
    w.scan(TEA)  # one more of the same
    w.says("target", "2 ×")
    w.scan(TEA, tone="bad")  # 14 were shipped
    expect(w.page.get_by_test_id("verdict").get_by_test_id("expected")).to_have_text("2 × TEA-250")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "return-too-many")
    w.press("choice-not_wanted")
    w.press("choice-as_new")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 2}
    w.scan(MILK, tone="bad")  # not of this order: refused before its lot is asked for
    expect(w.page.get_by_test_id("verdict").get_by_test_id("expected")).to_have_text("1 × DRILL-X")
    expect(w.page.get_by_test_id("verdict").get_by_test_id("seen")).to_have_text("MILK-1L")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "return-not-of-order")
    w.scan(f"01{DRILL}21S-2", tone=None)
    w.press("choice-does_not_work")
    w.press("choice-opened")
    (made,) = backend.ask("GET", "/returns")["items"]
    assert [(x["sku"], x["quantity"], x["reason"], x["grade"], x["place"]) for x in made["lines"]] == [
        ("TEA-250", "12", "arrived damaged", "damaged", "QUAR"),
        ("TEA-250", "2", "not wanted", "as_new", "DOCK-1"),
        ("DRILL-X", "1", "does not work", "opened", "QUAR"),
    ]
    w.says("undo", "1 x DRILL-X")
    w.press("undo")
    w.settled()
    assert w.text("amount").startswith("14")

    w.press("home")
    w.wedge("SO-000077")  # as after a new battery: the same return goes on
    w.page.get_by_test_id("step").wait_for()
    w.settled()
    assert w.text("amount").startswith("14")
    w.press("action-done")
    w.scan("00" + sscc(4))  # a carton tells its order, too
    w.says("target", "SO-000077")
    w.press("action-done")
    w.scan("S-1")  # and so does a serial
    w.press("choice-wrong_item")
    w.press("choice-as_new")
    w.says("target", "SO-000077")
    (made,) = backend.ask("GET", "/returns")["items"]
    assert [x["taken_back"] for x in made["lines"]] == [False, False, True, False]
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 2, "DRILL-X": 1}
    w.press("action-done")
    assert w.answers()[-1] == "good"
    assert ledger.verify(conn) == []


def test_without_an_order_lot_expiry_and_serial_are_asked(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    w = worker
    w.open("return")
    w.press("choice-blind")
    w.scan(MILK, tone="warn")
    w.says("instruction", "Which lot")
    w.wedge("L-7")
    w.settled()
    w.says("instruction", "expire")
    w.type_on_keypad("270630")
    w.press("choice-other")
    w.press("choice-unusable")
    w.scan(DRILL, tone="warn")
    fits(w, "return-serial")
    w.scan("S-5")
    w.press("choice-does_not_work")
    w.press("choice-opened")
    w.scan(f"01{DRILL}21S-5", tone="bad")  # it is back already
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "return-in-stock")
    assert stock(conn, warehouse, "QUAR") == {"MILK-1L": 1, "DRILL-X": 1}
    (lot,) = conn.execute("select code, expires_on from lot").fetchall()
    assert lot == ("L-7", EXPIRY)


def test_a_return_survives_a_lost_answer_and_a_dead_handheld(
    worker: Handheld, backend: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    left(conn, warehouse, "SO-000078", ("TEA-250", "5"))
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.request.url)
            route.fetch()  # it reaches the backend, and its answer gets lost
            route.abort("connectionreset")
        else:
            route.continue_()

    w = worker
    intercept(w.page, "**/api/v1/returns**", lose_first)
    w.open("return")
    w.scan("SO-000078")
    w.scan(TEA)
    w.press("choice-not_wanted")
    w.press("choice-as_new")
    assert lost
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 1}
    w.scan(TEA)
    w.press("choice-not_wanted")
    w.page.reload()  # dies with an item in hand: what was booked stays booked
    w.page.get_by_test_id("instruction").wait_for()
    w.settled()
    w.scan("SO-000078")
    assert w.text("amount").startswith("1")
    w.scan(TEA)
    w.press("choice-not_wanted")
    w.press("choice-as_new")
    (made,) = backend.ask("GET", "/returns")["items"]
    assert [x["line_no"] for x in made["lines"]] == [1, 2]


def test_the_wrong_vehicle_and_the_wrong_door_are_refused(
    worker: Handheld, backend: Backend, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    cartons = []
    for _ in range(2):
        o = accept(conn, warehouse, ("TEA-250", "1"))
        task = backend.ask("POST", "/pick-tasks/next", {})["task"]
        backend.ask("POST", f"/pick-tasks/{task['id']}/confirm", {"place": "A-01-1", "code": TEA})
        carton = backend.ask("POST", "/cartons", {"order_id": str(o.id), "bench": "BENCH-1"})
        backend.ask("POST", f"/cartons/{carton['id']}/contents", {"code": TEA})
        backend.ask("POST", f"/cartons/{carton['id']}/weight", {"weight_g": "530"})
        backend.ask("POST", f"/cartons/{carton['id']}/close", {})
        cartons.append(carton["sscc"])
    worker.open("load")
    worker.scan("DOCK-1")
    worker.scan(cartons[0])
    worker.scan(cartons[1], tone="bad")
    worker.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(worker, "load-wrong")
    with conn.transaction():
        other = shipment_of_order(conn, warehouse.site_id, o.id)
        assert other is not None
        shipping.assign(
            conn,
            warehouse.ctx(),
            other.id,
            other.version,
            vehicle_id=None,
            door_id=warehouse.places["DOCK-1"],
        )
    worker.press("action-door")
    worker.scan("DOCK-2")
    worker.scan(cartons[1], tone="bad")
    expect(worker.page.get_by_test_id("verdict").get_by_test_id("expected")).to_have_text("DOCK-1")
    loaded = conn.execute("select count(*) from carton where state = 'loaded'").fetchone()
    assert loaded == (1,)
    refused = conn.execute("select count(*) from shipment_event where what = 'refused'").fetchone()
    assert refused == (2,)


def test_typed_by_a_person_or_on_the_keypad_is_no_scan_until_it_is_confirmed(worker: Handheld) -> None:
    worker.page.evaluate("localStorage.removeItem('stowage.handheld.gap_ms')")
    worker.open("lookup")
    worker.page.keyboard.type("a-01", delay=150)
    expect(worker.page.get_by_test_id("keypad").get_by_role("status")).to_have_text("a-01")
    fits(worker, "keypad-text")
    worker.type_on_keypad("-1")
    worker.says("target", "A-01-1")


def test_a_badge_logs_in_and_a_scan_on_the_first_screen_begins_its_job(
    backend: Backend, context: BrowserContext, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, "ASN-5", door="DOCK-1")
    page = context.new_page()
    hand = Handheld(page, backend.base)
    page.goto(f"{backend.base}/handheld")
    page.get_by_test_id("handheld-login").wait_for()
    page.locator("input[name=username]").focus()
    hand.wedge(backend.token)
    page.get_by_test_id("handheld-home").wait_for()
    hand.wedge("ASN-5")
    page.get_by_test_id("step").wait_for()
    hand.settled()
    hand.says("target", "ASN-5")
    hand.press("home")
    hand.wedge("0" * 14)
    expect(page.get_by_test_id("home-hint")).to_contain_text("Unknown code")


def test_the_handheld_speaks_chinese(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse, "ASN-9", door="DOCK-1")
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    tote(conn, warehouse, "T-9")
    w = worker
    w.press("language")
    expect(w.page.get_by_test_id("job-receive")).to_contain_text("收货")
    fits(w, "zh-home")
    w.open("receive")
    w.says("instruction", "请扫描到货通知")
    fits(w, "zh-receive-choose")
    w.scan("ASN-9")
    w.scan(TEA)
    fits(w, "zh-receive-scan")
    w.press("action-damage")
    fits(w, "zh-receive-damage")
    w.press("choice-wet")
    w.scan(MILK_CASE, tone=None)
    fits(w, "zh-receive-ask")
    w.press("action-back")
    w.press("action-close")
    fits(w, "zh-receive-short")
    for job in ("putaway", "load", "return", "count", "move", "lookup"):
        w.open(job)
        fits(w, f"zh-{job}")
    w.open("return")
    w.press("choice-blind")
    fits(w, "zh-return-scan")
    w.scan("A-01-1", tone="bad")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "zh-return-wrong")
    w.scan(TEA_CASE)
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "zh-return-why")
    w.press("choice-does_not_work")
    fits(w, "zh-return-grade")
    w.press("choice-opened")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    w.says("undo", "12")
    fits(w, "zh-return-booked")
    w.open("pick")
    w.scan("A-01-2", tone="bad")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "zh-pick-wrong")
    w.scan("A-01-1")
    w.scan(TEA)
    fits(w, "zh-pick-tote")
    w.scan("T-9")
    w.open("pack")
    w.scan("T-9")
    w.scan(TEA)
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "zh-pack-item")
    w.press("action-close")
    fits(w, "zh-pack-weigh")
    words = w.page.inner_text("main")
    assert "handheld:" not in words
    eventually(lambda: bool(w.page.evaluate("document.documentElement.lang === 'zh-CN'")))


def test_a_job_opened_while_the_language_is_loading_changes_over_in_full(
    worker: Handheld, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    w = worker
    held: list[Route] = []
    arrived = False
    intercept(w.page, "**/assets/**", lambda route: route.continue_() if arrived else held.append(route))
    with w.page.expect_request("**/assets/**"):
        w.press("language")
    w.open("pick")
    w.says("instruction", "Go there, scan the bin")
    assert held
    arrived = True
    for route in held:
        route.continue_()
    w.says("instruction", "前往并扫描货位")
    w.scan("A-01-2", tone="bad")
    w.says("verdict", "扫错了")


def test_a_refusal_is_chinese_to_the_last_word(worker: Handheld, conn: Conn, warehouse: Warehouse) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "10")
    accept(conn, warehouse, ("TEA-250", "4"))
    w = worker
    w.press("language")
    w.open("pick")
    w.scan("A-01-2", tone="bad")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    w.says("verdict", "请到 A-01-1；这是 A-01-2。")
    fits(w, "zh-refused-place")
    w.scan("A-01-1")
    w.scan("0" * 14, tone="bad")
    w.page.get_by_test_id("answer").wait_for(state="hidden")
    fits(w, "zh-refused-code")
    sentence = w.text("verdict")
    assert re.search("[\u4e00-\u9fff]", sentence)
    assert re.findall("[A-Za-z]{2,}", sentence.replace("TEA-250", "")) == []
