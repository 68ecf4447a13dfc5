"""What is in a carton, for the customer: as lines of text and as a page to print."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from uuid import UUID

from backend import ledger
from backend.db import Conn
from backend.errors import NotFound


@dataclass(frozen=True)
class PackingList:
    code: str
    lines: list[str]
    text: str
    html: str


def packing_list(
    conn: Conn,
    site_id: UUID,
    license_plate_id: UUID,
    *,
    title: str = "Packing list",
    head: tuple[str, ...] = (),
) -> PackingList:
    """`head`: order number, addressee and so on, one a line. Raises NotFound."""
    plate = conn.execute(
        "select code, weight_g from license_plate where id = %s and site_id = %s", [license_plate_id, site_id]
    ).fetchone()
    if plate is None:
        raise NotFound("There is no such license plate at this site.")
    rows = ledger.on_plate(conn, site_id, license_plate_id)
    items = {
        r[0]: r[1:]
        for r in conn.execute(
            "select id, sku, name, base_unit from item where id = any(%s)", [[r.item_id for r in rows]]
        ).fetchall()
    }
    table = [
        (
            items[r.item_id][0],
            items[r.item_id][1],
            f"{r.on_hand.normalize():f} {items[r.item_id][2]}",
            " ".join(filter(None, [r.lot_code and f"lot {r.lot_code}", r.serial and f"serial {r.serial}"])),
        )
        for r in rows
    ]
    lines = [
        f"{quantity:>12}  {sku}  {name}{'  ' + more if more else ''}" for sku, name, quantity, more in table
    ]
    top = [f"{title} {plate[0]}", *head] + (
        [f"Weight {plate[1] / 1000:.3f} kg"] if plate[1] is not None else []
    )
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table)
    html = (
        f"<!doctype html><meta charset='utf-8'><title>{escape(top[0])}</title>"
        "<style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:4px 12px;"
        "border-bottom:1px solid #ccc;text-align:left}</style>"
        f"<h1>{escape(top[0])}</h1>{''.join(f'<p>{escape(line)}</p>' for line in top[1:])}"
        f"<table><tr><th>SKU</th><th>Item</th><th>Quantity</th><th></th></tr>{body}</table>"
    )
    return PackingList(plate[0], lines, "\n".join([*top, "", *lines, ""]), html)
