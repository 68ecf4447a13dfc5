"""The demo's world to the customer's door: what left is delivered, back, or still aboard; world truth = ledger = proofs.

No ERP here; roads where the machine has them, straight lines where not; everything else is real. The world runs faster than
the clock, so plans are kept early, never late.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from stowage.demo.truth import Fact
from tests.demo.test_world import Warehouse

SPEED = "20"
Goods = Counter[tuple[str, str | None, str | None]]
"""sku, lot, serial -> pieces."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    one = Warehouse(tmp_path_factory.mktemp("deliveries"), speed=SPEED)
    try:
        one.until(one.answers, 90, "the API answers")
        one.log_in()
        yield one
    finally:
        one.close()


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
    given, back = Counter(), Counter()  # type: ignore[var-annotated]
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
    return world == ledger and world["delivered"] == by_proofs(w)


def test_packed_orders_are_planned_released_loaded_and_driven_to_the_door(world: Warehouse) -> None:
    w = world
    w.until(lambda: carried_by_van(w), 120, "a van leaves")
    left = carried_by_van(w)[0]
    (route,) = [r for r in w.get("/delivery-board")["routes"] if r["number"] == left["route"]]
    assert route["stops"]
    assert route["vehicle"]["code"] == left["van"]
    loaded = [c for s in w.get(f"/delivery-routes/{route['id']}/manifest")["cartons"] for c in [s["sscc"]]]
    assert sorted(loaded) == sorted(left["cartons"])
    first = w.until(lambda: delivered(w), 90, "the first customer is served")[0]
    job = w.until(
        lambda: [j for j in w.get("/delivery-jobs", q=first["job"])["items"] if j["finished_at"]],
        10,
        "it is proved",
    )[0]
    assert job["state"] == first["outcome"]
    (proof,) = w.get("/delivery-proofs", job_id=job["id"])["items"]
    assert proof["outcome"] == first["outcome"]
    if goods_of(first["goods"]):
        assert proof["receiver_name"]
        assert "<path" in proof["signature_svg"]


def test_the_vans_are_where_their_receivers_say(world: Warehouse) -> None:
    w = world
    agent = w.until(
        lambda: [d for d in w.get("/devices")["items"] if d["kind"] == "gps_receiver"], 20, "GPS devices"
    )
    assert {d["code"] for d in agent} == {"van-1-gps", "van-2-gps", "van-3-gps"}
    seen = w.until(lambda: w.get("/delivery-board")["vehicles"], 30, "positions arrive")
    assert all(60.14 < v["lat"] < 60.19 and 24.90 < v["lon"] < 25.0 for v in seen)
    route = carried_by_van(w)[0]["route"]
    (route_id,) = [r["id"] for r in w.get("/delivery-board")["routes"] if r["number"] == route]
    w.until(
        lambda: len({(p["lat"], p["lon"]) for p in w.get("/vehicle-tracks", route_id=route_id)["driven"]}) > 3,
        30, "the track of a driven route",
    )  # fmt: skip


def test_a_van_comes_home_unloads_and_goes_again(world: Warehouse) -> None:
    w = world
    done = w.until(
        lambda: [r for r in w.get("/delivery-board")["routes"] if r["state"] == "finished"],
        150,
        "a route is finished",
    )
    for route in done:
        assert {s["state"] for s in route["stops"] if s["kind"] == "delivery"} <= {
            "done",
            "failed",
            "skipped",
        }
    w.until(lambda: len(carried_by_van(w)) >= 2, 90, "a van leaves again")


def test_a_killed_world_drives_on_where_it_stood(world: Warehouse) -> None:
    w = world
    before = len(delivered(w))
    os.kill(w.process_of("-m stowage demo"), signal.SIGKILL)
    w.until(lambda: len(delivered(w)) > before, 120, "another customer is served")
    jobs = Counter(f["job"] for f in delivered(w))
    assert max(jobs.values()) == 1, "one delivery, one time"


def test_everything_that_left_is_delivered_back_or_aboard_to_the_piece(world: Warehouse) -> None:
    w = world
    assert w.get("/ledger/verification")["mismatches"] == []
    # somebody is always handing something over: wait for a moment in which every hand is empty
    w.until(
        lambda: all_agree(w),
        60,
        f"world truth = ledger = proofs: {by_world(w)} {by_ledger(w)} {by_proofs(w)}",
    )
    assert by_world(w)["delivered"]


def test_who_cannot_be_served_stands_in_a_tray_with_the_reason(world: Warehouse) -> None:
    w = world

    def trays() -> list[str]:
        t = w.get("/delivery-board")["trays"]
        return [j["customer_name"] for name in ("review", "unroutable", "unplanned") for j in t[name]]

    odd = {"Olga Onnela", "Merisauna Island Café", "Pikku Kiire Pop-up", "Suuri Juhla Catering"}
    w.until(lambda: odd & set(trays()), 60, "a customer who cannot be served")


def test_no_log_has_a_traceback(world: Warehouse) -> None:
    for log in (world.data_dir / "logs").glob("*.log"):
        if log.stem in ("postgres", "broker"):
            continue
        text = log.read_text()
        assert not re.search(r"Traceback \(most recent call last\)", text), f"{log.name}:\n{text[-3000:]}"
