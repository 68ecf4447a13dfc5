"""What each document does to Tryton's stock and orders, on a real server. The contract suite of a connector."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from backend.integration.erp.connector import (
    ErpClosedPeriod,
    ErpRefused,
    ErpShortage,
    ErpUnknownItem,
    Kind,
    NewLine,
    NewOrder,
)
from backend.integration.erp.tryton import TrytonConnector
from tests.integration_erp.conftest import (
    COLD,
    CUSTOMER,
    LOST,
    QUARANTINE,
    STORAGE,
    SUPPLIER,
    document,
    line,
    receive,
    reference,
    today,
)

pytestmark = pytest.mark.tryton
Change = Callable[[str, str], Decimal]


def purchase(erp: TrytonConnector, **quantities: int) -> str:
    lines = tuple(NewLine(item.replace("_", "-"), Decimal(q)) for item, q in quantities.items())
    return erp.create_purchase(NewOrder(reference(), "S-NORD", lines)).id


def sale(erp: TrytonConnector, **quantities: int) -> str:
    lines = tuple(NewLine(item.replace("_", "-"), Decimal(q)) for item, q in quantities.items())
    return erp.create_sale(NewOrder(reference(), "C-WEB", lines)).id


def open_sale(erp: TrytonConnector, order: str) -> dict[str, Decimal]:
    (found,) = [o for o in erp.sales_changed_since(None) if o.id == order] or [None]
    return {} if found is None else {x.item: x.open_quantity for x in found.lines}


def open_purchase(erp: TrytonConnector, order: str) -> dict[str, Decimal]:
    (found,) = [o for o in erp.purchases_changed_since(None) if o.id == order] or [None]
    return {} if found is None else {x.item: x.open_quantity for x in found.lines}


def test_the_server_says_who_it_is(erp: TrytonConnector) -> None:
    assert "Stowage Demo" in erp.identify()


def test_a_price_with_more_digits_than_the_erp_keeps_is_rounded_to_its_own(erp: TrytonConnector) -> None:
    lines = (NewLine("GRC-TEA-100", Decimal(96), Decimal("2.123456")),)
    made = erp.create_purchase(NewOrder(reference(), "S-NORD", lines)).id
    (found,) = [o for o in erp.purchases_changed_since(None) if o.id == made]
    assert [x.unit_price for x in found.lines] == [Decimal("2.1235")]


def test_a_receipt_without_an_order_arrives_where_the_line_says(erp: TrytonConnector, change: Change) -> None:
    posted = erp.post(
        document(
            Kind.RECEIPT,
            line("GRC-CHOC-90", 12, SUPPLIER, STORAGE),
            line("COLD-YOG-500", 6, SUPPLIER, COLD, lot="Y1"),
            line("COLD-YOG-500", 4, SUPPLIER, QUARANTINE, lot="Y1"),
            line("COLD-YOG-500", 3, SUPPLIER, COLD, lot="Y2"),
            partner="S-NORD",
        )
    )
    assert posted.number
    assert change("GRC-CHOC-90", STORAGE) == 12
    assert change("COLD-YOG-500", COLD) == 9
    assert change("COLD-YOG-500", QUARANTINE) == 4


def test_posting_the_same_document_again_moves_nothing(erp: TrytonConnector, change: Change) -> None:
    once = document(Kind.RECEIPT, line("GRC-CHOC-90", 5, SUPPLIER, STORAGE), partner="S-NORD")
    assert erp.post(once) == erp.post(once)
    assert change("GRC-CHOC-90", STORAGE) == 5


def test_a_partial_receipt_leaves_the_rest_on_the_purchase(erp: TrytonConnector, change: Change) -> None:
    order = purchase(erp, GRC_CHOC_90=20, GRC_RICE_5=8)
    erp.post(document(Kind.RECEIPT, line("GRC-CHOC-90", 15, SUPPLIER, STORAGE), order=order))
    assert change("GRC-CHOC-90", STORAGE) == 15
    assert open_purchase(erp, order) == {"GRC-CHOC-90": 5, "GRC-RICE-5": 8}
    erp.post(
        document(
            Kind.RECEIPT,
            line("GRC-CHOC-90", 5, SUPPLIER, STORAGE),
            line("GRC-RICE-5", 5, SUPPLIER, STORAGE, lot="A"),
            line("GRC-RICE-5", 3, SUPPLIER, STORAGE, lot="B"),
            order=order,
        )
    )
    assert change("GRC-CHOC-90", STORAGE) == 20
    assert change("GRC-RICE-5", STORAGE) == 8
    assert not any(open_purchase(erp, order).values())


def test_what_comes_over_and_what_nobody_ordered_is_booked_too(erp: TrytonConnector, change: Change) -> None:
    order = purchase(erp, GRC_CHOC_90=10)
    erp.post(
        document(
            Kind.RECEIPT,
            line("GRC-CHOC-90", 13, SUPPLIER, STORAGE),
            line("PACK-TAPE-66", 2, SUPPLIER, STORAGE),
            order=order,
        )
    )
    assert change("GRC-CHOC-90", STORAGE) == 13
    assert change("PACK-TAPE-66", STORAGE) == 2
    assert not any(open_purchase(erp, order).values())


def test_a_shipment_fulfils_its_sale_and_what_was_not_shipped_stays_open(
    erp: TrytonConnector, change: Change
) -> None:
    receive(erp, "GRC-CHOC-90", 30)
    receive(erp, "GRC-OIL-1", 10, lot="O1")
    receive(erp, "GRC-OIL-1", 10, lot="O2")
    order = sale(erp, GRC_CHOC_90=10, GRC_OIL_1=12)
    erp.post(
        document(
            Kind.SHIPMENT,
            line("GRC-CHOC-90", 7, STORAGE, CUSTOMER),
            line("GRC-OIL-1", 6, STORAGE, CUSTOMER, lot="O1"),
            line("GRC-OIL-1", 2, STORAGE, CUSTOMER, lot="O2"),
            order=order,
        )
    )
    assert change("GRC-CHOC-90", STORAGE) == 23
    assert change("GRC-OIL-1", STORAGE) == 12
    assert open_sale(erp, order) == {"GRC-CHOC-90": 3, "GRC-OIL-1": 4}
    erp.post(
        document(
            Kind.SHIPMENT,
            line("GRC-CHOC-90", 3, STORAGE, CUSTOMER),
            line("GRC-OIL-1", 4, STORAGE, CUSTOMER, lot="O1"),
            order=order,
        )
    )
    assert change("GRC-CHOC-90", STORAGE) == 20
    assert not any(open_sale(erp, order).values())


def test_goods_are_shipped_from_the_cold_room_itself(erp: TrytonConnector, change: Change) -> None:
    receive(erp, "COLD-VAC-10", 5, to=COLD, lot="V1")
    order = sale(erp, COLD_VAC_10=2)
    erp.post(document(Kind.SHIPMENT, line("COLD-VAC-10", 2, COLD, CUSTOMER, lot="V1"), order=order))
    assert change("COLD-VAC-10", COLD) == 3
    assert change("COLD-VAC-10", STORAGE) == 0


def test_a_shipment_without_a_sale_is_booked_on_the_customer(erp: TrytonConnector, change: Change) -> None:
    receive(erp, "PART-BRAKE-P", 9)
    receive(erp, "COLD-VAC-10", 5, to=COLD, lot="V7")
    erp.post(
        document(
            Kind.SHIPMENT,
            line("PART-BRAKE-P", 4, STORAGE, CUSTOMER),
            line("COLD-VAC-10", 2, COLD, CUSTOMER, lot="V7"),
            partner="C-WEB",
        )
    )
    assert change("PART-BRAKE-P", STORAGE) == 5
    assert change("COLD-VAC-10", COLD) == 3


def test_many_shipments_go_together_and_one_that_is_refused_does_not_hold_the_others(
    erp: TrytonConnector, change: Change
) -> None:
    receive(erp, "PART-BULB-LED", 20)
    orders = [sale(erp, PART_BULB_LED=q) for q in (4, 500, 6)]
    outcomes = erp.post_together(
        [
            document(Kind.SHIPMENT, line("PART-BULB-LED", q, STORAGE, CUSTOMER), order=order)
            for q, order in zip((4, 500, 6), orders, strict=True)
        ]
    )
    assert [isinstance(outcome, ErpShortage) for outcome in outcomes] == [False, True, False]
    assert change("PART-BULB-LED", STORAGE) == 10
    assert open_sale(erp, orders[1]) == {"PART-BULB-LED": 500}
    erp.post(document(Kind.SHIPMENT, line("PART-BULB-LED", 10, STORAGE, CUSTOMER), order=orders[1]))
    assert open_sale(erp, orders[1]) == {"PART-BULB-LED": 490}


def test_an_internal_move_changes_the_location_and_not_the_sum(erp: TrytonConnector, change: Change) -> None:
    receive(erp, "COLD-INS-3", 10, lot="I1")
    receive(erp, "PACK-TAPE-66", 10)
    erp.post(
        document(
            Kind.INTERNAL,
            line("COLD-INS-3", 6, STORAGE, COLD, lot="I1"),
            line("PACK-TAPE-66", 1, STORAGE, COLD),
        ),
    )
    assert change("COLD-INS-3", STORAGE) == 4
    assert change("COLD-INS-3", COLD) == 6
    assert change("PACK-TAPE-66", COLD) == 1


def test_a_move_of_more_than_tryton_has_is_refused_and_leaves_nothing_behind(
    erp: TrytonConnector, change: Change
) -> None:
    receive(erp, "MED-GLOVE-M", 3, to=COLD)
    again = document(
        Kind.INTERNAL,
        line("MED-GLOVE-M", 2, STORAGE, QUARANTINE),
        line("MED-GLOVE-M", 3, STORAGE, QUARANTINE, key="b"),
    )
    with pytest.raises(ErpShortage, match="0 of 5 MED-GLOVE-M from STO") as refused:
        erp.post(again)
    assert refused.value.lines == {x.key for x in again.lines}
    assert not refused.value.remains
    assert change("MED-GLOVE-M", COLD) == 3
    receive(erp, "MED-GLOVE-M", 5)
    erp.post(again)
    assert change("MED-GLOVE-M", QUARANTINE) == 5


def test_a_count_is_a_difference_on_what_tryton_expects(erp: TrytonConnector, change: Change) -> None:
    receive(erp, "PART-CHAIN-9", 10)
    receive(erp, "GRC-TEA-100", 10, lot="T1")
    counted = document(
        Kind.COUNT,
        line("PART-CHAIN-9", 2, STORAGE, LOST),
        line("PART-CHAIN-9", 1, LOST, STORAGE),
        line("GRC-TEA-100", 3, LOST, STORAGE, lot="T2"),
    )
    erp.post(counted)
    receive(erp, "PART-CHAIN-9", 5)
    erp.post(counted)
    assert change("PART-CHAIN-9", STORAGE) == 14
    assert change("GRC-TEA-100", STORAGE) == 13


def test_a_count_that_takes_more_than_tryton_has_is_refused_by_line(
    erp: TrytonConnector, change: Change
) -> None:
    with pytest.raises(ErpShortage) as refused:
        erp.post(
            document(
                Kind.COUNT,
                line("TOOL-DRILL-18", 1, QUARANTINE, LOST, key="x"),
                line("MED-MASK-50", 1, LOST, QUARANTINE, lot="M", key="y"),
            )
        )
    assert refused.value.lines == {"x"}
    assert change("MED-MASK-50", QUARANTINE) == 0


def test_returns_come_back_from_customers_and_go_back_to_suppliers(
    erp: TrytonConnector, change: Change
) -> None:
    erp.post(
        document(
            Kind.CUSTOMER_RETURN,
            line("GRC-WATER-6", 4, CUSTOMER, QUARANTINE),
            line("GRC-WATER-6", 2, CUSTOMER, STORAGE),
            partner="C-CAFE",
        )
    )
    assert change("GRC-WATER-6", QUARANTINE) == 4
    assert change("GRC-WATER-6", STORAGE) == 2
    erp.post(document(Kind.SUPPLIER_RETURN, line("GRC-WATER-6", 3, QUARANTINE, SUPPLIER), partner="S-NORD"))
    assert change("GRC-WATER-6", QUARANTINE) == 1


def test_an_unknown_item_names_its_line_and_sends_nothing(erp: TrytonConnector, change: Change) -> None:
    with pytest.raises(ErpUnknownItem, match="NO-SUCH") as refused:
        erp.post(
            document(
                Kind.RECEIPT,
                line("NO-SUCH", 1, SUPPLIER, STORAGE, key="bad"),
                line("GRC-CHOC-90", 1, SUPPLIER, STORAGE),
                partner="S-NORD",
            )
        )
    assert refused.value.lines == {"bad"}
    assert change("GRC-CHOC-90", STORAGE) == 0


def test_a_closed_period_is_said_as_such(erp: TrytonConnector, change: Change) -> None:
    a_year_ago = today() - timedelta(days=365)
    period = erp._create("stock.period", {"company": 1, "date": a_year_ago})
    erp._call("stock.period", "close", [period])
    late = document(
        Kind.RECEIPT,
        line("GRC-CHOC-90", 1, SUPPLIER, STORAGE),
        partner="S-NORD",
        on=a_year_ago - timedelta(days=30),
    )
    with pytest.raises(ErpClosedPeriod, match="reopen period"):
        erp.post(late)
    erp._call("stock.period", "draft", [period])
    erp.post(late)
    assert change("GRC-CHOC-90", STORAGE) == 1


def test_an_unknown_partner_or_location_or_order_is_a_refusal_with_its_name(erp: TrytonConnector) -> None:
    for wrong, said in (
        (document(Kind.RECEIPT, line("GRC-CHOC-90", 1, SUPPLIER, STORAGE), partner="S-NOBODY"), "S-NOBODY"),
        (document(Kind.INTERNAL, line("GRC-CHOC-90", 1, "ATTIC", STORAGE)), "ATTIC"),
        (document(Kind.SHIPMENT, line("GRC-CHOC-90", 1, STORAGE, CUSTOMER), order="999999"), "999999"),
        (document(Kind.SHIPMENT, line("GRC-CHOC-90", 1, STORAGE, CUSTOMER)), "customer"),
    ):
        with pytest.raises(ErpRefused, match=said):
            erp.post(wrong)


def test_a_lot_is_asked_for_before_anything_is_sent(erp: TrytonConnector) -> None:
    with pytest.raises(ErpRefused, match="by lot"):
        erp.post(document(Kind.RECEIPT, line("COLD-YOG-500", 1, SUPPLIER, STORAGE), partner="S-NORD"))


def test_an_order_of_ours_becomes_one_sale_in_tryton(erp: TrytonConnector) -> None:
    order = NewOrder(
        reference(),
        "C-CLINIC",
        (NewLine("COLD-INS-3", Decimal(2), Decimal("61.50")), NewLine("MED-GLOVE-M", Decimal(3))),
    )
    made = erp.create_sale(order)
    assert erp.create_sale(order) == made
    (seen,) = [o for o in erp.sales_changed_since(None) if o.id == made.id]
    assert (seen.reference, seen.partner, seen.state, seen.currency) == (
        order.reference,
        "C-CLINIC",
        "confirmed",
        "EUR",
    )
    assert [(x.item, x.quantity, x.open_quantity, x.unit_price) for x in seen.lines] == [
        ("COLD-INS-3", 2, 2, Decimal("61.5")),
        ("MED-GLOVE-M", 3, 3, Decimal("7.9")),
    ]


def test_only_what_changed_since_is_read_again(erp: TrytonConnector) -> None:
    first, second = sale(erp, MED_GLOVE_M=1), sale(erp, MED_GLOVE_M=2)
    changes = {o.id: o for o in erp.sales_changed_since(None)}
    newest = changes[second].changed_at
    assert second in {o.id for o in erp.sales_changed_since(newest)}
    assert first in changes


def test_master_data_can_be_read_for_an_import(erp: TrytonConnector) -> None:
    products = {p.code: p for p in erp.products()}
    assert products["COLD-INS-3"].tracks_lots
    assert products["COLD-INS-3"].gtin
    assert {o.partner for o in products["MED-GLOVE-M"].suppliers} == {"S-HELIX", "S-NORD"}
    assert products["GRC-OIL-1"].suppliers[0].lead_time_d == 5
    partners = {p.code: p for p in erp.partners()}
    assert partners["S-VOLTA"].is_supplier
    assert partners["C-WEB"].is_customer
    assert {(x.code, x.parent) for x in erp.locations()} >= {("COLD", "STO"), ("QUA", "STO")}
