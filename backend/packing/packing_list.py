"""The packing list that goes into a carton, as a page to print: on A4 or letter, and on the A6 of a label printer.

It is for the customer, whose language nobody has told us. In English it is English; in Chinese each heading says the English
beside it, so that either reader finds their way. Another language: a line in `_WORDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any, Literal

from backend.orders import Order
from backend.packing.carton import Carton, CartonContent

Language = Literal["en", "zh"]

_WORDS: dict[Language, dict[str, str]] = {
    "en": {},
    "zh": {
        "Packing list": "装箱单",
        "Order": "订单",
        "Your number": "贵方单号",
        "Customer": "客户",
        "Ship to": "收货地址",
        "Carton number": "箱号",
        "Carton {n} of {all}": "第 {n} 箱，共 {all} 箱",
        "Weight": "重量",
        "Item": "商品",
        "Lot or serial": "批次或序列号",
        "Expires": "有效期至",
        "Quantity": "数量",
        "each": "件",
        "case": "箱",
        "inner": "盒",
        "pallet": "托盘",
    },
}

_STYLE = """@page{margin:12mm}*{box-sizing:border-box}
body{font:13px/1.45 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:#111;margin:0}
@media screen{body{max-width:210mm;margin:0 auto;padding:12mm}}
header{display:flex;justify-content:space-between;align-items:baseline;gap:1em;border-bottom:2px solid #111;padding-bottom:.4em}
h1{font-size:1.7em;line-height:1.2;margin:0}header strong{font-size:1.25em;white-space:nowrap}small{font-size:.8em;color:#555;font-weight:400}
dl{display:grid;grid-template-columns:1fr 1fr;gap:.7em 2em;margin:1em 0 1.4em}dt{font-size:.82em;color:#555}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}th{font-size:.82em;font-weight:600;text-align:left;vertical-align:bottom;border-bottom:1px solid #111}
th small{display:block;font-size:1em}th,td{padding:.45em .8em .45em 0}td{vertical-align:top;border-bottom:1px solid #ccc}
tr{break-inside:avoid}th.n,td.n{text-align:right;padding-right:0;white-space:nowrap;font-variant-numeric:tabular-nums}td.n{font-weight:600}
td span{display:block;font-size:.85em;color:#555}.date{white-space:nowrap}
@media print and (max-width:120mm){@page{margin:6mm}body{font-size:10px}dl{gap:.5em 1em;margin:.8em 0 1em}th,td{padding-right:.5em}}"""


def packing_list(order: Order, c: Carton, cartons: int, language: Language = "en") -> str:
    """HTML; everything from outside is escaped."""
    said = _WORDS[language]
    h = partial(_heading, said)
    manieth = said.get("Carton {n} of {all}", "Carton {n} of {all}").format(n=c.position, all=cartons)
    facts = [
        ("Order", order.number),
        ("Your number", order.external_number if order.external_number != order.number else ""),
        ("Customer", order.customer_name),
        ("Ship to", _address(order.ship_to)),
        ("Carton number", c.sscc),
        ("Weight", f"{(c.weight_g / 1000).normalize():f} kg" if c.weight_g is not None else ""),
    ]
    head = "".join(f"<div><dt>{h(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts if v)
    rows = "".join(_row(n, language) for n in c.contents)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(said.get('Packing list', 'Packing list'))} {escape(c.sscc)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{h('Packing list')}</h1><strong>{escape(manieth)}</strong></header><dl>{head}</dl>"
        f'<table><thead><tr><th>{h("Item")}</th><th>{h("Lot or serial")}</th><th>{h("Expires")}</th><th class="n">{h("Quantity")}</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></body></html>"
    )


def _heading(said: Mapping[str, str], word: str) -> str:
    return f"{escape(said[word])} <small>{escape(word)}</small>" if word in said else escape(word)


def _address(ship_to: Mapping[str, Any]) -> str:
    """Whom and where to; coordinates, windows and notes to the driver are not the customer's to read."""

    def part(*names: str) -> str:
        return " ".join(str(ship_to[name]).strip() for name in names if ship_to.get(name))

    street = part("street", "house_number") or part("address")
    return ", ".join(p for p in (part("name"), street, part("postcode", "city"), part("country")) if p)


def _row(n: CartonContent, language: Language) -> str:
    said = _WORDS[language]
    expires = n.expires_on.isoformat() if n.expires_on else ""
    name = str(n.item_name_i18n.get(language) or n.item_name)
    below = n.sku if name == n.item_name else f"{n.sku} · {n.item_name}"
    return (
        f"<tr><td>{escape(name)}<span>{escape(below)}</span></td><td>{escape(n.serial or n.lot_code or '')}</td>"
        f'<td class="date">{expires}</td><td class="n">{n.quantity.normalize():f} {escape(said.get(n.unit, n.unit))}</td></tr>'
    )
