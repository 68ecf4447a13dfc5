"""Tags that pass a portal become one receipt: right items, right lots, each counted once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest

from backend import ledger, receiving
from backend.db import Conn, connect, in_transaction
from backend.receiving import AsnLine, AsnTag, NewAsn
from backend.receiving.portal import PortalWithoutDoor
from backend.receiving.views import ReceiptOut, receipt_out
from device_drivers.gs1 import sgtin96_hex
from tests.backend.receiving_goods import (
    case_tag,
    outcomes,
    pallet_asn,
    passed,
    plate_tag,
    stock,
    unit_tag,
)
from tests.conftest import Warehouse, put_stock


def only_receipt(conn: Conn, w: Warehouse) -> ReceiptOut:
    ids = conn.execute("select id from receipt where site_id = %s", [w.site_id]).fetchall()
    assert len(ids) == 1
    return receipt_out(conn, w.site_id, ids[0][0])


def by_sku(receipt: ReceiptOut) -> dict[str, tuple[str, Decimal, Decimal]]:
    return {line.sku: (line.lot or "", line.expected, line.received) for line in receipt.lines}


def test_a_truck_in_many_passages_becomes_one_receipt_against_its_notice(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    door = warehouse.places["DOCK-1"]
    passed(conn, warehouse.ctx("agent:dock"), door, [plate_tag(1), plate_tag(2), plate_tag(3), plate_tag(4)])
    passed(conn, warehouse.ctx("agent:dock"), door, [unit_tag("DRILL-X", 101)])
    passed(conn, warehouse.ctx("agent:dock"), door, [unit_tag("DRILL-X", 102), unit_tag("DRILL-X", 101)])
    receipt = only_receipt(conn, warehouse)
    assert receipt.asn is not None
    assert (receipt.asn.code, receipt.short, receipt.over) == ("ASN-1", 0, 0)
    assert by_sku(receipt) == {"TEA-250": ("", 24, 24), "MILK-1L": ("L1", 10, 10), "DRILL-X": ("", 2, 2)}
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 2}
    assert ledger.verify(conn) == []


def test_a_pallet_brings_its_contents_and_tags_inside_it_count_nothing_more(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, item_tags=True)
    inside = [unit_tag("TEA-250", 100 + n) for n in range(12)]
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), *inside[:7]])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], inside)
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}
    assert outcomes(conn) == {"received": 1, "inside": 19}


def test_single_tags_first_and_their_pallet_later_count_each_piece_once(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, item_tags=True)
    inside = [unit_tag("TEA-250", 100 + n) for n in range(12)]
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], inside[:5])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 5}
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), *inside])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}
    assert ledger.verify(conn) == []


def test_tags_that_only_their_bits_name_are_taken_for_the_inside_of_the_pallet(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    unnamed = [unit_tag("TEA-250", 9000 + n) for n in range(24)]
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2), *unnamed[:6]])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 12}
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], unnamed)  # 6 more fit, 12 wait for their plate
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24}
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1)])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}
    assert only_receipt(conn, warehouse).over == 0
    assert ledger.verify(conn) == []


@pytest.mark.parametrize("seed", range(6))
def test_any_order_and_split_of_passages_gives_the_same_receipt(
    conn: Conn, warehouse: Warehouse, seed: int
) -> None:
    pallet_asn(conn, warehouse, item_tags=True)
    chance = random.Random(seed)
    tags = [plate_tag(n) for n in (1, 2, 3, 4)]
    tags += [unit_tag("TEA-250", 100 + n) for n in range(12)] + [unit_tag("DRILL-X", n) for n in (101, 102)]
    reads = tags * 2
    chance.shuffle(reads)
    while reads:
        size = chance.randint(1, 9)
        door = warehouse.places[chance.choice(["DOCK-1", "DOCK-1", "DOCK-1", "DOCK-2"])]
        passed(conn, warehouse.ctx(), door, dict.fromkeys(reads[:size]), portal=f"portal-{door}")
        reads = reads[size:]
    receipt = only_receipt(conn, warehouse)
    assert by_sku(receipt) == {"TEA-250": ("", 24, 24), "MILK-1L": ("L1", 10, 10), "DRILL-X": ("", 2, 2)}
    assert stock(conn, warehouse, receipt.dock_door.code) == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 2}
    assert ledger.verify(conn) == []


def test_missed_tags_are_short_and_unexpected_ones_are_over(conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse)
    passed(
        conn, warehouse.ctx(), warehouse.places["DOCK-1"],
        [plate_tag(1), unit_tag("DRILL-X", 101), unit_tag("DRILL-X", 555), case_tag("TEA-250", 7)],
        strays=[unit_tag("DRILL-X", 102), unit_tag("DRILL-X", 777)],
    )  # fmt: skip
    receipt = only_receipt(conn, warehouse)
    # 555 stands in for the drill that was not read; the case of tea is inside the pallet's 24
    assert by_sku(receipt)["DRILL-X"] == ("", 2, 2)
    assert outcomes(conn)["stray_parked"] == 1
    passed(
        conn,
        warehouse.ctx(),
        warehouse.places["DOCK-1"],
        [unit_tag("DRILL-X", 556), case_tag("TEA-250", 8), case_tag("TEA-250", 9)],
    )
    receipt = only_receipt(conn, warehouse)
    over = {line.sku: line.over for line in receipt.lines}
    assert over == {"TEA-250": 12, "MILK-1L": 0, "DRILL-X": 1}


def test_one_weak_sighting_counts_nothing_and_two_add_up(conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1)], confidence=0.3)
    assert stock(conn, warehouse, "DOCK-1") == {}
    assert conn.execute("select count(*) from receipt").fetchone() == (0,)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1)], confidence=0.3)
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}


def test_a_cross_read_at_the_wrong_door_is_corrected_by_the_rest_of_the_truck(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-2"], [unit_tag("DRILL-X", 101)], portal="portal-2")
    assert only_receipt(conn, warehouse).dock_door.code == "DOCK-2"
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), unit_tag("DRILL-X", 102)])
    receipt = only_receipt(conn, warehouse)
    assert receipt.dock_door.code == "DOCK-1"
    assert stock(conn, warehouse, "DOCK-2") == {}
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 2}
    assert ledger.verify(conn) == []


def test_two_trucks_at_two_doors_fill_their_own_receipts(conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse, "ASN-1", first=1, door="DOCK-1")
    pallet_asn(conn, warehouse, "ASN-2", first=11, door="DOCK-2")
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), plate_tag(11)])
    passed(
        conn,
        warehouse.ctx(),
        warehouse.places["DOCK-2"],
        [plate_tag(11), unit_tag("DRILL-X", 1101)],
        portal="portal-2",
    )
    rows = conn.execute(
        "select a.number, p.code from receipt r join asn a on a.id = r.asn_id join place p on p.id = r.dock_door_id order by 1"
    ).fetchall()
    assert rows == [("ASN-1", "DOCK-1"), ("ASN-2", "DOCK-2")]
    assert stock(conn, warehouse, "DOCK-2") == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 1}


def test_the_appointment_at_the_door_decides_where_no_tag_is_named(conn: Conn, warehouse: Warehouse) -> None:
    with conn.transaction():
        for number, door in (("PLAIN-1", "DOCK-1"), ("PLAIN-2", "DOCK-2")):
            receiving.expect(
                conn, warehouse.ctx(),
                NewAsn(number, warehouse.supplier_id, (AsnLine(warehouse.items["TEA-250"], Decimal(3)),), dock_door_id=warehouse.places[door]),
            )  # fmt: skip
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-2"], [unit_tag("TEA-250", n) for n in (1, 2)])
    receipt = only_receipt(conn, warehouse)
    assert receipt.asn is not None
    assert (receipt.asn.code, receipt.short) == ("PLAIN-2", 1)


def test_without_a_notice_a_receipt_is_opened_all_the_same(conn: Conn, warehouse: Warehouse) -> None:
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [unit_tag("TEA-250", 1)])
    passed(
        conn, warehouse.ctx(), warehouse.places["DOCK-1"], [unit_tag("TEA-250", 2), case_tag("TEA-250", 1)]
    )
    receipt = only_receipt(conn, warehouse)
    assert (receipt.asn, receipt.received, receipt.over) == (None, 14, 0)


def test_an_epc_nobody_registered_is_kept_with_its_reads_and_claimed_later(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    stranger = "300833B2DDD9014000000001"
    lotless = unit_tag("MILK-1L", 5)  # two lots could be meant as soon as the notice names none
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2), stranger, "ABCD"])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [stranger])
    receipt = only_receipt(conn, warehouse)
    assert {(u.epc, u.reads) for u in receipt.unknown_tags} == {(stranger, 18), ("ABCD", 9)}
    with conn.transaction():
        new = receiving.claim.NewTag("ABCD", warehouse.items["TEA-250"])
        _, receipt_id = receiving.claim_unknown(conn, warehouse.ctx("user:ann"), new, receive=True)
    assert receipt_id == receipt.id
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 13}
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], ["ABCD"])
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 13}
    passed(
        conn, warehouse.ctx(), warehouse.places["DOCK-1"], [lotless]
    )  # the notice knows one lot only: inside its case
    assert only_receipt(conn, warehouse).unknown_tags_count == 1


def test_a_unit_that_is_in_the_building_is_evidence_and_not_received_again(
    conn: Conn, warehouse: Warehouse
) -> None:
    put_stock(conn, warehouse, "DRILL-X", "A-01-1", "1", serial="77")
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [unit_tag("DRILL-X", 77)])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [unit_tag("DRILL-X", 77)])
    assert stock(conn, warehouse, "DOCK-1") == {}
    assert stock(conn, warehouse, "A-01-1") == {"DRILL-X": 1}
    found = conn.execute("select kind, place_id, evidence ->> 'epc' from discrepancy").fetchall()
    assert found == [("read_elsewhere", warehouse.places["A-01-1"], unit_tag("DRILL-X", 77))]


def test_what_goes_out_again_while_the_receipt_is_open_is_taken_back_and_may_come_again(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    door = warehouse.places["DOCK-1"]
    both = [plate_tag(1), unit_tag("DRILL-X", 101)]
    passed(conn, warehouse.ctx(), door, both)
    passed(conn, warehouse.ctx(), door, both, direction="out")
    assert stock(conn, warehouse, "DOCK-1") == {}
    assert only_receipt(conn, warehouse).received == 0
    assert conn.execute(
        "select count(*) from putaway_task where state in ('open', 'claimed')"
    ).fetchone() == (0,)
    passed(conn, warehouse.ctx(), door, both)
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10, "DRILL-X": 1}
    assert conn.execute("select count(*) from discrepancy").fetchone() == (0,)
    assert ledger.verify(conn) == []


def test_a_pallet_whose_own_tag_was_missed_goes_out_with_the_tags_inside_it(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, item_tags=True)
    inside = [unit_tag("TEA-250", 100 + n) for n in range(12)]
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2), *inside])
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], inside[:2], direction="out")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 12}
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], inside[:8], direction="out")
    assert stock(conn, warehouse, "DOCK-1") == {}


def test_what_leaves_through_a_receiving_door_after_putaway_is_a_discrepancy(
    conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2)])
    plate = conn.execute("select id from license_plate where state = 'open'").fetchone()
    assert plate is not None
    with conn.transaction():
        ledger.move_license_plate(
            conn, warehouse.ctx(), plate[0], warehouse.places["A-01-1"], reason="away", cause_kind="putaway"
        )
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(2)], direction="out")
    assert stock(conn, warehouse, "A-01-1") == {"TEA-250": 12}
    assert conn.execute("select kind from discrepancy").fetchall() == [("left_at_inbound_door",)]


def test_the_same_event_twice_counts_once(conn: Conn, warehouse: Warehouse) -> None:
    pallet_asn(conn, warehouse)
    for _ in range(2):
        passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [plate_tag(1), "ABCD"], passage="p1")
    assert stock(conn, warehouse, "DOCK-1") == {"TEA-250": 24, "MILK-1L": 10}


def test_a_portal_that_stands_at_no_door_is_refused_in_words(conn: Conn, warehouse: Warehouse) -> None:
    for place in (None, warehouse.places["A-01-1"]):
        with pytest.raises(PortalWithoutDoor, match="dock door"):
            passed(conn, warehouse.ctx(), place, [plate_tag(1)])


def test_two_doors_reading_the_same_tags_at_once_count_them_once(
    database_url: str, conn: Conn, warehouse: Warehouse
) -> None:
    pallet_asn(conn, warehouse, item_tags=True)
    tags = [plate_tag(1), unit_tag("DRILL-X", 101), unit_tag("DRILL-X", 102)]
    loose = [unit_tag("TEA-250", 5000 + n) for n in range(10)]

    def unload(door: str) -> None:
        with connect(database_url, autocommit=True) as c:
            for epcs in (loose[:5], tags, loose[5:], tags + loose):
                in_transaction(
                    c, partial(passed, c, warehouse.ctx(), warehouse.places[door], epcs, portal=door)
                )

    with ThreadPoolExecutor(4) as people:
        list(people.map(unload, ("DOCK-1", "DOCK-2") * 2, timeout=120))
    entries = conn.execute(
        "select epc, count(*) from receipt_entry where epc is not null and reversed_at is null group by epc having count(*) > 1"
    ).fetchall()
    assert entries == []
    assert conn.execute("select count(*) from receipt where asn_id is not null").fetchone() == (1,)
    assert conn.execute(
        "select sum(quantity) from receipt_entry e join item i on i.id = e.item_id where i.sku in ('MILK-1L', 'DRILL-X') and reversed_at is null"
    ).fetchone() == (12,)
    assert ledger.verify(conn) == []


def test_an_unknown_pack_of_serial_items_is_not_guessed_at(conn: Conn, warehouse: Warehouse) -> None:
    with conn.transaction():
        receiving.expect(
            conn,
            warehouse.ctx(),
            NewAsn("ASN-9", warehouse.supplier_id, tags=(AsnTag(unit_tag("DRILL-X", 1)),)),
        )
    conn.execute(
        "insert into item_pack (id, item_id, name, units, gtin) values (gen_random_uuid(), %s, 'case', 4, '16412345000033')",
        [warehouse.items["DRILL-X"]],
    )
    four = sgtin96_hex("16412345000033", 7, 1)
    passed(conn, warehouse.ctx(), warehouse.places["DOCK-1"], [unit_tag("DRILL-X", 1), four])
    assert stock(conn, warehouse, "DOCK-1") == {"DRILL-X": 1}
    reasons = conn.execute("select reason from unknown_tag").fetchall()
    assert reasons == [("The tag stands for 4 of DRILL-X, which is kept by serial number.",)]
