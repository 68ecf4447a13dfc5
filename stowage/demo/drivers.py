"""The drivers of the vans: wait for the last carton, drive the planned way with its delays, hand over, come back, unload.

Where a van is, only its receiver tells (the emulated one speaks NMEA to the agent); what happens at a door goes through the
driver's own API. What is physically done is noted before it is told, so that a kill between the two costs nothing: the
next run tells it again. The route itself is asked for anew at every step: nothing of it is remembered here.
"""

from __future__ import annotations

import base64
import random
import struct
import time
import zlib
from datetime import UTC, datetime
from typing import Any

import structlog

from device_drivers.emulator import EmulatedGps
from stowage.demo.api import Account, Refused
from stowage.demo.pace import Pace
from stowage.demo.shops import DEPOT, Van
from stowage.demo.truth import Fact, Truth
from stowage.demo.way import LatLon, Way, distance_m, to_the_stop

log = structlog.get_logger(__name__)

LOOK_S = 5.0
STEP_S = 0.5
"""The van moves so often; its receiver speaks once a second."""
SLOWEST, FASTEST = 1.6, 0.95
"""A leg takes from so much of its planned time ..."""
SHARE_JAM, JAM_S = 0.15, (15, 70)
"""... and sometimes stands in a jam on top."""
TOWN_M_S = 6.0
"""Where the plan knows no road."""
WAITS_TO_LEAVE_S, WAITS_AT_DOOR_S = 120.0, 900.0
"""World seconds that a loaded van waits for its planned start, and a driver at a door for its opening, at most."""
FENCE_S = 40.0
"""So long the geofence may take to see that the van stands there; then the driver presses the button."""
SHARE_NOBODY, SHARE_REFUSED, SHARE_PART, SHARE_PHOTO, SHARE_SCANNED = 0.07, 0.03, 0.1, 0.3, 0.6
WHY_NOT = ("the box is dented", "ordered too much", "not what was wanted")
RECEIVERS = ("A. Virtanen", "M. Korhonen", "S. Mäkinen", "J. Nieminen", "K. Laine", "T. Heikkinen")
OPEN = ("planned", "arrived")


class Driver:
    def __init__(
        self, account: Account, van: Van, gps: EmulatedGps, truth: Truth, pace: Pace, chance: random.Random
    ) -> None:
        self._api, self._van, self._gps = account, van, gps
        self._truth, self._pace, self._chance = truth, pace, chance
        self._here: LatLon | None = None

    def work(self) -> None:
        """One step: leave, one stop, or the way home."""
        route = self._route()
        if self._here is None:
            self._stand_where_the_van_was(route)
        if route is None:
            self._pace.wait(LOOK_S)
        elif route["state"] in ("released", "loading"):
            self._leave_when_loaded(route)
        else:
            self._note_what_others_did(route)
            stop = next(
                (s for s in route["stops"] if s["kind"] in ("delivery", "take_over") and s["state"] in OPEN),
                None,
            )
            if stop is not None and stop["job"] is not None:
                self._visit(route, stop)
            else:
                self._come_home(route)

    def _route(self) -> dict[str, Any] | None:
        """What is under way before what is next."""
        mine = [
            r
            for r in self._api.get("/driver/routes")["items"]
            if r["state"] in ("under_way", "back", "loading", "released")
        ]
        mine.sort(
            key=lambda r: (r["state"] not in ("under_way", "back"), r["state"] != "loading", r["starts_at"])
        )
        return mine[0] if mine else None

    def _stand_where_the_van_was(self, route: dict[str, Any] | None) -> None:
        """After a restart it goes on from where it was last seen."""
        seen = route["vehicle"] if route and route["state"] == "under_way" else None
        where = (seen["lat"], seen["lon"]) if seen and seen["lat"] is not None else (DEPOT.lat, DEPOT.lon)
        self._stand(where)
        self._gps.see_sky()

    def _stand(self, where: LatLon) -> None:
        self._here = where
        self._gps.be_at(*where)

    # --- leaving ------------------------------------------------------------------------------------------

    def _leave_when_loaded(self, route: dict[str, Any]) -> None:
        if not route["cartons"] or route["loaded"] < route["cartons"]:
            self._pace.wait(LOOK_S)
            return
        self._wait_until(route["starts_at"], WAITS_TO_LEAVE_S)
        try:
            self._api.post(f"/delivery-routes/{route['id']}/depart", {})
        except Refused as refused:
            log.info("cannot_leave", route=route["number"], why=str(refused))
            self._pace.wait(LOOK_S)

    def _wait_until(self, moment: str, most_world_s: float) -> None:
        """A moment of the clock on the wall; a faster world has less patience."""
        seconds = (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
        self._pace.really(min(max(0.0, seconds), most_world_s / self._pace.speed))

    def _note_what_others_did(self, route: dict[str, Any]) -> None:
        """It left with these cartons, whoever said so; and what a person did on the driver's screen has happened, too."""
        if route["shipment_id"] and not any(
            f.get("route") == route["number"] for f in self._truth.of("departed")
        ):
            shipment = self._api.get(f"/shipments/{route['shipment_id']}")
            self._truth.note(
                "departed", shipment=shipment["number"], route=route["number"], van=self._van.code,
                cartons=[c["sscc"] for c in shipment["cartons"] if c["loaded_at"] is not None],
            )  # fmt: skip
        for stop in route["stops"]:
            job = stop["job"]
            if job and job["proof_id"] and self._fact(job) is None:
                lines = self._api.get(f"/delivery-proofs/{job['proof_id']}")["lines"]
                given = [_piece(p["sscc"], p, p["delivered"]) for p in lines if float(p["delivered"])]
                self._note_delivered(route, job, job["outcome"], given, by="screen")

    # --- on the way ---------------------------------------------------------------------------------------

    def _drive(self, way: Way, planned_s: float) -> None:
        if way.length_m < 1:
            self._stand(way.points[-1])
            return
        world_s = (planned_s or way.length_m / TOWN_M_S) * self._chance.uniform(FASTEST, SLOWEST)
        real_s = max(2.0, world_s / self._pace.speed)
        jam_at = self._chance.uniform(0.2, 0.8) if self._chance.random() < SHARE_JAM else 2.0
        begun = time.monotonic()
        while (share := (time.monotonic() - begun) / real_s) < 1:
            where, course = way.at(way.length_m * share)
            if share > jam_at:
                self._stand(where)
                jam_s = self._chance.uniform(*JAM_S) / self._pace.speed
                self._pace.really(jam_s)
                begun += jam_s
                jam_at = 2.0
            self._here = where
            self._gps.be_at(*where, speed_kmh=min(1000.0, way.length_m / real_s * 3.6), course_deg=course)
            self._pace.really(STEP_S)
        self._stand(way.points[-1])

    def _visit(self, route: dict[str, Any], stop: dict[str, Any]) -> None:
        job = stop["job"]
        there = (job["lat"], job["lon"])
        assert self._here is not None
        if distance_m(self._here, there) > 30 and stop["state"] == "planned":
            legs = [s for s in route["stops"] if s["state"] != "skipped"]
            behind_m = sum(s["leg_m"] for s in legs if s["position"] <= stop["position"])
            from_m = behind_m - stop["leg_m"]
            way = to_the_stop(route["geometry"], self._here, there, from_m, behind_m, route["distance_m"])
            self._drive(way, stop["leg_s"])
        self._park(there)
        if stop["kind"] == "take_over":
            self._take_over(stop)
            return
        self._wait_for_the_fence(route["id"], stop["id"])
        self._wait_until(job["window_from"], WAITS_AT_DOOR_S)
        self._pace.wait(min(job["service_s"], 90) * self._chance.uniform(0.5, 1.2))
        self._hand_over(route, stop)

    def _park(self, there: LatLon) -> None:
        """At the kerb nearest to the door; where the way ended far from it (a square, a yard) the driver rolls nearer."""
        assert self._here is not None
        off_m = distance_m(self._here, there)
        if off_m > 40:
            self._drive(Way.of([self._here, Way.of([self._here, there]).at(off_m - 25)[0]]), 0)
        self._stand(self._here)

    def _wait_for_the_fence(self, route_id: str, stop_id: str) -> None:
        end = time.monotonic() + FENCE_S / max(1.0, self._pace.speed)
        while time.monotonic() < end:
            present = self._stop(route_id, stop_id)
            if present is None or present["state"] != "planned":
                return
            self._pace.really(min(3.0, FENCE_S / self._pace.speed / 2))
        assert self._here is not None
        self._api.post(f"/delivery-stops/{stop_id}/arrive", {"lat": self._here[0], "lon": self._here[1]})

    def _stop(self, route_id: str, stop_id: str) -> dict[str, Any] | None:
        stops = self._api.get(f"/driver/routes/{route_id}")["stops"]
        return next((s for s in stops if s["id"] == stop_id), None)

    def _take_over(self, stop: dict[str, Any]) -> None:
        for carton in stop["job"]["cartons"]:
            self._api.post(f"/delivery-stops/{stop['id']}/take-over", {"code": carton["sscc"]})
            self._pace.wait(5)

    # --- at the door --------------------------------------------------------------------------------------

    def _hand_over(self, route: dict[str, Any], stop: dict[str, Any]) -> None:
        """What was done stands in the truth first; a run that was killed in between tells it again, word for word."""
        present = self._stop(route["id"], stop["id"])
        if present is None or present["state"] not in OPEN or present["job"] is None:
            return
        job = present["job"]
        fact = self._fact(job) or self._decide(route, job)
        chance = random.Random(f"{job['id']}/words")
        body: dict[str, Any] = {"lat": job["lat"], "lon": job["lon"]}
        try:
            if fact["outcome"] in ("refused", "nobody_there"):
                reason = "nobody opened" if fact["outcome"] == "nobody_there" else chance.choice(WHY_NOT)
                body |= {"outcome": fact["outcome"], "reason": reason}
                if fact["outcome"] == "nobody_there":
                    body["photo"] = {"type": "image/png", "base64": _photo(chance)}
                self._api.post(f"/delivery-stops/{stop['id']}/fail", body)
                return
            whole = {c["sscc"] for c in job["cartons"]}
            body |= {
                "receiver_name": chance.choice(RECEIVERS),
                "signature_svg": _signature(chance),
                "lines": [
                    _line(c, fact["goods"], chance.choice(WHY_NOT)) for c in job["cartons"] if _aboard(c)
                ],
            }
            if chance.random() < SHARE_SCANNED:
                body["scanned"] = sorted(whole & {g["sscc"] for g in fact["goods"]})
            if chance.random() < SHARE_PHOTO:
                body["photo"] = {"type": "image/png", "base64": _photo(chance)}
            self._api.post(f"/delivery-stops/{stop['id']}/deliver", body)
        except Refused as refused:
            log.warning("hand_over_refused", job=job["number"], why=str(refused))
            after = self._stop(route["id"], stop["id"])
            if after is None or after["job"] is None or after["job"]["proof_id"] is None:
                self._truth.note("not_delivered", job=job["number"])  # carried back to the van
                self._pace.wait(LOOK_S)

    def _decide(self, route: dict[str, Any], job: dict[str, Any]) -> Fact:
        """What the customer does, from the job alone: the same again after a restart."""
        chance = random.Random(job["id"])
        goods = [_piece(c["sscc"], p, p["aboard"]) for c in job["cartons"] for p in _aboard(c)]
        dice = chance.random()
        if job["attempt"] == 1 and dice < SHARE_NOBODY:
            return self._note_delivered(route, job, "nobody_there", [])
        if dice < SHARE_NOBODY + SHARE_REFUSED:
            return self._note_delivered(route, job, "refused", [])
        if dice < SHARE_NOBODY + SHARE_REFUSED + SHARE_PART and sum(g["quantity"] for g in goods) > 1:
            left = chance.choice([g for g in goods if g["quantity"] > 0])
            some = [g for g in goods if g is not left]
            if left["quantity"] > 1:
                some.append({**left, "quantity": left["quantity"] - chance.randint(1, left["quantity"] - 1)})
            return self._note_delivered(route, job, "partly_delivered", some)
        return self._note_delivered(route, job, "delivered", goods)

    def _note_delivered(
        self,
        route: dict[str, Any],
        job: dict[str, Any],
        outcome: str,
        goods: list[dict[str, Any]],
        **more: Any,
    ) -> Fact:
        fact = {
            "job": job["number"],
            "order": job["order_number"],
            "route": route["number"],
            "outcome": outcome,
            "goods": goods,
        }
        self._truth.note("delivered", **fact, **more)
        return fact

    def _fact(self, job: dict[str, Any]) -> Fact | None:
        """What was noted of this delivery, unless it was carried back."""
        noted = [f for f in self._truth.of("delivered") if f["job"] == job["number"]]
        undone = [f for f in self._truth.of("not_delivered") if f["job"] == job["number"]]
        return noted[-1] if len(noted) > len(undone) else None

    # --- home ---------------------------------------------------------------------------------------------

    def _come_home(self, route: dict[str, Any]) -> None:
        home = (route["depot"]["lat"], route["depot"]["lon"])
        assert self._here is not None
        if route["state"] == "under_way" and distance_m(self._here, home) > 30:
            whole_m = route["distance_m"]
            behind_m = min(whole_m, sum(s["leg_m"] for s in route["stops"] if s["state"] != "skipped"))
            way = to_the_stop(route["geometry"], self._here, home, behind_m, whole_m, whole_m)
            self._drive(way, (whole_m - behind_m) / TOWN_M_S)
            self._park(home)
            end = time.monotonic() + FENCE_S / max(1.0, self._pace.speed)
            while time.monotonic() < end and route["state"] == "under_way":
                self._pace.really(min(3.0, FENCE_S / self._pace.speed / 2))
                route = self._api.get(f"/driver/routes/{route['id']}")
        for carton in route["to_unload"]:
            self._unload(route, carton)
        try:
            self._api.post(f"/delivery-routes/{route['id']}/finish", {})
        except Refused as refused:
            log.info("not_finished", route=route["number"], why=str(refused))
            self._pace.wait(LOOK_S)

    def _unload(self, route: dict[str, Any], carton: dict[str, Any]) -> None:
        self._pace.wait(4)
        told = [
            f
            for f in self._truth.of("brought_back")
            if (f["route"], f["sscc"]) == (route["number"], carton["sscc"])
        ]
        if not told:
            goods = [_piece(carton["sscc"], p, p["aboard"]) for p in _aboard(carton)]
            self._truth.note(
                "brought_back",
                route=route["number"],
                sscc=carton["sscc"],
                goods=goods,
                outcome=carton["outcome"],
            )
        self._api.post(f"/delivery-routes/{route['id']}/unload", {"code": carton["sscc"]})


def _aboard(carton: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for p in carton["contents"] if float(p["aboard"])]


def _piece(sscc: str, p: dict[str, Any], quantity: str) -> dict[str, Any]:
    return {"sscc": sscc, "item": p["item_id"], "sku": p["sku"], "lot": p["lot"], "serial": p["serial"], "quantity": int(float(quantity))}  # fmt: skip


def _line(carton: dict[str, Any], given: list[dict[str, Any]], why_not: str) -> dict[str, Any]:
    """What is handed over of one carton, as the driver's phone says it."""
    of_it = [g for g in given if g["sscc"] == carton["sscc"]]
    if sum(g["quantity"] for g in of_it) == sum(int(float(p["aboard"])) for p in _aboard(carton)):
        return {"sscc": carton["sscc"], "delivered": "all"}
    pieces = [
        {"item_id": g["item"], "lot": g["lot"], "serial": g["serial"], "quantity": str(g["quantity"])}
        for g in of_it
    ]
    return {"sscc": carton["sscc"], "delivered": pieces or "none", "reason": why_not}


def _signature(chance: random.Random) -> str:
    points = [(10 + 9 * n, 40 + chance.uniform(-22, 22)) for n in range(20)]
    line = " ".join(f"{'M' if n == 0 else 'L'}{x:.0f} {y:.1f}" for n, (x, y) in enumerate(points))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 80">'
        f'<path d="{line}" fill="none" stroke="black" stroke-width="2"/></svg>'
    )


def _photo(chance: random.Random) -> str:
    """A door in the dusk, as far as 48 by 64 pixels show one: a real PNG."""
    wall, door = [chance.randrange(60, 200) for _ in range(3)], [chance.randrange(20, 120) for _ in range(3)]
    rows = b"".join(
        b"\0" + b"".join(bytes(door if 14 <= x < 34 and y >= 16 else wall) for x in range(48))
        for y in range(64)
    )
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 48, 64, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return base64.b64encode(png).decode()
