"""What the ERP holds, told by its own moves alone: stock by location, what came from suppliers, what went to customers.

Asked over the ERP's own interface, past our connector: what the backend believes of the ERP is not asked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from backend.integration.erp.tryton_rpc import TrytonRpc
from tests.demo.delivery_truth import Goods, Warehouse

PAGE = 500
OUTSIDE = ("supplier", "customer", "lost_found", "production", "drop")
Stock = Counter[tuple[str, str]]
"""sku, ERP location -> pieces; nothing that is zero."""


@dataclass(frozen=True)
class Move:
    sku: str
    lot: str | None
    quantity: int
    source: dict[str, Any]
    target: dict[str, Any]


def done_moves(url: str) -> list[Move]:
    """Everything the ERP has really moved, from the first day on."""
    parts = urlsplit(url)
    rpc = TrytonRpc(
        f"http://{parts.hostname}:{parts.port}", parts.path.strip("/"), parts.username or "", parts.password or ""
    )  # fmt: skip

    def rows(model: str, domain: list[Any], *names: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while page := rpc.call(
            f"model.{model}.search_read", domain, offset, PAGE, [("id", "ASC")], ["id", *names]
        ):
            yield from page
            offset += PAGE

    try:
        skus = {r["id"]: r["code"] for r in rows("product.product", [], "code")}
        lots = {r["id"]: r["number"] for r in rows("stock.lot", [], "number")}
        places = {r["id"]: r for r in rows("stock.location", [], "code", "name", "type")}
        return [
            Move(
                skus[r["product"]],
                lots[r["lot"]] if r["lot"] else None,
                int(r["internal_quantity"]),
                places[r["from_location"]],
                places[r["to_location"]],
            )
            for r in rows(
                "stock.move", [("state", "=", "done")],
                "product", "lot", "internal_quantity", "from_location", "to_location",
            )
        ]  # fmt: skip
    finally:
        rpc.close()


def exactly(sums: Counter[Any]) -> Counter[Any]:
    """Without zeros; what is below zero stays, to be seen."""
    return Counter({key: quantity for key, quantity in sums.items() if quantity})


def on_hand(moves: list[Move]) -> Stock:
    """In every location inside, also those that goods only pass through: nothing may be left there."""
    sums: Stock = Counter()
    for m in moves:
        for place, sign in ((m.source, -1), (m.target, 1)):
            if place["type"] not in OUTSIDE:
                sums[m.sku, place["code"] or place["name"]] += sign * m.quantity
    return exactly(sums)


def over_the_border(moves: list[Move], kind: str) -> Counter[tuple[str, str | None]]:
    """sku, lot -> pieces that went to locations of this kind, less what came from there."""
    sums: Counter[tuple[str, str | None]] = Counter()
    for m in moves:
        for place, sign in ((m.source, -1), (m.target, 1)):
            if place["type"] == kind:
                sums[m.sku, m.lot] += sign * m.quantity
    return exactly(sums)


def by_sku(sums: Counter[Any]) -> Counter[str]:
    total: Counter[str] = Counter()
    for key, quantity in sums.items():
        total[key[0]] += quantity
    return exactly(total)


def by_lot(goods: Goods) -> Counter[tuple[str, str | None]]:
    total: Counter[tuple[str, str | None]] = Counter()
    for (sku, lot, _), quantity in goods.items():
        total[sku, lot] += quantity
    return exactly(total)


def in_the_ledger(w: Warehouse, aboard: Goods) -> Stock:
    """The balances by the ERP location that their place belongs to, and what is aboard the vans as on its way."""
    places = {p["id"]: p for p in w.pages("/places")}
    (transit,) = [p for p in places.values() if p["kind"] == "in_transit"]

    def location(place: dict[str, Any]) -> str:
        while place["erp_location"] is None:
            place = places[place["parent_id"]]
        return str(place["erp_location"])

    sums: Stock = Counter()
    for b in w.pages("/balances"):
        sums[b["sku"], location(places[b["place_id"]])] += int(b["on_hand"])
    for (sku, _, _), quantity in aboard.items():
        sums[sku, location(transit)] += quantity
    return exactly(sums)
