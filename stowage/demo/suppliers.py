"""Suppliers: they see our purchase orders, announce deliveries, and their trucks dock at doors 1 and 2.

A truck's load is the world's own knowledge (`truth`), so a truck that stood at the door when the demo was stopped goes
on being unloaded at the next start.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from stowage.demo.api import Account, Refused
from stowage.demo.catalog import Item, catalog
from stowage.demo.doors import Doors
from stowage.demo.loads import LOOSE_CASES, Load, as_announced, compose, from_json, item_of, notice
from stowage.demo.pace import Pace
from stowage.demo.truth import Truth

log = structlog.get_logger(__name__)

INBOUND = ("DOCK-1", "DOCK-2")
LOOKS_EVERY_S = 10.0
ORDER_TO_TRUCK_S = 40.0
"""The demo's lead time from purchase order to truck."""
PLANNED_EVERY_S = 240.0
ON_THE_ROAD_S = 12.0
FIRST_LOADS = (
    ("S-NORD", "DOCK-1", (("GRC-OIL-1", 60), ("GRC-CHOC-90", 80), ("GRC-RICE-5", 16))),
    ("S-VOLTA", "DOCK-2", (("PART-CHAIN-9", 100), ("TOOL-DRILL-18", 4), ("PART-BULB-LED", 210))),
)
"""What comes in the first minute of a new warehouse."""


class Trucks:
    """Who stands at which door, and what is on the road. The lead asks it which trucks are empty."""

    def __init__(self, truth: Truth) -> None:
        self._truth, self._lock = truth, threading.Condition()
        known = {f["load"]["number"]: from_json(f["load"]) for f in truth.of("truck_loaded")}
        carried: dict[str, set[str]] = defaultdict(set)
        for f in truth.of("carried_in"):
            carried[f["delivery"]].update(f["epcs"])
        unloaded = {f["delivery"] for f in truth.of("unloaded")}
        settled = {f["delivery"] for f in truth.of("delivery_settled")}
        self._waiting = [load for n, load in known.items() if n not in unloaded]
        self._empty = [load for n, load in known.items() if n in unloaded - settled]
        self.carried = carried
        self.numbers = set(known)

    def comes(self, load: Load) -> None:
        with self._lock:
            self._waiting.append(load)
            self.numbers.add(load.number)

    def next_at(self, door: str) -> Load | None:
        with self._lock:
            return next((load for load in self._waiting if load.door == door), None)

    def is_empty(self, load: Load) -> None:
        self._truth.note("unloaded", delivery=load.number, door=load.door)
        with self._lock:
            self._waiting.remove(load)
            self._empty.append(load)

    def to_settle(self) -> Load | None:
        """An empty truck whose receipt nobody has looked at yet."""
        with self._lock:
            return self._empty[0] if self._empty else None

    def settled(self, load: Load) -> None:
        self._truth.note("delivery_settled", delivery=load.number)
        with self._lock:
            self._empty.remove(load)

    def at_door(self, door: str) -> int:
        with self._lock:
            return sum(load.door == door for load in self._waiting)

    def any(self) -> bool:
        with self._lock:
            return bool(self._waiting or self._empty)

    def due(self, sku: str) -> int:
        """Base units of an item that are on a truck now."""
        with self._lock:
            return sum(load.brought.get(sku, 0) for load in [*self._waiting, *self._empty])


class Suppliers:
    def __init__(
        self,
        office: Account,
        lead: Account,
        trucks: Trucks,
        truth: Truth,
        pace: Pace,
        chance: random.Random,
        *,
        has_erp: bool,
    ) -> None:
        self._office, self._lead = office, lead
        self._trucks, self._truth, self._pace, self._chance = trucks, truth, pace, chance
        self._has_erp = has_erp
        self._ids: dict[str, str] = {}
        self._planned_at = time.monotonic() + PLANNED_EVERY_S / pace.speed
        self._orders_seen: dict[str, float] = {}

    def plan(self) -> None:
        """One look at the order book."""
        if not self._ids:
            self._ids = {p["code"]: p["id"] for p in self._office.pages("/places", kind="dock_door")}
            self._ids |= {p["name"]: p["id"] for p in self._office.pages("/partners")}
            self._first_deliveries()
        self._purchase_orders()
        self._notices_of_others()
        if self._has_erp and self._trucks.any():
            self._planned_at = (
                time.monotonic() + PLANNED_EVERY_S / self._pace.speed
            )  # purchase orders keep the doors busy
        if time.monotonic() >= self._planned_at:
            self._planned_at = time.monotonic() + PLANNED_EVERY_S / self._pace.speed
            self._planned_delivery()
        self._pace.wait(LOOKS_EVERY_S)

    def _first_deliveries(self) -> None:
        if self._trucks.numbers or self._office.get("/asns", limit=1)["items"]:
            return
        for supplier, door, wanted in FIRST_LOADS:
            self._send(
                supplier,
                door,
                [(item_of(sku), quantity) for sku, quantity in wanted],
                faultless=door == "DOCK-1",
            )

    def _purchase_orders(self) -> None:
        """Those of the ERP; each is delivered once, whatever the ERP still believes to be open."""
        lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in self._office.pages("/purchase-orders", only_open=True):
            lines[line["number"]].append(line)
        for number, ordered in lines.items():
            due_at = self._orders_seen.setdefault(
                number, time.monotonic() + ORDER_TO_TRUCK_S / self._pace.speed
            )
            delivery = f"DN-PO-{number}"
            if time.monotonic() < due_at or delivery in self._trucks.numbers:
                continue
            known = {p.name: p.code for p in catalog().suppliers}
            supplier = known.get(str(ordered[0]["supplier_name"]))
            wanted = [(i, int(float(x["open_quantity"]))) for x in ordered if (i := _known_item(x["sku"]))]
            if supplier is None or not wanted:
                continue  # a purchase of somebody else's, typed into the ERP
            self._send(supplier, self._freest_door(), wanted, number=delivery, purchase_order=number)

    def _notices_of_others(self) -> None:
        """A delivery notice that somebody typed in or imported: its truck comes too."""
        for notice_ in self._office.pages("/asns", state="expected"):
            age = datetime.now(UTC) - datetime.fromisoformat(notice_["created_at"])
            if notice_["number"] in self._trucks.numbers or age < timedelta(seconds=20):
                continue
            door = notice_["dock_door"]["code"] if notice_["dock_door"] else self._freest_door()
            load = as_announced(
                self._chance,
                self._office.get(f"/asns/{notice_['id']}"),
                door if door in INBOUND else INBOUND[0],
            )
            self._truth.note("truck_loaded", load=load.to_json())
            self._trucks.comes(load)
            log.info(
                "truck_comes", delivery=load.number, supplier=load.supplier, door=door, brings=load.brought
            )

    def _planned_delivery(self) -> None:
        """Without an ERP, suppliers look after us by contract; with one, only what nobody has ordered yet."""
        rules = list(self._lead.pages("/reorder-rules"))
        ordered = {
            s["sku"]
            for state in ("proposed", "approved", "ordered")
            for s in self._lead.pages("/purchase-suggestions", state=state)
        }
        low: dict[str, list[tuple[float, Item, int]]] = defaultdict(list)
        for rule in rules:
            item = _known_item(rule["sku"])
            if item is None or (self._has_erp and item.sku in ordered):
                continue
            here = (
                float(rule["on_hand"])
                - float(rule["reserved"])
                - float(rule["waiting"])
                + self._trucks.due(item.sku)
            )
            target, offer = float(rule["target_level"]), item.suppliers[0]
            missing = int((target - here) // offer.pack_multiple) * offer.pack_multiple
            if missing >= offer.pack_multiple and here < target * 0.8:
                low[offer.supplier].append((here / target, item, missing))
        if low:
            supplier = min(low, key=lambda s: min(share for share, _, _ in low[s]))
            lowest = sorted(low[supplier], key=lambda x: x[0])[: 1 if self._has_erp else 3]
            few = LOOSE_CASES - 2  # so that what the ERP's users order is still needed
            wanted = [
                (item, min(missing, few * item.case_quantity) if self._has_erp else missing)
                for _, item, missing in lowest
            ]
            self._send(supplier, self._freest_door(), wanted)

    def _freest_door(self) -> str:
        return min(INBOUND, key=lambda door: (self._trucks.at_door(door), self._chance.random()))

    def _send(
        self, supplier: str, door: str, wanted: list[tuple[Item, int]], *, number: str | None = None,
        purchase_order: str | None = None, faultless: bool = False,
    ) -> None:  # fmt: skip
        now = datetime.now(UTC)
        load = compose(
            self._chance, now.date(), supplier, door, wanted, number=number or f"DN-{self._chance.randrange(10**6):06d}",
            purchase_order=purchase_order, faultless=faultless,
        )  # fmt: skip
        name = next(p.name for p in catalog().suppliers if p.code == supplier)
        expected_at = now + timedelta(seconds=ON_THE_ROAD_S / self._pace.speed)
        try:
            self._office.post(
                "/asns", notice(load, self._ids[name], self._ids[door], expected_at.isoformat())
            )
        except Refused as refused:
            log.warning("notice_refused", number=load.number, why=str(refused))
            if refused.status == 409 and number is not None:
                self._trucks.numbers.add(load.number)
            return
        self._truth.note("truck_loaded", load=load.to_json())
        self._trucks.comes(load)
        log.info("truck_comes", delivery=load.number, supplier=supplier, door=door, brings=load.brought)


def _known_item(sku: str) -> Item | None:
    return next((i for i in catalog().items if i.sku == sku), None)


def unload_at(door: str, trucks: Trucks, doors: Doors, truth: Truth, pace: Pace) -> Callable[[], None]:
    """The crew of one door: truck after truck, carrier after carrier."""

    def step() -> None:
        load = trucks.next_at(door)
        if load is None:
            pace.wait(2)
            return
        pace.wait(ON_THE_ROAD_S / 3)
        done = trucks.carried[load.number]
        carriers: list[tuple[list[str], dict[str, int]]] = []
        loose = [str(c.epc) for c in load.cases] + load.unknown
        if loose:
            goods: dict[str, int] = {}
            for c in load.cases:
                goods[c.sku] = goods.get(c.sku, 0) + c.quantity
            carriers.append((loose, goods))
        for p in load.pallets:
            goods = {}
            for g in p.contents:
                goods[g.sku] = goods.get(g.sku, 0) + g.quantity
            carriers.append((p.epcs, goods))
        for epcs, goods in carriers:
            if set(epcs) <= done:
                continue
            try:
                doors.carry_in(door, epcs)
            finally:  # a stop in the middle of the way
                if doors.is_inside(epcs):
                    truth.note("carried_in", delivery=load.number, door=door, epcs=epcs, goods=goods)
                    done.update(epcs)
            pace.wait(4)
        trucks.is_empty(load)
        log.info("truck_empty", delivery=load.number, door=door)

    return step
