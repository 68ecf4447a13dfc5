"""Dora, the dispatcher: keeps a shift open for each van, plans when enough is packed, releases, pins what she knows.

Where no road server answers she plans by hand: each van takes the nearest orders that fit. What nobody can deliver she
leaves in its tray with its reason: that is for a person to decide.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from stowage.demo.api import Account, Refused
from stowage.demo.pace import Pace
from stowage.demo.shops import VANS, known_spots

log = structlog.get_logger(__name__)

DOOR = "DOCK-3"
ROUND_S = 6.0
ENOUGH_JOBS = 3
PATIENCE_S = 75.0
"""So old a packed order may become before a van goes with less than `ENOUGH_JOBS`."""
PLAN_EVERY_S = 20.0
THINKS_S = 2.0
"""How long the planner may think: the day is small, and the machine has more to do."""
SHIFT = timedelta(hours=6)
SHORTEST_SHIFT = timedelta(hours=2)
MOST_BY_HAND = 5
TOO_LONG_S = 1200.0
"""So long after its release a van does not wait for the last carton any more."""
HOPELESS = (
    "too_heavy",
    "no_road",
    "window_too_short",
    "not_worth_it",
    "too_far_from_road",
)
ACTIVE = ("released", "loading", "under_way", "back", "broken_down")


class Dispatcher:
    def __init__(self, account: Account, lead: Account, pace: Pace) -> None:
        """`lead` knows who the drivers are."""
        self._api, self._lead, self._pace = account, lead, pace
        self._door_id: str | None = None
        self._drivers: dict[str, str] = {}
        self._plan_at = time.monotonic()

    def work(self) -> None:
        """One look at the board."""
        board = self._api.get("/delivery-board")
        for duty in (self._open_shifts, self._pin, self._plan, self._release, self._let_go):
            try:
                if duty(board):
                    board = self._api.get("/delivery-board")
            except Refused as refused:
                log.info("refused", duty=duty.__name__.strip("_"), why=str(refused))
                board = self._api.get("/delivery-board")
        self._pace.wait(ROUND_S)

    # --- shifts -------------------------------------------------------------------------------------------

    def _open_shifts(self, board: dict[str, Any]) -> bool:
        """Each van has a shift that covers now and has no route: a van that is back gets the next one."""
        changed = False
        now = datetime.now(UTC)
        vans = {v["code"]: v for v in self._vans()}
        free = {
            s["vehicle_code"]
            for s in board["free_shifts"]
            if _moment(s["starts_at"]) <= now and _moment(s["ends_at"]) > now + SHORTEST_SHIFT / 2
        }
        busy = {r["vehicle"]["code"] for r in board["routes"] if r["state"] in ("draft", *ACTIVE)}
        for van in VANS:
            if van.code in free or van.code in busy or van.code not in vans:
                continue
            starts_at = self._end_old_shifts(vans[van.code]["id"], now)
            if starts_at is None:
                continue
            self._api.post(
                "/vehicle-shifts",
                {
                    "vehicle_id": vans[van.code]["id"], "driver_id": self._driver(van.driver),
                    "starts_at": starts_at.isoformat(), "ends_at": (starts_at + SHIFT).isoformat(),
                },
            )  # fmt: skip
            changed = True
        return changed

    def _end_old_shifts(self, vehicle_id: str, now: datetime) -> datetime | None:
        """What still runs for the van ends now. None: not yet, somebody holds it."""
        starts_at = now
        for s in self._api.get("/vehicle-shifts", vehicle_id=vehicle_id, limit=20)["items"]:
            if s["cancelled_at"] is not None or _moment(s["ends_at"]) <= now:
                continue
            change: dict[str, Any] = {"version": s["version"]}
            if _moment(s["starts_at"]) >= now:
                change["cancelled"] = True
            else:
                change["ends_at"] = now.isoformat()
            try:
                self._api.patch(f"/vehicle-shifts/{s['id']}", change)
            except Refused as refused:
                log.info("shift_stays", vehicle=s["vehicle_code"], why=str(refused))
                return None
        return starts_at

    def _driver(self, username: str) -> str | None:
        if not self._drivers:
            self._drivers = {u["username"]: u["id"] for u in self._lead.pages("/users")}
        return self._drivers.get(username)

    # --- what the map does not know ---------------------------------------------------------------------------

    def _pin(self, board: dict[str, Any]) -> bool:
        """Addresses that she knows, where the map does not; the others wait for somebody who does."""
        spots, pinned = known_spots(), False
        for job in board["trays"]["review"]:
            spot = spots.get(job["address"])
            if spot is not None:
                pin = {"lat": spot[0], "lon": spot[1], "version": job["version"]}
                self._api.post(f"/delivery-jobs/{job['id']}/pin", pin)
                pinned = True
        return pinned

    # --- plans --------------------------------------------------------------------------------------------

    def _plan(self, board: dict[str, Any]) -> bool:
        now = datetime.now(UTC)
        free = [s for s in board["free_shifts"] if _moment(s["starts_at"]) <= now]
        lists = self._lists_of(free)
        waiting = [
            j
            for j in board["trays"]["unplanned"]
            if j["reason"] not in HOPELESS and any(set(j["skills"]) <= has for has in lists)
        ]
        oldest_s = max(((now - _moment(j["created_at"])).total_seconds() for j in waiting), default=0.0)
        patient = oldest_s < PATIENCE_S / self._pace.speed
        if not waiting or not free or time.monotonic() < self._plan_at:
            return False
        if len(waiting) < ENOUGH_JOBS and patient:
            return False
        self._plan_at = time.monotonic() + max(5.0, PLAN_EVERY_S / self._pace.speed)
        plan = self._api.post("/delivery-plans", {"day": board["day"], "limit_s": THINKS_S})
        while plan["state"] == "computing":
            self._pace.really(1.0)
            plan = self._api.get(f"/delivery-plans/{plan['id']}")
        if plan["state"] == "failed":
            log.info("plan_failed", why=plan["problem"])
            return self._by_hand(board, waiting, free)
        if plan["state"] != "proposed":
            return False
        routes = plan["proposal"]["routes"] if plan["proposal"] else []
        word = "accept" if routes else "discard"
        self._api.post(f"/delivery-plans/{plan['id']}/{word}", {"version": plan["version"]})
        log.info("planned", routes=len(routes), stops=sum(len(r["stops"]) for r in routes), verdict=word)
        return True

    def _lists_of(self, free: list[dict[str, Any]]) -> list[set[str]]:
        """What each free van may carry beside ambient goods: what is chilled waits until one that cools is back."""
        codes = {s["vehicle_code"] for s in free}
        return [set(v["skills"]) for v in self._vans() if v["code"] in codes]

    def _vans(self) -> list[dict[str, Any]]:
        return [v for v in self._api.get("/delivery-vehicles")["items"] if v["active"]]

    def _by_hand(
        self, board: dict[str, Any], waiting: list[dict[str, Any]], free: list[dict[str, Any]]
    ) -> bool:
        """No roads: one order after the other on the van with room, along straight lines."""
        left = list(waiting)
        for shift in free:
            if not left:
                break
            route = self._api.post("/delivery-routes", {"shift_id": shift["id"]})
            for job in list(left):
                if len(route["stops"]) >= MOST_BY_HAND:
                    break
                body = {"job_id": job["id"], "position": len(route["stops"]) + 1, "version": route["version"]}
                try:
                    changed = self._api.post(f"/delivery-routes/{route['id']}/stops", body)
                except Refused as refused:
                    log.info("does_not_fit", job=job["number"], why=str(refused))
                    continue
                left.remove(job)
                route = next(r for r in changed["routes"] if r["id"] == route["id"])
            if not route["stops"]:
                self._api.post(f"/delivery-routes/{route['id']}/cancel", {"version": route["version"]})
                break
        return True

    def _release(self, board: dict[str, Any]) -> bool:
        """Drafts go to the door, unless somebody locked them; a draft without stops is forgotten."""
        if self._door_id is None:
            self._door_id = next(p["id"] for p in self._api.pages("/places") if p["code"] == DOOR)
        released = False
        busy = {r["vehicle"]["id"] for r in board["routes"] if r["state"] in ACTIVE}
        for route in board["routes"]:
            if route["state"] != "draft" or route["locked"] or route["vehicle"]["id"] in busy:
                continue
            if route["stops"]:
                body = {"version": route["version"], "door_id": self._door_id}
                self._api.post(f"/delivery-routes/{route['id']}/release", body)
                log.info(
                    "released",
                    route=route["number"],
                    vehicle=route["vehicle"]["code"],
                    stops=len(route["stops"]),
                )
            else:
                self._api.post(f"/delivery-routes/{route['id']}/cancel", {"version": route["version"]})
            busy.add(route["vehicle"]["id"])
            released = True
        return released

    def _let_go(self, board: dict[str, Any]) -> bool:
        """A van that waits far too long for a carton goes without it; one that got none is not sent at all."""
        long_ago = datetime.now(UTC) - timedelta(seconds=TOO_LONG_S / self._pace.speed)
        changed = False
        for route in board["routes"]:
            if route["state"] not in ("released", "loading") or _moment(route["released_at"]) > long_ago:
                continue
            manifest = self._api.get(f"/delivery-routes/{route['id']}/manifest")
            if manifest["complete"]:
                continue
            if manifest["loaded"]:
                reason = "the missing cartons were not found in time"
                self._api.post(f"/delivery-routes/{route['id']}/depart", {"anyway": True, "reason": reason})
            else:
                self._api.post(f"/delivery-routes/{route['id']}/cancel", {"version": route["version"]})
            changed = True
        return changed


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
