"""The outbox with a real Tryton behind it: what the ledger says is what Tryton has, whatever happened on the way."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend import ledger
from backend.ids import new_id
from backend.integration.erp import orders, reconcile
from backend.integration.erp.connect import connect
from backend.integration.erp.connector import NewLine, NewOrder
from backend.integration.erp.tryton import TrytonConnector
from stowage.parts.tryton import Tryton
from tests.integration_erp.conftest import COLD, LOST, QUARANTINE, STORAGE, Site, reference, send_all, stock
from tests.integration_erp.proxy import Proxy, Verdict

pytestmark = [pytest.mark.tryton, pytest.mark.timeout(1200)]  # a server started over and over, on any machine


class Books:
    """Tryton's stock at the beginning, so that tests share a server: what changed there must be what we have."""

    def __init__(self, erp: TrytonConnector, site: Site) -> None:
        self._erp = erp
        self._site = site
        self._before = stock(erp)

    def differ(self) -> dict[tuple[str, str], Decimal]:
        """(sku, location) -> Tryton's change minus our stock, where it is not zero."""
        ours, theirs = self._site.on_hand(), stock(self._erp)
        keys = set(ours) | set(theirs) | set(self._before)
        zero = Decimal(0)
        found = {k: theirs.get(k, zero) - self._before.get(k, zero) - ours.get(k, zero) for k in keys}
        return {k: v for k, v in found.items() if v}


@pytest.fixture
def books(erp: TrytonConnector, site: Site) -> Books:
    return Books(erp, site)


def a_day_of_work(site: Site) -> None:
    """Every kind of movement, several of some items."""
    site.receive("GRC-CHOC-90", 40)
    site.receive("COLD-YOG-500", 12, lot="Y1")
    site.receive("COLD-YOG-500", 8, lot="Y2")
    site.receive("MED-GLOVE-M", 20, "Q-01")
    site.move("COLD-YOG-500", 12, "A-01", "C-01", lot="Y1", cause="putaway")
    site.move("COLD-YOG-500", 5, "A-01", "C-01", lot="Y2", cause="putaway")
    site.move("GRC-CHOC-90", 3, "A-01", "ADJUSTMENT", cause="count")
    site.move("MED-GLOVE-M", 2, "DISCREPANCY", "A-01", cause="count")
    site.ship("COLD-YOG-500", 4, "C-01", lot="Y1")
    site.ship("GRC-CHOC-90", 7)
    site.move("GRC-CHOC-90", 2, "CUSTOMER", "Q-01", cause="return", partner_id=str(site.partners["C-WEB"]))
    site.move("MED-GLOVE-M", 6, "Q-01", "SUPPLIER", cause="return", partner_id=str(site.partners["S-NORD"]))


def test_a_day_of_work_ends_with_the_same_stock_on_both_sides(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    a_day_of_work(site)
    assert send_all(site.conn, erp).posted == 12
    assert site.states() == {"posted": 12}
    assert books.differ() == {}


def test_what_is_taken_back_after_it_was_posted_leaves_no_drift(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    """A shipment and returns, out of quarantine, too: whose they are is the original's."""
    site.receive("GRC-CHOC-90", 10)
    site.ship("GRC-CHOC-90", 5)
    wrong = site.ship("GRC-CHOC-90", 1)
    customer = str(site.partners["C-WEB"])
    back = [
        site.move("GRC-CHOC-90", 2, "CUSTOMER", place, cause="return", cause_id=new_id(), partner_id=customer)
        for place in ("Q-01", "A-01")
    ]
    send_all(site.conn, erp)
    for movement in (wrong, *back):
        with site.conn.transaction():
            ledger.reverse(site.conn, site.ctx(), movement, "scanned by mistake")
    send_all(site.conn, erp)
    print(
        "PARKED",
        site.conn.execute("select kind, problem, words from posting where state='parked'").fetchall(),
    )
    assert site.states() == {"posted": 8}
    assert books.differ() == {}


@pytest.mark.parametrize("verdict", ["lose_request", "lose_answer"])
def test_at_whichever_call_the_line_breaks_every_line_is_there_once(
    erp: TrytonConnector, site: Site, books: Books, proxy: Proxy, verdict: Verdict
) -> None:
    """For each kind of document the first writing call is broken off, then the second, until one went through in one go."""
    purchase = erp.create_purchase(
        NewOrder(reference(), "S-NORD", (NewLine("GRC-CHOC-90", Decimal(1000)),))
    ).id
    sale = erp.create_sale(NewOrder(reference(), "C-WEB", (NewLine("GRC-CHOC-90", Decimal(1000)),))).id
    orders.poll(site.conn, erp, datetime.now(UTC))
    order_id = site.conn.execute(
        "select our_id from erp_seen where kind = 'sale' and erp_id = %s", [sale]
    ).fetchone()
    assert order_id is not None
    site.move("GRC-CHOC-90", 500, "SUPPLIER", "A-01", cause="receipt", purchase_ref=purchase)
    send_all(site.conn, erp)
    between = connect(proxy.url)
    made: dict[str, int] = {}
    for kind, source, target, evidence in (
        ("receipt", "SUPPLIER", "A-01", {"purchase_ref": purchase}),
        ("putaway", "A-01", "C-01", {}),
        ("count", "A-01", "ADJUSTMENT", {}),
        ("shipment", "A-01", "CUSTOMER", {"order_id": str(order_id[0])}),
    ):
        for number in range(1, 20):
            made[kind] = number
            posting = site.move("GRC-CHOC-90", 3, source, target, cause=kind, **evidence)
            proxy.writes.clear()
            proxy.decide = lambda method, at, number=number: verdict if at == number else "pass"  # type: ignore[misc]
            broken = send_all(site.conn, between).failed is not None
            if broken:
                assert send_all(site.conn, between).failed is None
            assert site.posting(posting)[0] == "posted"
            if not broken:
                break
    assert made == {"receipt": 4, "putaway": 5, "count": 4, "shipment": 7}
    assert books.differ() == {}
    (open_sale,) = [o for o in erp.sales_changed_since(None) if o.id == sale]
    assert open_sale.lines[0].open_quantity == 1000 - 3 * made["shipment"]
    (open_purchase,) = [o for o in erp.purchases_changed_since(None) if o.id == purchase]
    assert open_purchase.lines[0].open_quantity == 500 - 3 * made["receipt"]


def test_a_server_killed_again_and_again_loses_and_doubles_nothing(
    server: Tryton, erp: TrytonConnector, site: Site, books: Books
) -> None:
    """SIGKILL at a random writing call, six times, with work going on."""
    chance = random.Random(20260711)
    for _ in range(6):
        a_day_of_work(site)
        watched = Proxy(server.url)
        at = chance.randint(1, 30)

        def kill(method: str, number: int, at: int = at) -> Verdict:
            if number == at and server._child is not None:
                server._child.process.kill()
            return "pass"

        watched.decide = kill
        connector = connect(watched.url)
        send_all(site.conn, connector)
        connector.close()
        watched.close()
        server.stop()
        server.start()
    assert send_all(site.conn, erp).failed is None
    assert site.states() == {"posted": 72}
    assert books.differ() == {}


def test_an_erp_that_answers_500_for_a_day_only_delays(
    erp: TrytonConnector, site: Site, books: Books, proxy: Proxy
) -> None:
    a_day_of_work(site)
    between = connect(proxy.url)
    proxy.decide = lambda method, number: "fail"
    for _ in range(24):
        assert send_all(site.conn, between).failed
    row = site.conn.execute("select state, words from erp_connection").fetchone()
    assert row is not None
    assert row[0] == "busy"
    assert "500" in row[1]
    assert "parked" not in site.states()
    proxy.decide = lambda method, number: "pass"
    assert send_all(site.conn, between).failed is None
    assert site.states() == {"posted": 12}
    assert books.differ() == {}
    assert site.conn.execute("select state from erp_connection").fetchone() == ("reachable",)


def test_a_changed_password_makes_everything_wait_with_the_reason(
    erp: TrytonConnector, server: Tryton, site: Site, books: Books
) -> None:
    site.receive("GRC-CHOC-90", 1)
    wrong = connect(server.url.replace("tryton+http://stowage:", "tryton+http://stowage:old-"))
    outcome = send_all(site.conn, wrong)
    assert outcome.failed is not None
    assert outcome.failed.kind == "login"
    row = site.conn.execute("select state, words from erp_connection").fetchone()
    assert row is not None
    assert row[0] == "login"
    assert "password" in row[1]
    assert site.states() == {"sending": 1}
    assert send_all(site.conn, erp).failed is None
    assert books.differ() == {}


def test_an_item_that_tryton_does_not_know_holds_nothing_back_but_itself(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    site.conn.execute(
        "insert into item (id, sku, name) values (gen_random_uuid(), 'OURS-ONLY', 'known here only')"
    )
    row = site.conn.execute("select id from item where sku = 'OURS-ONLY'").fetchone()
    assert row is not None
    site.items["OURS-ONLY"] = row[0]
    unknown = site.receive("OURS-ONLY", 5)
    known = site.receive("GRC-CHOC-90", 5)
    behind = site.move("OURS-ONLY", 1, "A-01", "C-01")
    send_all(site.conn, erp)
    state, problem, words = site.posting(unknown)
    assert (state, problem) == ("parked", "unknown_item")
    assert "OURS-ONLY" in (words or "")
    assert site.posting(known)[0] == "posted"
    assert site.posting(behind)[0] == "waiting"


def test_a_closed_period_parks_with_trytons_words_and_goes_on_another_day(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    from backend.integration.erp import outbox

    last_year = datetime.now(UTC) - timedelta(days=400)
    period = erp._create("stock.period", {"company": 1, "date": last_year.date()})
    erp._call("stock.period", "close", [period])
    late = site.move("GRC-CHOC-90", 2, "ADJUSTMENT", "A-01", cause="count", on=last_year)
    other = site.receive("PACK-TAPE-66", 1)
    send_all(site.conn, erp)
    state, problem, words = site.posting(late)
    assert (state, problem) == ("parked", "closed_period")
    assert "reopen period" in (words or "")
    assert site.posting(other)[0] == "posted"
    with site.conn.transaction():
        outbox.retry(site.conn, site.id, late, datetime.now(UTC), erp_date=datetime.now(UTC).date())
    send_all(site.conn, erp)
    assert site.posting(late)[0] == "posted"
    assert books.differ() == {}


def test_what_tryton_lacks_is_parked_and_flows_when_it_is_there(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    """Somebody moved stock in Tryton behind our back."""
    from backend.integration.erp import outbox
    from backend.integration.erp.connector import Kind
    from tests.integration_erp.conftest import document, line

    site.receive("TOOL-METER-50", 5, "Q-01")
    send_all(site.conn, erp)
    erp.post(document(Kind.COUNT, line("TOOL-METER-50", 3, QUARANTINE, LOST)))
    moved = site.move("TOOL-METER-50", 4, "Q-01", "C-01")
    send_all(site.conn, erp)
    state, problem, words = site.posting(moved)
    assert (state, problem) == ("parked", "shortage")
    assert "2 of 4 TOOL-METER-50" in (words or "")
    found = {
        (d.sku, d.location): d for d in reconcile.compare(site.conn, erp, site.id) if d.sku == "TOOL-METER-50"
    }
    assert found[("TOOL-METER-50", QUARANTINE)].drift == -3
    assert found[("TOOL-METER-50", QUARANTINE)].not_yet_posted == -4
    assert found[("TOOL-METER-50", COLD)].drift == 0
    erp.post(document(Kind.COUNT, line("TOOL-METER-50", 3, LOST, QUARANTINE)))
    with site.conn.transaction():
        outbox.retry(site.conn, site.id, moved, datetime.now(UTC))
    send_all(site.conn, erp)
    assert books.differ() == {}


def test_orders_go_out_once_and_come_in_once(erp: TrytonConnector, site: Site, proxy: Proxy) -> None:
    from backend import orders as sales

    now = datetime.now(UTC)
    orders.poll(site.conn, erp, now)  # what other tests left behind
    with site.conn.transaction():
        ours = sales.accept(site.conn, site.ctx(), sales.NewOrder(
            "crm", reference(), site.partners["C-CLINIC"], now + timedelta(days=1),
            [sales.NewLine(site.items["MED-GLOVE-M"], Decimal(7))]))  # fmt: skip
        orders.request_sale(site.conn, site.ctx(), ours.id, reference=ours.number, customer_id=ours.customer_id,
                            lines=[orders.WantedLine(site.items["MED-GLOVE-M"], Decimal(7))])  # fmt: skip
    between = connect(proxy.url)
    proxy.decide = lambda method, number: "lose_answer" if number == 1 else "pass"
    with pytest.raises(Exception, match=r"broke|answer"):
        orders.send_orders(site.conn, between, now + timedelta(minutes=1))
    assert orders.send_orders(site.conn, between, now + timedelta(minutes=9)) == 1
    theirs = erp.create_sale(NewOrder(reference(), "C-BIKES", (NewLine("PART-CHAIN-9", Decimal(3)),)))
    orders.poll(site.conn, erp, now)
    orders.poll(site.conn, erp, now)
    made = [o for o in erp.sales_changed_since(None) if o.reference == ours.number]
    assert len(made) == 1
    rows = site.conn.execute(
        "select source, erp_number from sales_order where erp_id in (%s, %s) order by source",
        [made[0].id, theirs.id],
    )
    assert rows.fetchall() == [("crm", made[0].number), ("erp", theirs.number)]


def test_a_reconciliation_finds_exactly_what_drifts(erp: TrytonConnector, site: Site) -> None:
    site.receive("PART-BRAKE-P", 8)
    send_all(site.conn, erp)
    site.move("PART-BRAKE-P", 3, "A-01", "C-01")
    before = {(d.sku, d.location): d for d in reconcile.compare(site.conn, erp, site.id)}
    with site.conn.transaction():
        reconcile.request(site.conn, site.ctx())
    assert reconcile.run_requested(site.conn, erp, datetime.now(UTC)) == 1
    row = site.conn.execute("select state, compared, drifting from erp_reconciliation").fetchone()
    assert row is not None
    assert row[0] == "done"
    assert row[2] == sum(1 for d in before.values() if d.drift)
    alarm = site.conn.execute(
        "select message from alert where kind = 'erp_drift' and state <> 'closed'"
    ).fetchone()
    assert (alarm is not None) == bool(row[2])
    assert before[("PART-BRAKE-P", STORAGE)].not_yet_posted == -3
    assert before[("PART-BRAKE-P", COLD)].not_yet_posted == 3


def test_a_crm_orders_shipment_waits_until_the_order_is_a_sale(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    from backend import orders as sales
    from backend.integration.erp.tasks import erp_create_sale

    with site.conn.transaction():
        order = sales.accept(site.conn, site.ctx(), sales.NewOrder(
            "crm", reference(), site.partners["C-CLINIC"], datetime.now(UTC) + timedelta(days=1),
            [sales.NewLine(site.items["PART-CHAIN-9"], Decimal(3))]))  # fmt: skip
    site.receive("PART-CHAIN-9", 5)
    shipped = site.move("PART-CHAIN-9", 2, "A-01", "CUSTOMER", cause="shipment", order_id=str(order.id))
    send_all(site.conn, erp)
    state, problem, words = site.posting(shipped)
    assert (state, problem) == ("waiting", "order")
    assert "not in the ERP yet" in (words or "")
    with site.conn.transaction():
        erp_create_sale(site.conn, str(site.id), str(order.id), "test")
        erp_create_sale(site.conn, str(site.id), str(order.id), "test")
    assert orders.send_orders(site.conn, erp, datetime.now(UTC) + timedelta(minutes=1)) == 1
    send_all(site.conn, erp)
    assert site.posting(shipped)[0] == "posted"
    (made,) = [o for o in erp.sales_changed_since(None) if o.reference.startswith(f"{order.number} ")]
    assert [(x.item, x.open_quantity) for x in made.lines] == [("PART-CHAIN-9", 1)]
    assert books.differ() == {}


def test_an_approved_suggestion_becomes_one_purchase_and_its_receipt_fulfils_it(
    erp: TrytonConnector, site: Site, books: Books
) -> None:
    suggestion = new_id()
    ask = {
        "supplier_id": site.partners["S-VOLTA"],
        "item_id": site.items["PART-CHAIN-9"],
        "quantity": Decimal(50),
    }
    with site.conn.transaction():
        site.conn.execute(
            """insert into purchase_suggestion (site_id, id, item_id, supplier_id, quantity, unit_price, state, reason)
               values (%s, %s, %s, %s, 50, 9.2, 'approved', '{}')""",
            [site.id, suggestion, site.items["PART-CHAIN-9"], site.partners["S-VOLTA"]],
        )
        orders.request_purchase(site.conn, site.ctx(), suggestion, **ask)  # type: ignore[arg-type]
        orders.request_purchase(site.conn, site.ctx(), suggestion, **ask)  # type: ignore[arg-type]
    assert orders.send_orders(site.conn, erp, datetime.now(UTC) + timedelta(minutes=1)) == 1
    orders.poll(site.conn, erp, datetime.now(UTC))
    row = site.conn.execute(
        "select state, erp_number from purchase_suggestion where id = %s", [suggestion]
    ).fetchone()
    assert row is not None
    assert row[0] == "ordered"
    open_before = [
        p for p in orders.open_purchases(site.conn, site.id, site.items["PART-CHAIN-9"]) if p.number == row[1]
    ]
    assert [p.open_quantity for p in open_before] == [50]
    site.receive(
        "PART-CHAIN-9", 30, supplier="S-VOLTA"
    )  # nobody named the purchase: the supplier's open one is meant
    send_all(site.conn, erp)
    orders.poll(site.conn, erp, datetime.now(UTC))
    open_after = [
        p for p in orders.open_purchases(site.conn, site.id, site.items["PART-CHAIN-9"]) if p.number == row[1]
    ]
    assert [p.open_quantity for p in open_after] == [20]
    assert books.differ() == {}
