"""Lena, the shift leader: waves, receipts, departures, approvals, counts, discrepancies, alerts."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from stowage.demo.api import Account, Refused
from stowage.demo.devices import crate_epcs
from stowage.demo.doors import Doors
from stowage.demo.loads import Load
from stowage.demo.pace import Pace
from stowage.demo.suppliers import Trucks
from stowage.demo.truth import Truth
from stowage.demo.workers import TOTES, missing_pieces

log = structlog.get_logger(__name__)

ROUND_S = 4.0
WAVE_EVERY_S, COUNT_EVERY_S = 45.0, 80.0
HEARD_WITHIN_S = 4.0
"""So long after a truck is empty everything that its portal heard has become a receipt."""
LOOKED_INTO_AFTER_S = 100.0
CRATES = "CRATES-1"
SHARE_LOST = 0.3
"""Cycle counts that find a piece missing."""
WORDS = {
    "receipt_short": "The supplier confirms: not loaded. Credit note comes.",
    "receipt_over": "Kept; the supplier sends an invoice for it.",
}


class Lead:
    def __init__(
        self, account: Account, trucks: Trucks, doors: Doors, truth: Truth, pace: Pace, chance: random.Random
    ) -> None:
        self._api, self._trucks, self._truth, self._pace, self._chance = account, trucks, truth, pace, chance
        self._doors = doors
        self._has_totes = False
        self._wave_at = time.monotonic() + 10 / pace.speed
        self._count_at = time.monotonic() + COUNT_EVERY_S / pace.speed
        self._empty_since: dict[str, float] = {}

    def work(self) -> None:
        """One round through the office."""
        if not self._has_totes:
            self._make_totes()
        for duty in (self._settle_a_delivery, self._start_wave, self._depart, self._approve, self._start_count, self._look_into_discrepancies,
                     self._acknowledge):  # fmt: skip
            try:
                duty()
            except Refused as refused:
                log.info("refused", duty=duty.__name__.strip("_"), why=str(refused))
        self._pace.wait(ROUND_S)

    def _make_totes(self) -> None:
        """The house's own things with labels and tags: totes, and the empty crates beside door 1."""
        places = {p["code"]: p["id"] for p in self._api.pages("/places")}
        present = {p["code"] for p in self._api.pages("/license-plates", q="TOTE-")}
        for code in TOTES:
            if code not in present:
                self._api.post(
                    "/license-plates", {"kind": "tote", "code": code, "place_id": places["STAGE-OUT"]}
                )
        if not list(self._api.pages("/license-plates", q=CRATES)):
            self._api.post(
                "/license-plates", {"kind": "pallet", "code": CRATES, "place_id": places["DOCK-1"]}
            )
        for epc in crate_epcs():
            if not self._api.get("/tags", epc=epc)["items"]:
                self._api.post("/tags", {"epc": epc, "license_plate": CRATES})
        self._has_totes = True

    # --- receipts -----------------------------------------------------------------------------------------

    def _settle_a_delivery(self) -> None:
        """Compares an empty truck's receipt with what stands there; scans what the portal missed; closes it."""
        load = self._trucks.to_settle()
        if (
            load is None
            or time.monotonic() < self._empty_since.setdefault(load.number, time.monotonic()) + HEARD_WITHIN_S
        ):
            return
        notice = next(
            (a for a in self._api.get("/asns", q=load.number)["items"] if a["number"] == load.number), None
        )
        if notice is None:
            self._trucks.settled(load)
            return
        receipts = self._api.get("/receipts", asn_id=notice["id"], state="open")["items"]
        if not receipts and notice["state"] in ("received", "cancelled"):
            self._trucks.settled(load)
            return
        receipt = (
            self._api.get(f"/receipts/{receipts[0]['id']}")
            if receipts
            else self._api.post("/receipts", {"asn_id": notice["id"]})
        )
        self._scan_what_was_missed(load, receipt)
        receipt = self._api.get(f"/receipts/{receipt['id']}")
        for tag in receipt["unknown_tags"]:
            if tag["state"] == "open" and tag["epc"] in load.unknown:
                self._api.post(f"/unknown-tags/{tag['epc']}/claim", {"dismiss": True})
        self._api.post(f"/receipts/{receipt['id']}/close", {})
        self._truth.note(
            "receipt_closed", delivery=load.number, receipt=receipt["number"], goods=load.brought
        )
        still_tagged = [str(c.epc) for c in load.cases] + [e for p in load.pallets for e in p.case_epcs]
        self._doors.forget([*still_tagged, *load.unknown])
        self._trucks.settled(load)

    def _scan_what_was_missed(self, load: Load, receipt: dict[str, Any]) -> None:
        counted = {p["code"] for p in receipt["plates"] if p["state"] == "received"}
        missed = [p.sscc for p in load.pallets if p.sscc not in counted]
        if {line["sku"]: float(line["received"]) for line in receipt["lines"]} != load.brought:
            missed += [str(c.epc) for c in load.cases]
        lots = {str(c.epc): c for c in load.cases}
        for code in missed:
            body: dict[str, Any] = {"code": code}
            case = lots.get(code)
            if case is not None and case.lot:
                body |= {"lot": case.lot}
            if case is not None and code in load.over:
                body |= {"reason": "one case more than announced"}
            try:
                self._api.post(f"/receipts/{receipt['id']}/scans", body)
                self._truth.note("scanned_by_hand", delivery=load.number, code=code)
                self._pace.wait(1)
            except Refused as refused:
                if refused.kind != "already-counted":
                    log.info("scan_refused", code=code, why=str(refused))

    # --- orders -------------------------------------------------------------------------------------------

    def _start_wave(self) -> None:
        if time.monotonic() < self._wave_at:
            return
        waiting = [
            o
            for o in self._api.get("/sales-orders", state="allocated", limit=20)["items"]
            if o["wave_id"] is None
        ]
        if len(waiting) >= 2:
            wave = self._api.post("/waves", {"order_ids": [o["id"] for o in waiting[-4:]]})
            log.info("wave", number=wave["number"], orders=wave["orders"])
            self._wave_at = time.monotonic() + WAVE_EVERY_S / self._pace.speed

    def _depart(self) -> None:
        carried = {sscc for f in self._truth.of("carried_out") for sscc in f["cartons"]}
        for shipment in self._api.pages("/shipments", state="loading"):
            if shipment["vehicle_id"] is not None:
                continue  # a van: its driver departs
            complete = all(o["state"] == "loaded" for o in shipment["orders"])
            if complete and shipment["cartons"] and all(c["sscc"] in carried for c in shipment["cartons"]):
                self._api.post(f"/shipments/{shipment['id']}/depart", {})
                self._truth.note(
                    "departed", shipment=shipment["number"], cartons=[c["sscc"] for c in shipment["cartons"]]
                )

    # --- approvals, counts, differences -------------------------------------------------------------------

    def _approve(self) -> None:
        for suggestion in self._api.pages("/purchase-suggestions", state="proposed"):
            if suggestion["supplier_id"] is not None and self._older(suggestion["created_at"], 15):
                self._api.post(f"/purchase-suggestions/{suggestion['id']}/approve", {})
        for task in self._api.pages("/count-tasks", state="to_approve"):
            changes = self._api.get(f"/count-tasks/{task['id']}/differences")["items"]
            self._api.post(f"/count-tasks/{task['id']}/approve")
            for d in changes:
                if float(d["change"]):
                    known = missing_pieces(self._truth).get((task["place_code"], d["sku"], d["lot_code"]), 0)
                    what = "written_off" if known == -float(d["change"]) else "booked_otherwise"
                    self._truth.note(
                        what,
                        place=task["place_code"],
                        sku=d["sku"],
                        lot=d["lot_code"],
                        quantity=-int(float(d["change"])),
                    )

    def _start_count(self) -> None:
        if time.monotonic() < self._count_at:
            return
        self._count_at = time.monotonic() + COUNT_EVERY_S / self._pace.speed
        if (
            self._api.get("/count-tasks", state="open")["items"]
            or self._api.get("/count-tasks", state="recount")["items"]
        ):
            return
        rows = [
            b
            for b in self._api.pages("/balances")
            if b["place_code"][1:2] == "-" and b["serial"] is None and not float(b["reserved"])
        ]
        if not rows:
            return
        row = self._chance.choice(rows)
        alone = (
            sum(
                (r["place_code"], r["sku"], r["lot_code"]) == (row["place_code"], row["sku"], row["lot_code"])
                for r in rows
            )
            == 1
        )
        if self._chance.random() < SHARE_LOST and alone and float(row["on_hand"]) > 3:
            self._truth.note("lost", place=row["place_code"], sku=row["sku"], lot=row["lot_code"], quantity=1)
        self._api.post("/count-tasks", {"place": row["place_code"], "reason": "cycle count"})

    def _look_into_discrepancies(self) -> None:
        """Old ones that a word settles; the newest two stay, and those that wait for a count."""
        open_ones = self._api.get("/discrepancies", state="open")["items"]
        for d in open_ones[2:]:
            waits = d["count_task_state"] not in (None, "done", "cancelled")
            if not waits and self._older(d["raised_at"], LOOKED_INTO_AFTER_S):
                words = WORDS.get(d["kind"], "Looked at the place: the goods are where the books say.")
                self._api.post(f"/discrepancies/{d['id']}/resolve", {"resolution": words})
                return

    def _acknowledge(self) -> None:
        for alert in self._api.get("/alerts", state="open")["items"]:
            if self._older(alert["opened_at"], 20 * self._pace.speed):
                self._api.post(f"/alerts/{alert['id']}/acknowledge")

    def _older(self, moment: str, world_s: float) -> bool:
        age = datetime.now(UTC) - datetime.fromisoformat(moment)
        return age > timedelta(seconds=world_s / self._pace.speed)
