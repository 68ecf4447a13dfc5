"""The packing list that goes into a carton, as a page to print."""

from __future__ import annotations

from html import escape

from backend.orders import Order
from backend.packing.carton import Carton, CartonContent

_STYLE = """body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color:#111}table{border-collapse:collapse;width:100%;margin-top:1rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
h1{font-size:1.3rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#555}"""


def packing_list(order: Order, c: Carton, cartons: int) -> str:
    """HTML; everything from outside is escaped."""
    address = ", ".join(escape(str(v)) for v in order.ship_to.values() if v)
    facts = [
        ("Order", order.number), ("Your number", order.external_number), ("Customer", order.customer_name),
        ("Carton", f"{c.position} of {cartons}"), ("SSCC", c.sscc),
        ("Weight", f"{c.weight_g.normalize():f} g" if c.weight_g is not None else "not weighed"),
    ]  # fmt: skip
    head = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts)
    if address:
        head += f"<dt>Ship to</dt><dd>{address}</dd>"
    rows = "".join(_row(n) for n in c.contents)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Packing list {escape(c.sscc)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>Packing list</h1><dl>{head}</dl><table><thead><tr><th>Item</th><th>Name</th>"
        f'<th>Lot or serial</th><th>Expires</th><th class="n">Quantity</th></tr></thead><tbody>{rows}</tbody></table></body></html>'
    )


def _row(n: CartonContent) -> str:
    cells = [
        n.sku,
        n.item_name,
        n.serial or n.lot_code or "",
        n.expires_on.isoformat() if n.expires_on else "",
    ]
    plain = "".join(f"<td>{escape(x)}</td>" for x in cells)
    return f'<tr>{plain}<td class="n">{n.quantity.normalize():f} {escape(n.unit)}</td></tr>'
