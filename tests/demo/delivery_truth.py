"""What left with the vans and what became of it, told three ways: by the world, by the ledger, by the proofs of delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from stowage.demo.truth import Fact

Goods = Counter[tuple[str, str | None, str | None]]
"""sku, lot, serial -> pieces."""


class Warehouse(Protocol):
    """What is asked of the running system here."""

    def get(self, path: str, **query: Any) -> Any: ...
    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]: ...
    def truth(self, what: str) -> list[Fact]: ...


def goods_of(pieces: list[dict[str, Any]]) -> Goods:
    found: Goods = Counter()
    for p in pieces:
        found[p["sku"], p["lot"], p["serial"]] += p["quantity"]
    return +found


def carried_by_van(w: Warehouse) -> list[Fact]:
    return [f for f in w.truth("departed") if "route" in f]


def left_with_vans(w: Warehouse) -> Goods:
    """By the world: what was packed in the cartons that vans took, again for those that went twice, less what came back once."""
    packed = {f["sscc"]: f["goods"] for f in w.truth("packed")}
    back: dict[tuple[str, str], Goods] = {}
    for f in w.truth("brought_back"):
        back[f["route"], f["sscc"]] = goods_of(f["goods"])
    total: Goods = Counter()
    inside: dict[str, Goods] = {}
    for f in carried_by_van(w):
        for sscc in f["cartons"]:
            inside[sscc] = inside.get(sscc, goods_of(packed[sscc]))
            total += inside[sscc]
            if (f["route"], sscc) in back:
                inside[sscc] = back[f["route"], sscc]  # what a second attempt takes along
    return total


def delivered(w: Warehouse) -> list[Fact]:
    undone = Counter(f["job"] for f in w.truth("not_delivered"))
    found = []
    for f in w.truth("delivered"):
        if undone[f["job"]] > 0:
            undone[f["job"]] -= 1
            continue
        found.append(f)
    return found


def by_world(w: Warehouse) -> dict[str, Goods]:
    given: Goods = Counter()
    back: Goods = Counter()
    for f in delivered(w):
        given += goods_of(f["goods"])
    for f in w.truth("brought_back"):
        back += goods_of(f["goods"])
    left = left_with_vans(w)
    return {"left": left, "delivered": given, "back": back, "aboard": left - given - back}


def by_ledger(w: Warehouse) -> dict[str, Goods]:
    """From the movements through the in-transit place, nothing else."""
    (transit,) = [p for p in w.pages("/places") if p["kind"] == "in_transit"]
    customers = {p["id"] for p in w.pages("/places") if p["kind"] == "customer"}
    sums: dict[str, Goods] = {"left": Counter(), "delivered": Counter(), "back": Counter()}
    for m in w.pages("/movements", place_id=transit["id"], limit=200):
        key, quantity = (m["sku"], m["lot_code"], m["serial"]), int(float(m["quantity"]))
        if m["to_place_id"] == transit["id"]:
            sums["left"][key] += quantity
        else:
            sums["delivered" if m["to_place_id"] in customers else "back"][key] += quantity
    sums["aboard"] = sums["left"] - sums["delivered"] - sums["back"]
    return sums


def by_proofs(w: Warehouse) -> Goods:
    total: Goods = Counter()
    for proof in w.pages("/delivery-proofs", limit=100):
        for line in proof["lines"]:
            total[line["sku"], line["lot"], line["serial"]] += int(float(line["delivered"]))
    return +total


def all_agree(w: Warehouse) -> bool:
    world, ledger = by_world(w), by_ledger(w)
    within = world["delivered"] + world["back"] <= world["left"]
    return within and world == ledger and world["delivered"] == by_proofs(w)
