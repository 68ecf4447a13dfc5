"""What a person at a desk starts by hand: a page to print, the first totes, a delivery notice, an order on the telephone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from backend.db import Conn
from tests.backend.orders.flow import accept
from tests.backend.packing.test_packing import pick_all
from tests.conftest import Warehouse, put_stock
from tests.dashboards.desktop import Running, Watched

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SHOTS: Path | None = None
"""Set it to a folder to keep a picture of every step."""


def shot(page: Page, name: str) -> None:
    if SHOTS is not None:
        page.screenshot(path=SHOTS / f"{name}.png")


def choose(page: Page, field: Locator, typed: str, option: str) -> None:
    """Types into a field that asks the backend, and takes what it found."""
    field.fill(typed)
    page.get_by_role("option", name=re.compile(option)).click()


@pytest.mark.parametrize(
    ("language", "button", "heading"), [("en", "Packing list", "Packing list"), ("zh", "装箱单", "装箱单")]
)
def test_a_cartons_packing_list_opens_ready_to_print(
    running: Running,
    browser: Browser,
    conn: Conn,
    warehouse: Warehouse,
    language: str,
    button: str,
    heading: str,
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    put_stock(conn, warehouse, "MILK-1L", "C-01-1", "5", lot="L1", expires_on="2099-01-01")
    order = accept(conn, warehouse, ("TEA-250", "3"), ("MILK-1L", "2"))
    pick_all(conn, warehouse, order)
    carton = running.ask("POST", "/cartons", {"order_id": str(order.id), "bench": "BENCH-1"})
    url = f"/cartons/{carton['id']}"
    running.ask("POST", f"{url}/contents", {"code": "TEA-250", "quantity": "3"})
    running.ask("POST", f"{url}/contents", {"code": "MILK-1L", "quantity": "2", "lot": "L1"})
    running.ask("POST", f"{url}/weight", {"weight_g": "3230.5"})

    watched = Watched(browser, running, language)
    watched.context.add_init_script(
        "window.print = () => { document.documentElement.dataset.printed = 'yes' }"
    )
    watched.open(f"/orders/{order.id}")
    press = watched.page.get_by_role("button", name=button)
    press.scroll_into_view_if_needed()
    cut = "all => all.filter((table) => table.scrollWidth > table.parentElement.clientWidth).length"
    assert watched.page.locator("#content table").evaluate_all(cut) == 0
    shot(watched.page, f"order-{language}")
    with watched.context.expect_page() as opened:
        press.click()
    paper = opened.value
    paper.locator("html[data-printed=yes]").wait_for()
    assert heading in paper.locator("h1").inner_text()
    text = paper.locator("body").inner_text()
    for words in (order.number, carton["sscc"], "Green tea 250 g", "L1", "2099-01-01"):
        assert words in text
    paper.emulate_media(media="print")
    for size, width, height in (("A4", 702, 1032), ("A6", 352, 514)):  # CSS pixels between the margins
        paper.set_viewport_size({"width": width, "height": height})
        assert paper.evaluate("document.documentElement.scrollWidth") <= width, f"wider than {size}"
        shot(paper, f"packing-list-{language}-{size}")
    assert not watched.wrong
    watched.context.close()


def test_a_tab_that_the_browser_blocks_is_said(
    running: Running, browser: Browser, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    order = accept(conn, warehouse, ("TEA-250", "3"))
    pick_all(conn, warehouse, order)
    carton = running.ask("POST", "/cartons", {"order_id": str(order.id), "bench": "BENCH-1"})
    running.ask("POST", f"/cartons/{carton['id']}/contents", {"code": "TEA-250", "quantity": "3"})
    watched = Watched(browser, running, "en")
    watched.context.add_init_script("window.open = () => null")
    watched.open(f"/orders/{order.id}")
    watched.page.get_by_role("button", name="Packing list").click()
    watched.page.get_by_role("alert").get_by_text("allow new windows").wait_for()
    assert not watched.wrong
    watched.context.close()


@pytest.mark.parametrize(
    ("language", "add", "create", "made"),
    [
        ("en", "Add totes or pallets", "Create", "12 made: TOTE-01 to TOTE-12."),
        ("zh", "新增周转箱或托盘", "创建", "已新建 12 个：TOTE-01 至 TOTE-12。"),
    ],
)
def test_an_empty_system_gets_its_first_totes_with_labels(
    running: Running, browser: Browser, language: str, add: str, create: str, made: str
) -> None:
    watched = Watched(browser, running, language)
    page, dialog = watched.page, watched.page.get_by_role("dialog")
    watched.open("/settings/plates")
    shot(page, f"plates-none-{language}")
    page.get_by_role("button", name=add).last.click()  # the empty table offers it, too
    how_many, code, place = (dialog.get_by_role("textbox").nth(n) for n in (0, 1, 2))
    how_many.fill("12")
    code.fill("TOTE")
    place.fill("STAGE-OUT")
    dialog.get_by_role("button", name=create).click()
    expect(code).to_have_attribute("aria-invalid", "true")
    shot(page, f"plates-refused-{language}")
    watched.wrong.clear()  # the refusal itself
    code.fill("TOTE-01")
    dialog.get_by_role("button", name=create).click()
    dialog.wait_for(state="detached")
    page.get_by_text(made).wait_for()
    expect(page.locator("#content tbody tr[data-row]")).to_have_count(12)
    expect(page.locator("#content tbody tr[data-row]").first).to_contain_text("STAGE-OUT")
    shot(page, f"plates-{language}")
    labels = running.ask("GET", "/labels")["items"]
    assert {(one["title"], one["state"]) for one in labels} == {
        (f"tote TOTE-{n:02d}", "no_printer") for n in range(1, 13)
    }
    page.get_by_role("row", name=re.compile("TOTE-07")).get_by_role("button").click()
    page.wait_for_function(
        "fetch('/api/v1/labels', { headers: { Authorization: `Bearer ${JSON.parse(localStorage['stowage.session']).token}` } })"
        ".then((r) => r.json()).then((page) => page.items.length === 13)"
    )
    assert not watched.wrong
    watched.context.close()


def test_license_plates_are_narrowed_down_by_kind_place_and_contents(
    running: Running, browser: Browser, conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    running.ask("POST", "/license-plates/series", {"kind": "tote", "code": "TOTE-1", "count": 2})
    tea = [{"item_id": str(warehouse.items["TEA-250"]), "quantity": "24"}]
    bin_id = str(warehouse.places["A-01-1"])
    running.ask(
        "POST", "/license-plates", {"kind": "pallet", "code": "PAL-1", "place_id": bin_id, "contents": tea}
    )
    watched = Watched(browser, running, "en")
    page, rows = watched.page, watched.page.locator("#content tbody tr[data-row]")
    watched.open("/settings/plates")
    expect(rows).to_have_count(3)
    page.get_by_text("Pallet", exact=True).click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("TEA-250")
    page.get_by_text("All", exact=True).click()
    page.get_by_text("Empty", exact=True).click()
    expect(rows).to_have_count(2)
    page.get_by_text("Here", exact=True).click()
    page.get_by_placeholder("Code, place or SKU").fill("a-01")
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="PAL-1").click()
    page.wait_for_url(f"{running.base}/units/PAL-1")
    assert not watched.wrong
    watched.context.close()


@pytest.mark.parametrize(
    ("language", "make", "notice", "again"),
    [
        ("en", "Expect the delivery", "PO-7 is expected: open the delivery notice", "Update"),
        ("zh", "生成到货通知", "PO-7 已列入预期到货：打开到货通知", "更新"),
    ],
)
def test_a_purchase_becomes_a_delivery_notice_at_one_press(
    running: Running,
    browser: Browser,
    conn: Conn,
    warehouse: Warehouse,
    language: str,
    make: str,
    notice: str,
    again: str,
) -> None:
    for line, sku, number in (("1", "TEA-250", "PO-7"), ("2", "MILK-1L", "PO-7"), ("3", "TEA-250", "PO-8")):
        conn.execute(
            """insert into erp_purchase_line (erp_id, line_id, number, supplier_id, item_id, ordered, open_quantity, unit_price,
                                              currency, state, wanted_on)
               values ('7', %s, %s, %s, %s, 30, 24, 2.50, 'EUR', 'confirmed', '2030-01-31')""",
            [line, number, warehouse.supplier_id, warehouse.items[sku]],
        )
    watched = Watched(browser, running, language)
    page = watched.page
    watched.open("/replenishment?tab=on_order")
    expect(page.get_by_role("button", name=make)).to_have_count(2)  # one a purchase, not one a line
    page.get_by_role("button", name=make).first.click()
    page.get_by_role("link", name=notice).wait_for()
    (asn,) = running.ask("GET", "/asns")["items"]
    linked = page.locator(f"#content a[href='/asns/{asn['id']}']")
    linked.wait_for()
    expect(page.get_by_role("button", name=again, exact=True)).to_have_count(1)
    shot(page, f"on-order-{language}")
    linked.click()
    page.locator("#content").get_by_text("MILK-1L").wait_for()
    assert not watched.wrong
    watched.context.close()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", {"new": "New order", "take": "Take the order", "customer": "Customer", "item": "Item", "quantity": "Quantity",
                "unit": "Unit", "add": "Add a line", "drop": "Take this line out", "street": "Street and number", "city": "City",
                "day": "Wanted on", "refused": "CABLE is counted in steps of 0.01 m", "case": "case \\(12"}),
        ("zh", {"new": "新建订单", "take": "提交订单", "customer": "客户", "item": "物料", "quantity": "数量", "unit": "单位",
                "add": "添加一行", "drop": "删除此行", "street": "街道与门牌号", "city": "城市", "day": "期望日期",
                "refused": "CABLE 以", "case": "箱"}),
    ],
)  # fmt: skip
def test_an_order_is_typed_in_and_its_mistakes_are_shown_where_they_are(
    running: Running, browser: Browser, conn: Conn, warehouse: Warehouse, language: str, words: dict[str, str]
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "30")
    conn.execute("update partner set name = 'Kahvila Kaisaniemi Oy' where code = 'CUST-1'")
    watched = Watched(browser, running, language)
    page, dialog = watched.page, watched.page.get_by_role("dialog")
    watched.open("/orders")
    page.get_by_role("button", name=words["new"]).first.click()

    def field(name: str, line: int = 0) -> Locator:
        return (
            dialog.get_by_label(re.compile(f"^{words[name]}( \\*)?$"))
            .and_(dialog.locator("input:visible"))
            .nth(line)
        )

    choose(page, field("customer"), "kaisan", "Kahvila")
    choose(page, field("item"), "green", "TEA-250")
    field("quantity").fill("2")
    field("unit").click()
    page.get_by_role("option", name=re.compile(words["case"])).click()
    dialog.get_by_role("button", name=words["add"]).click()
    choose(page, field("item", 1), "milk", "MILK-1L")
    dialog.get_by_role("button", name=words["add"]).click()
    choose(page, field("item", 2), "cable", "CABLE")
    field("quantity", 2).fill("1.005")
    dialog.get_by_role("button", name=words["drop"]).nth(1).click()
    day = datetime.now(ZoneInfo("Europe/Helsinki")).date() + timedelta(days=3)
    field("day").fill(day.isoformat())
    field("street").fill("Kaisaniemenkatu 2")
    field("city").fill("Helsinki")
    dialog.get_by_role("button", name=words["take"]).click()
    expect(field("quantity", 1)).to_have_attribute("aria-invalid", "true")
    dialog.get_by_text(re.compile(words["refused"])).wait_for()
    shot(page, f"new-order-{language}")
    watched.wrong.clear()  # the refusal itself
    field("quantity", 1).fill("1.5")
    dialog.get_by_role("button", name=words["take"]).click()
    page.wait_for_url(re.compile("/orders/[0-9a-f-]{36}$"))
    (order,) = running.ask("GET", "/sales-orders")["items"]
    assert page.url.endswith(order["id"])
    assert [(n["sku"], n["quantity"], n["pack_name"]) for n in order["lines"]] == [
        ("TEA-250", "24", "case"),
        ("CABLE", "1.5", None),
    ]
    assert (order["customer_code"], order["source"]) == ("CUST-1", "api")
    assert order["ship_to"] == {"street": "Kaisaniemenkatu 2", "city": "Helsinki"}
    due = datetime.fromisoformat(order["due_at"]).astimezone(ZoneInfo("Europe/Helsinki"))
    assert (due.date(), due.hour, due.minute) == (day, 16, 0)
    page.locator("#content").get_by_text("Kaisaniemenkatu 2, Helsinki").wait_for()
    assert not watched.wrong
    watched.context.close()


@pytest.mark.parametrize(("state", "words"), [("reachable", "as a sale"), ("off", "There is no ERP here")])
def test_who_types_an_order_is_told_whether_the_erp_gets_it(
    running: Running, browser: Browser, conn: Conn, state: str, words: str
) -> None:
    conn.execute("update erp_connection set state = %s, since = %s", [state, datetime.now(UTC)])
    watched = Watched(browser, running, "en")
    watched.open("/orders")
    watched.page.get_by_role("button", name="New order").first.click()
    watched.page.get_by_role("dialog").get_by_text(words).wait_for()
    assert not watched.wrong
    watched.context.close()
