"""A packing bench's own scanner and scale: an order or tote opens a carton, items go into it, a stable weight is its weight.

A device cannot be argued with: what does not fit is written down (`bench_event`), shown on the bench's screen, and
changes nothing; the event is done all the same. An answer to a scan is the newest event of the bench.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from backend import ledger
from backend.catalog.codes import resolve_code
from backend.context import Context
from backend.db import Conn
from backend.devices import DeviceRow
from backend.errors import Refused
from backend.ledger.reserve import reservations_on_key
from backend.live.announce import announce
from backend.packing.carton import note, open_at_bench
from backend.packing.close import attach_weight
from backend.packing.pack import open_carton, pack
from edge.messages import BarcodeScanned, Event, Weighed

EMPTY_SHARE = Decimal("0.8")
"""A scale that shows less than this share of the empty carton has no carton on it."""


def on_weighed(conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: Weighed) -> None:
    """A stable weight from the bench's scale belongs to the carton that is open there."""
    if not _is_bench(conn, ctx, device.place_id):
        return
    assert device.place_id is not None
    c = open_at_bench(conn, ctx.site_id, device.place_id)
    if c is None or event.occurred_at < c.opened_at:
        return
    gross = data.weight_g + (data.tare_g or 0)
    if gross <= 0 or gross < c.tare_g * EMPTY_SHARE:
        return  # the carton was taken off
    try:
        with conn.transaction():
            attach_weight(conn, ctx, c.id, gross, by=device.code, at=event.occurred_at)
    except Refused as e:
        _refused(conn, ctx, device.place_id, c.id, None, e)


def on_barcode_scanned(
    conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: BarcodeScanned
) -> None:
    """A scan at the bench: order or tote -> its carton is opened; item -> it is packed."""
    if not _is_bench(conn, ctx, device.place_id):
        return
    assert device.place_id is not None
    bench_id = device.place_id
    present = open_at_bench(conn, ctx.site_id, bench_id)
    carton_id = present.id if present else None
    try:
        with conn.transaction():
            found = resolve_code(conn, ctx.site_id, data.text, symbology=data.symbology)
            order_id = (
                found.id
                if found.kind == "sales_order"
                else order_in(conn, ctx, found.license_plate_id)
                if found.item_id is None and found.license_plate_id is not None
                else None
            )
            if order_id is not None:
                open_carton(conn, ctx, order_id, bench_id)
            elif found.item_id is None:
                note(
                    conn,
                    ctx,
                    bench_id,
                    "ignored",
                    f"{found.label} is nothing to pack",
                    carton_id=carton_id,
                    code=data.text,
                )
            elif present is None:
                note(conn, ctx, bench_id, "refused", "Scan the order or its tote first.", code=data.text)
            else:
                pack(conn, ctx, present.id, data.text, symbology=data.symbology)
    except Refused as e:
        _refused(conn, ctx, bench_id, carton_id, data.text, e)
    announce(conn, ctx.site_id, "tasks", bench_id)


def order_in(conn: Conn, ctx: Context, license_plate_id: UUID) -> UUID | None:
    """The order that the goods in a tote are promised to."""
    for row in ledger.on_plate(conn, ctx.site_id, license_plate_id):
        key = (
            row.place_id,
            row.item_id,
            row.lot_id,
            row.serial,
            row.license_plate_id,
            row.owner_id,
            row.status,
        )
        for r in reservations_on_key(conn, ctx.site_id, key):
            if r.demand_kind == "order_line":
                found = conn.execute(
                    "select order_id from sales_order_line where site_id = %s and id = %s",
                    [ctx.site_id, r.demand_id],
                ).fetchone()
                return None if found is None else UUID(str(found[0]))
    return None


def _is_bench(conn: Conn, ctx: Context, place_id: UUID | None) -> bool:
    return place_id is not None and (
        conn.execute(
            "select 1 from place where site_id = %s and id = %s and kind = 'pack_bench'",
            [ctx.site_id, place_id],
        ).fetchone()
        is not None
    )


def _refused(
    conn: Conn, ctx: Context, bench_id: UUID, carton_id: UUID | None, code: str | None, e: Refused
) -> None:
    note(conn, ctx, bench_id, "refused", e.detail, carton_id=carton_id, code=code)
    announce(conn, ctx.site_id, "tasks", bench_id)
