"""Wendy and Walter: put away, pick, pack, load, count, at a person's pace, with a person's mistakes.

They know nothing by themselves: each turn they ask the API what there is to do, as their handhelds do.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import Any

import structlog

from device_drivers.gs1 import sscc96_hex
from stowage.demo.api import Account, Refused
from stowage.demo.bench import BENCH, Bench
from stowage.demo.building import bins_beside, xy_of
from stowage.demo.catalog import catalog
from stowage.demo.cold_room import ColdRoom
from stowage.demo.doors import Doors
from stowage.demo.pace import Pace
from stowage.demo.truth import Truth

log = structlog.get_logger(__name__)

STAGE_OUT, DOCK_OUT = "STAGE-OUT", "DOCK-3"
TOTES = [f"TOTE-{n:02d}" for n in range(1, 11)]
SHARE_WRONG_BIN = 0.07
SHARE_NOT_SCANNED = 0.1
"""Cartons carried out without a scan: the portal sees them all the same."""
MOST_SHIPMENTS = 3


class Hall:
    """What the people share: who works on what, and the shelves, where one hand is in a bin at a time."""

    def __init__(self) -> None:
        self.shelves = threading.RLock()
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, what: str) -> Iterator[bool]:
        """False: a colleague has it."""
        with self._lock:
            mine = what not in self._taken
            self._taken.add(what)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._taken.discard(what)


class Worker:
    def __init__(
        self, account: Account, duties: str, hall: Hall, bench: Bench, doors: Doors, cold: ColdRoom, truth: Truth, pace: Pace,
        chance: random.Random,
    ) -> None:  # fmt: skip
        """`duties`: what is looked at first, of "putaway", "pick", "pack", "load", "count"."""
        self._api, self._hall, self._bench, self._doors, self._cold = account, hall, bench, doors, cold
        self._truth, self._pace, self._chance = truth, pace, chance
        self._here = xy_of(STAGE_OUT)
        work: dict[str, Callable[[], bool]] = {
            "putaway": self._put_away, "pick": self._pick, "pack": self._pack, "load": self._load, "load_several": self._load_several, "count": self._count,
        }  # fmt: skip
        self._duties = [work[d] for d in duties.split()]
        self._gtins = {i.sku: i.gtin for i in catalog().items}

    def work(self) -> None:
        """One task of the first duty that has any; else a moment's rest."""
        if not any(duty() for duty in self._duties):
            self._pace.wait(2.5)

    def _go(self, place: str) -> None:
        there = xy_of(place)
        self._pace.walk(self._here, there)
        self._here = there

    @contextmanager
    def _at_shelf(self, place: str) -> Iterator[None]:
        """Hands in a bin: nobody counts it meanwhile, and the cold room's door is open."""
        if place.startswith("K-"):
            with self._cold.visit():
                self._pace.wait(3)
                with self._hall.shelves:
                    yield
        else:
            with self._hall.shelves:
                yield

    # --- putaway ------------------------------------------------------------------------------------------

    def _put_away(self) -> bool:
        tasks = self._api.get("/putaway-tasks", state="todo", limit=50)["items"]
        tasks.sort(key=lambda t: not str(t["proposed_place"]).startswith("K-"))  # what is chilled first
        for task in tasks:
            if task["claimed_by"] in (None, self._api.username) and task["proposed_place"]:
                try:
                    task = self._api.post(f"/putaway-tasks/{task['id']}/claim")
                except Refused:
                    continue  # a colleague was faster
                self._carry_to_bin(task)
                return True
        return False

    def _carry_to_bin(self, task: dict[str, Any]) -> None:
        self._go(task["from_place"])
        self._pace.wait(4)
        target = str(task["proposed_place"])
        self._go(target)
        body: dict[str, Any] = {"place": target}
        for _ in range(4):
            scanned = body["place"]
            if self._chance.random() < SHARE_WRONG_BIN and bins_beside(target) and "override" not in body:
                scanned = self._chance.choice(bins_beside(target))
            try:
                with self._at_shelf(target):
                    done = self._api.post(f"/putaway-tasks/{task['id']}/confirm", {**body, "place": scanned})
                    self._truth.note(
                        "put_away",
                        task=task["id"],
                        goods=task["what"],
                        place=done["place"],
                        quantity=done["quantity"],
                        by=self._api.username,
                    )
            except Refused as refused:
                if scanned != body["place"]:
                    self._truth.note(
                        "wrong_bin_scanned", seen=scanned, expected=target, by=self._api.username
                    )
                    self._pace.wait(2)
                    continue  # looks up, scans the right one
                better = (refused.problem.get("next") or {}).get("code")
                if not better:
                    log.info("putaway_refused", task=task["what"], why=str(refused))
                    self._give_back(task)
                    return
                body = {"place": better, "override": True, "reason": "the proposed bin is full"}
                self._go(better)
                continue
            if task["license_plate"] and len(task["license_plate"]) == 18:
                self._doors.forget([sscc96_hex(task["license_plate"], len(catalog().gs1_company_prefix))])
            return
        self._give_back(task)

    def _give_back(self, task: dict[str, Any]) -> None:
        try:
            self._api.post(f"/putaway-tasks/{task['id']}/release")
        except Refused as refused:
            log.info("not_given_back", why=str(refused))
        self._pace.wait(10)

    # --- picking ------------------------------------------------------------------------------------------

    def _pick(self) -> bool:
        task = self._api.post("/pick-tasks/next", {})["task"]
        if task is None:
            return False
        place = task["place_code"]
        self._go(place)
        if self._chance.random() < SHARE_WRONG_BIN and bins_beside(place):
            self._scan_wrong_bin(task)
        self._pace.wait(2 + 0.4 * float(task["remaining"]))
        for tote in self._totes_for(task["order_id"]):
            body = {
                "place": place, "code": self._gtins.get(task["sku"], task["sku"]), "quantity": task["remaining"], "tote": tote,
                **({"lot": task["lot_code"]} if task["lot_code"] else {}), **({"serial": task["serial"]} if task["serial"] else {}),
            }  # fmt: skip
            try:
                with self._at_shelf(place):
                    done = self._api.post(f"/pick-tasks/{task['id']}/confirm", body)
                    self._truth.note(
                        "picked",
                        order=task["order_number"],
                        sku=task["sku"],
                        place=place,
                        quantity=done["quantity"],
                        tote=tote,
                        by=self._api.username,
                    )
            except Refused as refused:
                if refused.problem.get("field") == "tote":
                    continue
                log.info("pick_refused", sku=task["sku"], place=place, why=str(refused))
                self._skip(task)
                return True
            if done["zero_check"]:
                self._api.post(f"/pick-tasks/{done['task']['id']}/zero-check", {"left": "0"})
            self._here = xy_of(place)
            return True
        self._skip(task)
        return True

    def _scan_wrong_bin(self, task: dict[str, Any]) -> None:
        seen = self._chance.choice(bins_beside(task["place_code"]))
        try:
            self._api.post(
                f"/pick-tasks/{task['id']}/confirm", {"place": seen, "code": task["sku"], "quantity": "1"}
            )
        except Refused:
            self._truth.note(
                "wrong_bin_scanned", seen=seen, expected=task["place_code"], by=self._api.username
            )
            self._pace.wait(2)

    def _skip(self, task: dict[str, Any]) -> None:
        try:
            self._api.post(f"/pick-tasks/{task['id']}/skip", {"reason": "cannot take it now"})
        except Refused as refused:
            log.info("skip_refused", why=str(refused))
        self._pace.wait(5)

    def _totes_for(self, order_id: str) -> list[str]:
        """The order's own tote first, then empty ones."""
        waiting = list(self._api.pages("/pack-orders"))
        used = {code for o in waiting for code in o["where"]}
        own = [code for o in waiting if o["order_id"] == order_id for code in o["where"] if code in TOTES]
        return own or [t for t in TOTES if t not in used]

    # --- packing and loading --------------------------------------------------------------------------------

    def _pack(self) -> bool:
        with self._hall.take("bench") as mine:
            if not mine:
                return False
            waiting = [o for o in self._api.pages("/pack-orders") if Decimal(o["still_to_pick"]) == 0]
            benches = self._api.get("/pack-benches")["items"]
            left_open = next((b["carton"] for b in benches if b["code"] == BENCH), None)
            if not waiting and left_open is None:
                return False
            self._go(STAGE_OUT)
            self._go(BENCH)
            if left_open is not None and left_open["order_id"] not in {o["order_id"] for o in waiting[:1]}:
                self._bench.finish(self._api)
            if waiting:
                self._bench.pack(self._api, waiting[0])
            return True

    def _load_several(self) -> bool:
        return self._load(at_least=2)

    def _load(self, at_least: int = 1) -> bool:
        """The van of a released route, the last stop's cartons first; else up to three shipments of carriers in one walk to
        the door. What a van brings waits for its route."""
        shipments = [
            *self._api.pages("/shipments", state="planned"),
            *self._api.pages("/shipments", state="loading"),
        ]
        waits, route_of = self._deliveries()  # after the shipments: an order becomes both at once
        with ExitStack() as mine:
            chosen = []
            for shipment in reversed(shipments):
                route_id = next(
                    (route_of[o["order_id"]] for o in shipment["orders"] if o["order_id"] in route_of), None
                )
                if shipment["vehicle_id"] and route_id:
                    if mine.enter_context(self._hall.take(shipment["id"])) and self._load_van(
                        shipment, route_id
                    ):
                        return True
                    continue
                if any(o["order_id"] in waits for o in shipment["orders"]):
                    continue
                packed = all(o["state"] in ("packed", "loaded") for o in shipment["orders"])
                ready = [c["sscc"] for c in shipment["cartons"] if c["state"] == "closed"]
                if not packed or not ready:
                    continue
                if mine.enter_context(self._hall.take(shipment["id"])):
                    chosen.append((shipment, ready))
                if len(chosen) == MOST_SHIPMENTS:
                    break
            if len(chosen) < at_least:
                return False
            self._carry_out(chosen)
            return True

    def _deliveries(self) -> tuple[set[str], dict[str, str]]:
        """Orders that wait for a van's route, and those whose route is released, with it."""
        waits: set[str] = set()
        route_of: dict[str, str] = {}
        for job in self._api.pages(
            "/delivery-jobs", state=["to_review", "ready", "planned", "released"], limit=200
        ):
            if job["state"] == "released" and job["route_id"]:
                route_of[job["order_id"]] = job["route_id"]
            else:
                waits.add(job["order_id"])
        return waits, route_of

    def _load_van(self, shipment: dict[str, Any], route_id: str) -> bool:
        """In the order of the manifest, through the door, past its portal."""
        manifest = self._api.get(f"/delivery-routes/{route_id}/manifest")
        left = [c["sscc"] for c in manifest["cartons"] if c["loaded_at"] is None and c["state"] == "closed"]
        if not left or manifest["state"] not in ("released", "loading"):
            return False
        self._go(BENCH)
        self._go(DOCK_OUT)
        for sscc in list(left):
            if self._chance.random() >= SHARE_NOT_SCANNED:
                if not self._scan_onto_van(route_id, sscc):
                    left.remove(sscc)  # stays where it is
                self._pace.wait(1)
        if not left:
            return False
        self._through_the_door([shipment], left)
        for carton in self._api.get(f"/delivery-routes/{route_id}/manifest")["cartons"]:
            if carton["loaded_at"] is None and carton["sscc"] in left:
                self._scan_onto_van(route_id, carton["sscc"])  # neither scanned nor heard
        return True

    def _scan_onto_van(self, route_id: str, sscc: str) -> bool:
        return self._scan_at_door(f"/delivery-routes/{route_id}/load", sscc)

    def _carry_out(self, shipments: list[tuple[dict[str, Any], list[str]]]) -> None:
        self._go(BENCH)
        self._go(DOCK_OUT)
        for shipment, ready in shipments:
            for sscc in list(ready):
                if self._chance.random() >= SHARE_NOT_SCANNED:
                    if not self._scan_onto(shipment, sscc):
                        ready.remove(sscc)  # stays where it is
                    self._pace.wait(1)
        cartons = [sscc for _, ready in shipments for sscc in ready]
        if not cartons:
            return
        self._through_the_door([s for s, _ in shipments], cartons)
        for shipment, ready in shipments:
            present = self._api.get(f"/shipments/{shipment['id']}")
            for carton in present["cartons"]:
                if carton["sscc"] in ready and carton["state"] == "closed":
                    self._scan_onto(shipment, carton["sscc"])  # neither scanned nor heard

    def _through_the_door(self, shipments: list[dict[str, Any]], cartons: list[str]) -> None:
        length = len(catalog().gs1_company_prefix)
        self._doors.carry_out(DOCK_OUT, [sscc96_hex(sscc, length) for sscc in cartons])
        self._truth.note(
            "carried_out", shipments=[s["number"] for s in shipments], cartons=cartons, by=self._api.username
        )
        self._pace.really(1)

    def _scan_onto(self, shipment: dict[str, Any], sscc: str) -> bool:
        return self._scan_at_door(f"/shipments/{shipment['id']}/load", sscc)

    def _scan_at_door(self, path: str, sscc: str) -> bool:
        """False: it must not be taken out."""
        try:
            self._api.post(path, {"code": sscc, "door": DOCK_OUT})
        except Refused as refused:
            log.info("load_refused", sscc=sscc, why=str(refused))
            return "loaded already" in str(refused)  # a colleague, or the portal, was faster
        return True

    # --- counting -------------------------------------------------------------------------------------------

    def _count(self) -> bool:
        for state in ("open", "recount"):
            for task in self._api.get("/count-tasks", state=state, limit=20)["items"]:
                if f"user:{self._api.username}" in task["counted_by"][-1:]:
                    continue  # the second count is somebody else's
                with self._hall.take(task["id"]) as mine:
                    if mine and self._count_bin(task):
                        return True
        return False

    def _count_bin(self, task: dict[str, Any]) -> bool:
        self._go(task["place_code"])
        self._pace.wait(6)
        with self._at_shelf(task["place_code"]):
            lying = list(self._api.pages("/balances", place_id=task["place_id"], item_id=task["item_id"]))
            lost = missing_pieces(self._truth)
            try:
                for row in lying:
                    gone = lost.pop((row["place_code"], row["sku"], row["lot_code"]), 0)
                    code = (
                        f"01{self._gtins[row['sku']].zfill(14)}21{row['serial']}"
                        if row["serial"]
                        else self._gtins[row["sku"]]
                    )
                    self._api.post(
                        f"/count-tasks/{task['id']}/lines",
                        {"code": code, "quantity": str(int(float(row["on_hand"])) - gone)}
                        | ({"lot": row["lot_code"]} if row["lot_code"] else {}),
                    )
                counted = self._api.post(f"/count-tasks/{task['id']}/submit")
            except Refused as refused:
                log.info("count_refused", place=task["place_code"], why=str(refused))
                return False
        self._truth.note("counted", place=task["place_code"], state=counted["state"], by=self._api.username)
        return True


def missing_pieces(truth: Truth) -> dict[tuple[str, str, str | None], int]:
    """Pieces that are gone from a bin and that the books still have: (place, sku, lot) -> how many."""
    gone: dict[tuple[str, str, str | None], int] = {}
    for what, sign in (("lost", 1), ("written_off", -1)):
        for f in truth.of(what):
            key = (f["place"], f["sku"], f["lot"])
            gone[key] = gone.get(key, 0) + sign * int(f["quantity"])
    return {k: n for k, n in gone.items() if n > 0}
