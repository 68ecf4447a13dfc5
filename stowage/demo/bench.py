"""The packing bench: a person scans with the bench's own scanner and puts the carton on its scale.

What the scanner and the scale say reaches the backend through the edge agent; the person only looks at the screen
(the API) to see that it arrived, and types where a device stays silent.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from device_drivers.gs1 import to_fnc1
from stowage.demo.api import Account, Refused
from stowage.demo.catalog import catalog
from stowage.demo.devices import Devices
from stowage.demo.pace import Pace
from stowage.demo.truth import Truth

log = structlog.get_logger(__name__)

BENCH = "BENCH-1"
CARTON_TARE_G = Decimal(250)
HEAVIEST_CARTON_G = Decimal(24_000)
SCREEN_WITHIN_S = 6.0
SCANS_A_LINE = 3
"""So many pieces of a line are scanned one by one; a person types the rest."""
SHARE_FORGOTTEN = 0.06
"""Cartons that are weighed before the last piece is in: the scale notices."""

Seen = TypeVar("Seen")
Unit = tuple[str, str | None, str | None]
"""sku, lot, serial."""


class Bench:
    def __init__(self, devices: Devices, truth: Truth, pace: Pace, chance: random.Random) -> None:
        self._devices, self._truth, self._pace, self._chance = devices, truth, pace, chance
        self._items = {i.sku: i for i in catalog().items}

    def pack(self, who: Account, order: dict[str, Any]) -> None:
        """Packs what is picked of an order, in as many cartons as it needs."""
        with self._devices.in_use["bench"]:
            left = self._picked(who, order["order_id"])
            while left.total() > 0:
                carton = self._open_carton(who, order)
                if carton is None:
                    return
                before = left.total()
                self._fill(who, carton["id"], left)
                self._weigh_and_close(who, carton["id"])
                if left.total() == before:
                    return

    def finish(self, who: Account) -> None:
        """A carton that somebody left open is closed, so that the bench is free."""
        with self._devices.in_use["bench"]:
            present = self._on_the_bench(who)
            if present is None:
                return
            left = self._picked(who, present["order_id"])
            if left.total() > 0:
                self._fill(who, present["id"], left)
            if self._carton(who, present["id"])["contents"]:
                self._weigh_and_close(who, present["id"])

    # --- steps --------------------------------------------------------------------------------------------

    def _picked(self, who: Account, order_id: str) -> Counter[Unit]:
        """What was picked for the order and is in none of its cartons."""
        units: Counter[Unit] = Counter()
        for t in who.pages("/pick-tasks", order_id=order_id):
            units[t["sku"], t["lot_code"], t["serial"]] += int(float(t["picked"]))
        for c in who.pages("/cartons", order_id=order_id):
            if c["state"] != "cancelled":
                for n in c["contents"]:
                    units[n["sku"], n["lot_code"], n["serial"]] -= int(float(n["quantity"]))
        return +units

    def _open_carton(self, who: Account, order: dict[str, Any]) -> dict[str, Any] | None:
        present = self._on_the_bench(who)
        if present is not None:
            return present if present["order_id"] == order["order_id"] else None
        self._devices.scanner.scan(order["order_number"], "]C0")
        opened = self._seen(lambda: self._on_the_bench(who))
        if opened is None:  # the scanner is silent: type it in
            try:
                opened = who.post("/cartons", {"order_id": order["order_id"], "bench": BENCH})
            except Refused as refused:
                log.info("carton_refused", order=order["order_number"], why=str(refused))
                return None
        return opened

    def _fill(self, who: Account, carton_id: str, left: Counter[Unit]) -> None:
        weight_g = self._weight(self._contents(who, carton_id)) + CARTON_TARE_G
        for unit in sorted(left, key=str):
            one_g = self._items[unit[0]].weight_g
            room = int((HEAVIEST_CARTON_G - weight_g) // one_g)
            count = min(left[unit], max(room, 1) if weight_g <= CARTON_TARE_G else room)
            for n in range(count):
                self._pace.wait(1.2)
                if n < SCANS_A_LINE or unit[2] is not None:
                    if not self._scan_into(who, carton_id, unit):
                        return
                    quantity = 1
                else:
                    quantity = count - n
                    try:
                        who.post(
                            f"/cartons/{carton_id}/contents",
                            {"code": _code(self._items[unit[0]].gtin, unit), "quantity": str(quantity)},
                        )
                    except Refused as refused:
                        log.info("pack_refused", unit=unit, why=str(refused))
                        return
                left[unit] -= quantity
                weight_g += one_g * quantity
                if quantity > 1:
                    break
        left += Counter()  # what is packed leaves the list

    def _scan_into(self, who: Account, carton_id: str, unit: Unit) -> bool:
        before = self._contents(who, carton_id)[unit]
        self._devices.scanner.scan(_code(self._items[unit[0]].gtin, unit))
        if self._seen(lambda: self._contents(who, carton_id)[unit] > before):
            return True
        try:
            who.post(f"/cartons/{carton_id}/contents", {"code": _code(self._items[unit[0]].gtin, unit)})
        except Refused as refused:
            log.info("pack_refused", unit=unit, why=str(refused))
            return False
        return True

    def _weigh_and_close(self, who: Account, carton_id: str) -> None:
        contents = self._contents(who, carton_id)
        if not contents:
            return
        weight_g = (
            CARTON_TARE_G + self._weight(contents) * Decimal(str(self._chance.uniform(0.996, 1.004)))
        ).quantize(Decimal(1))
        last = self._items[max(contents, key=lambda u: self._items[u[0]].weight_g)[0]].weight_g
        if self._chance.random() < SHARE_FORGOTTEN and last > 60:
            self._weigh(who, carton_id, weight_g - last)
            try:
                who.post(f"/cartons/{carton_id}/close")
            except Refused as refused:
                log.info("carton_weighs_wrong", why=refused.problem.get("detail"))
                self._pace.wait(5)  # finds the piece in the tote
        self._weigh(who, carton_id, weight_g)
        try:
            closed = who.post(f"/cartons/{carton_id}/close")
        except Refused as refused:
            log.warning("carton_not_closed", why=str(refused))
            return
        finally:
            self._devices.scale.put(0)
        self._truth.note(
            "packed", order=closed["order_number"], sscc=closed["sscc"], weight_g=str(weight_g), by=who.username,
            goods=[{"sku": sku, "lot": lot, "serial": serial, "quantity": n} for (sku, lot, serial), n in sorted(contents.items(), key=str)],
        )  # fmt: skip

    def _weigh(self, who: Account, carton_id: str, weight_g: Decimal) -> None:
        """Until the screen shows this weight; a scale that stays silent is read by eye."""
        scale = self._devices.scale
        for _ in range(3):
            scale.put(weight_g, moving=True)
            self._pace.really(0.6)
            scale.settle()
            if self._seen(lambda: _shows(self._carton(who, carton_id), weight_g)):
                return
            scale.put(0)
            self._pace.really(1.0)
        try:
            who.post(f"/cartons/{carton_id}/weight", {"weight_g": str(weight_g)})
        except Refused as refused:
            log.info("weight_refused", why=str(refused))

    # --- looking at the screen ----------------------------------------------------------------------------

    def _seen(self, look: Callable[[], Seen]) -> Seen:
        end = time.monotonic() + SCREEN_WITHIN_S
        while not (found := look()) and time.monotonic() < end:
            self._pace.really(0.15)
        return found

    def _on_the_bench(self, who: Account) -> dict[str, Any] | None:
        benches = who.get("/pack-benches")["items"]
        carton: dict[str, Any] | None = next(b["carton"] for b in benches if b["code"] == BENCH)
        return carton

    def _carton(self, who: Account, carton_id: str) -> dict[str, Any]:
        return who.get(f"/cartons/{carton_id}")

    def _contents(self, who: Account, carton_id: str) -> Counter[Unit]:
        units: Counter[Unit] = Counter()
        for n in self._carton(who, carton_id)["contents"]:
            units[n["sku"], n["lot_code"], n["serial"]] += int(float(n["quantity"]))
        return units

    def _weight(self, units: Counter[Unit]) -> Decimal:
        return sum((self._items[sku].weight_g * n for (sku, _, _), n in units.items()), Decimal(0))


def _shows(carton: dict[str, Any], weight_g: Decimal) -> bool:
    return carton["weight_g"] is not None and abs(Decimal(carton["weight_g"]) - weight_g) < 1


def _code(gtin: str, unit: Unit) -> str:
    """The GS1-128 on the piece: its GTIN, with lot or serial where it is kept by them."""
    elements = [("01", gtin.zfill(14))]
    if unit[1]:
        elements.append(("10", unit[1]))
    if unit[2]:
        elements.append(("21", unit[2]))
    return to_fnc1(tuple(elements))
