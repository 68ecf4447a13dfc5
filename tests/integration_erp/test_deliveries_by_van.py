"""What our own vans bring, in Tryton: in transit from the departure, delivered when it is proved, back where it was not taken."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from backend import dispatch, ledger
from backend.db import Conn
from backend.dispatch.proof import HandedOver
from backend.ids import new_id
from backend.integration.erp import orders as erp_orders
from backend.integration.erp import reconcile
from backend.integration.erp.connect import connect
from backend.integration.erp.connector import ErpRefused, ErpShortage, Kind, NewLine, NewOrder
from backend.integration.erp.tryton import TrytonConnector
from tests.backend.dispatch.road import Customer, Drive, drive
from tests.conftest import Warehouse
from tests.integration_erp.conftest import (
    CUSTOMER,
    QUARANTINE,
    STORAGE,
    Site,
    document,
    line,
    receive,
    reference,
    send_all,
    stock,
)
from tests.integration_erp.proxy import Proxy
from tests.integration_erp.test_tryton_documents import open_sale, sale

pytestmark = pytest.mark.tryton
IN_TRANSIT = "IN_TRANSIT"
TEA, YOGURT = "GRC-CHOC-90", "COLD-YOG-500"


def test_goods_go_in_transit_and_the_sale_is_shipped_from_there_with_its_lots(erp: TrytonConnector) -> None:
    before = stock(erp, STORAGE, IN_TRANSIT)
    receive(erp, TEA, 30)
    receive(erp, YOGURT, 10, lot="V1")
    order = sale(erp, GRC_CHOC_90=10, COLD_YOG_500=4)
    erp.post(
        document(
            Kind.INTERNAL, line(TEA, 10, STORAGE, IN_TRANSIT), line(YOGURT, 4, STORAGE, IN_TRANSIT, lot="V1")
        )
    )
    erp.post(
        document(
            Kind.SHIPMENT,
            line(TEA, 6, IN_TRANSIT, CUSTOMER),
            line(YOGURT, 4, IN_TRANSIT, CUSTOMER, lot="V1"),
            order=order,
        )
    )
    assert open_sale(erp, order) == {TEA: 4, YOGURT: 0}
    after = stock(erp, STORAGE, IN_TRANSIT)

    def change(item: str, location: str) -> Decimal:
        return after.get((item, location), Decimal(0)) - before.get((item, location), Decimal(0))

    assert (change(TEA, STORAGE), change(TEA, IN_TRANSIT)) == (20, 4)
    assert (change(YOGURT, STORAGE), change(YOGURT, IN_TRANSIT)) == (6, 0)
    erp.post(document(Kind.INTERNAL, line(TEA, 4, IN_TRANSIT, QUARANTINE)))
    assert open_sale(erp, order)[TEA] == 4


def test_more_than_is_in_transit_is_not_taken_from_the_shelves(erp: TrytonConnector) -> None:
    receive(erp, TEA, 30)
    order = sale(erp, GRC_CHOC_90=10)
    left = stock(erp, IN_TRANSIT).get((TEA, IN_TRANSIT), Decimal(0))
    with pytest.raises(ErpShortage):
        erp.post(document(Kind.SHIPMENT, line(TEA, left + 1, IN_TRANSIT, CUSTOMER), order=order))
    assert open_sale(erp, order) == {TEA: 10}


def test_a_transit_location_outside_the_warehouse_is_refused_with_what_to_do(erp: TrytonConnector) -> None:
    order = sale(erp, GRC_CHOC_90=1)
    with pytest.raises(ErpRefused, match="Make a location with code TRANSIT"):
        erp.post(document(Kind.SHIPMENT, line(TEA, 1, "TRANSIT", CUSTOMER), order=order))
    assert open_sale(erp, order) == {TEA: 1}


# --- with the road's own functions ------------------------------------------------------------------------


def as_warehouse(conn: Conn, site: Site) -> Warehouse:
    """The site as the road's tests know one: with benches, staging and a quarantine place that Tryton knows."""
    for code, kind, location in (
        ("BENCH-1", "pack_bench", STORAGE),
        ("STAGE-OUT", "staging", STORAGE),
        ("DOCK-2", "dock_door", STORAGE),
    ):
        site.places[code] = new_id()
        conn.execute(
            "insert into place (id, site_id, code, kind, erp_location) values (%s, %s, %s, %s, %s)",
            [site.places[code], site.id, code, kind, location],
        )
    conn.execute("update site set gs1_company_prefix = '6412345' where id = %s", [site.id])
    conn.execute("update item set weight_g = 100")
    return Warehouse(
        site.id, "HAM1", site.places, site.items, site.partners["S-NORD"], site.partners["C-WEB"]
    )


def sold_here(conn: Conn, erp: TrytonConnector, d: Drive, name: str, quantity: int) -> str:
    """The order is a sale in Tryton."""
    sale_id = erp.create_sale(NewOrder(reference(), "C-WEB", (NewLine(TEA, Decimal(quantity)),))).id
    conn.execute(
        "update sales_order set erp_id = %s, erp_number = %s where id = %s",
        [sale_id, f"S{sale_id}", d.orders[name].id],
    )
    return sale_id


def changes(erp: TrytonConnector, before: dict[tuple[str, str], Decimal]) -> dict[str, Decimal]:
    after = stock(erp, STORAGE, QUARANTINE, IN_TRANSIT)
    zero = Decimal(0)
    return {
        at: after.get((TEA, at), zero) - before.get((TEA, at), zero)
        for at in (STORAGE, QUARANTINE, IN_TRANSIT)
    }


def drift(
    conn: Conn, erp: TrytonConnector, site: Site, before: dict[tuple[str, str], Decimal]
) -> dict[str, Decimal]:
    """The server is shared with other tests: what was there before ours is set aside."""
    found = reconcile.compare(conn, erp, site.id)
    return {
        d.location: x
        for d in found
        if d.sku == TEA and (x := d.drift - before.get((TEA, d.location), Decimal(0)))
    }


def test_two_of_five_refused_one_not_at_home_and_one_missing(
    conn: Conn, erp: TrytonConnector, site: Site
) -> None:
    before = stock(erp, STORAGE, QUARANTINE, IN_TRANSIT)
    w = as_warehouse(conn, site)
    site.receive(TEA, 60)
    d = drive(conn, w, Customer("Kahvila", 5, TEA), Customer("Kioski", 1, TEA), Customer("Hukka", 1, TEA))
    sales = {
        name: sold_here(conn, erp, d, name, q) for name, q in (("Kahvila", 20), ("Kioski", 4), ("Hukka", 4))
    }
    d.leave()
    assert send_all(conn, erp).failed is None
    assert changes(erp, before) == {STORAGE: 32, QUARANTINE: 0, IN_TRANSIT: 28}
    assert open_sale(erp, sales["Kahvila"]) == {TEA: 20}, "what is aboard is not delivered"
    assert any((d.location, d.sku) == (IN_TRANSIT, TEA) for d in reconcile.compare(conn, erp, site.id))
    assert drift(conn, erp, site, before) == {}

    lines = [HandedOver(c.sscc) for c in d.cartons["Kahvila"][:3]]
    lines += [HandedOver(c.sscc, "none", reason="too much") for c in d.cartons["Kahvila"][3:]]
    d.deliver("Kahvila", *lines)
    d.fail("Kioski", "nobody_there")
    d.fail("Hukka", "nobody_there")
    assert send_all(conn, erp).failed is None
    assert open_sale(erp, sales["Kahvila"]) == {TEA: 8}
    assert changes(erp, before)[IN_TRANSIT] == 16

    for code in (d.sscc("Kahvila", 3), d.sscc("Kahvila", 4), d.sscc("Kioski")):
        d.unload(code)
    d.finish(anyway=True, reason="not in the van", may_anyway=True)
    assert send_all(conn, erp).failed is None
    assert site.states().keys() == {"posted"}
    assert changes(erp, before) == {STORAGE: 36, QUARANTINE: 8, IN_TRANSIT: 0}
    assert open_sale(erp, sales["Kahvila"]) == {TEA: 8}, "refused: outstanding until sales decides"
    assert open_sale(erp, sales["Kioski"]) == {TEA: 4}
    assert drift(conn, erp, site, before) == {}
    assert ledger.verify(conn) == []
    assert dispatch.verify(conn) == []
    # what Tryton calls delivered is what was proved
    proved = conn.execute("select sum(delivered) from delivery_proof_line").fetchone()
    ordered = {"Kahvila": 20, "Kioski": 4, "Hukka": 4}
    outstanding = sum(sum(open_sale(erp, s).values()) for s in sales.values())
    assert proved == (sum(ordered.values()) - outstanding,)


def test_at_whichever_call_the_answer_is_lost_a_delivery_is_there_once(
    erp: TrytonConnector, site: Site, proxy: Proxy
) -> None:
    """The first writing call of a hand-over loses its answer, then the second, until one goes through in one go."""
    before = stock(erp, STORAGE, QUARANTINE, IN_TRANSIT)
    sold = erp.create_sale(NewOrder(reference(), "C-WEB", (NewLine(TEA, Decimal(1000)),))).id
    erp_orders.poll(site.conn, erp, datetime.now(UTC))
    row = site.conn.execute(
        "select our_id from erp_seen where kind = 'sale' and erp_id = %s", [sold]
    ).fetchone()
    assert row is not None
    order_id: UUID = row[0]
    site.receive(TEA, 300)
    site.move(TEA, 40, "A-01", "IN-TRANSIT", cause="shipment", order_id=str(order_id))
    send_all(site.conn, erp)
    between = connect(proxy.url)
    for number in range(1, 20):
        posting = site.move(TEA, 3, "IN-TRANSIT", "CUSTOMER", cause="delivery", order_id=str(order_id))
        proxy.writes.clear()
        proxy.decide = lambda method, at, number=number: "lose_answer" if at == number else "pass"  # type: ignore[misc]
        broken = send_all(site.conn, between).failed is not None
        if broken:
            assert send_all(site.conn, between).failed is None
        assert site.posting(posting)[0] == "posted"
        if not broken:
            break
    between.close()
    assert number == 7
    assert changes(erp, before) == {STORAGE: 260, QUARANTINE: 0, IN_TRANSIT: 40 - 3 * 7}
    assert open_sale(erp, sold) == {TEA: 1000 - 3 * 7}
