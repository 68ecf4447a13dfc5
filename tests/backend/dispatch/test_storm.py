"""Sixteen people at once on one board over the API, with seeded dice: dispatchers, loaders, drivers, customers who cancel.

Most is refused, and that is right. Whatever is not: the books agree, each delivery is in one place, no carton is forgotten,
and nobody is answered a fault. Another seed is another day: `STOWAGE_TEST_SEEDS=3,4,5`."""

from __future__ import annotations

import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.db import Conn
from backend.dispatch import load, moves
from tests.backend.dispatch.day import ZONE, Day, put, released
from tests.backend.dispatch.road import books_are_right
from tests.backend.dispatch.test_release import packed
from tests.conftest import Api, Warehouse, put_stock

SEEDS = [int(s) for s in os.environ.get("STOWAGE_TEST_SEEDS", "1").split(",")]
NAMES = ("Kamppi", "Kaisa", "Station", "Kluuvi", "Toolo", "Kruunu", "Hakaniemi", "Bulevardi")
VANS = ("VAN-1", "VAN-2", "VAN-3")
V1 = "/api/v1"
ON_THE_ROAD = {
    "deliver": 3, "fail": 3, "arrive": 1, "unload": 3, "finish": 1, "breakdown": 1, "move": 1, "depart": 1, "take_over": 1,
    "ship_otherwise": 1, "cancel_order": 1,
}  # fmt: skip
ALL_DAY = {
    "load": 5, "depart": 3, "release": 4, "move": 8, "new": 2, "unload": 3, "take_over": 4, "deliver": 2, "finish": 1, "fail": 1,
    "withdraw": 1, "cancel": 1, "breakdown": 1, "remove": 1, "change": 1, "ship_otherwise": 1,
}  # fmt: skip

WRONG = {
    "a delivery that is not where its state says": """
        select j.number, j.state, array_agg(r.state) from delivery_job j
        left join delivery_stop s on s.job_id = j.id and s.kind = 'delivery' and s.state in ('planned', 'arrived')
        left join delivery_route r on r.id = s.route_id group by j.site_id, j.id
        having (j.state in ('planned', 'released', 'aboard')) <> (count(s.id) = 1)
            or (j.state = 'planned' and bool_or(r.state not in ('draft', 'under_way')))
            or (j.state = 'released' and bool_or(r.state not in ('released', 'loading', 'under_way')))
            or (j.state = 'aboard' and bool_or(r.state not in ('under_way', 'back')))""",
    "goods aboard of what is over": """
        select j.number, j.state, r.state from aboard a join delivery_job j on j.id = a.job_id join delivery_route r on r.id = a.route_id
        where a.quantity > 0 and (r.state = 'finished' or j.state in ('delivered', 'cancelled'))""",
    "a carton that nobody brings, or two do": """
        select p.code, c.state from carton c join license_plate p on p.id = c.id
        join sales_order o on o.id = c.order_id and o.state <> 'cancelled' left join delivery_job_carton x on x.carton_id = c.id
        left join delivery_job j on j.id = x.job_id and j.finished_at is null
        where c.state in ('closed', 'loaded') group by p.code, c.state having count(j.id) <> 1""",
    "a route whose stops are not counted through": """
        select r.number from delivery_route r join delivery_stop s on s.route_id = r.id and s.state <> 'skipped'
        where r.state in ('draft', 'released') group by r.number having max(s.position) <> count(*) or min(s.position) <> 1""",
}


def some(dice: random.Random, rows: list[Any]) -> Any:
    return dice.choice(rows) if rows else None


def deed(api: Api, day: Day, what: str, dice: random.Random) -> Any:
    """One thing by what the board shows just now; None where there is nothing to do it to."""
    routes = [
        r for r in api.get(f"{V1}/delivery-board?day={day.day}").json()["routes"] if r["state"] != "cancelled"
    ]
    all_jobs = api.get(f"{V1}/delivery-jobs?limit=100").json()["items"]
    job = dice.choice(all_jobs)
    stops = [(r, s) for r in routes for s in r["stops"] if s["job"]]
    sscc = [
        c["sscc"]
        for r in routes
        for c in api.get(f"{V1}/delivery-routes/{r['id']}/manifest").json()["cartons"]
    ]
    left = [r for r in routes if r["state"] in ("under_way", "back", "broken_down")]
    at_door = [r for r in routes if r["state"] in ("released", "loading")]
    r = some(dice, {"load": at_door, "depart": at_door, "unload": left, "finish": left}.get(what, routes))
    on, stop = some(dice, [x for x in stops if what == "remove" or x[0]["state"] == "under_way"]) or (
        None,
        None,
    )

    def post(path: str, body: dict[str, Any]) -> Any:
        return api.post(V1 + path, json=body)

    match what:
        case "new":
            return post("/delivery-routes", {"shift_id": str(dice.choice(list(day.shifts.values())))})
        case "cancel_order":
            return post(f"/sales-orders/{job['order_id']}/cancel", {"reason": "changed their mind"})
        case "ship_otherwise":
            return post("/shipments", {"order_ids": [job["order_id"]]})
        case "change":
            body = {"version": job["version"], "service_s": dice.randint(60, 900)}
            return api.request("PATCH", f"{V1}/delivery-jobs/{job['id']}", json=body)
        case "deliver" | "arrive" if stop:
            return post(f"/delivery-stops/{stop['id']}/{what}", {})
        case "fail" if stop:
            outcome = dice.choice(["refused", "nobody_there"])
            return post(f"/delivery-stops/{stop['id']}/fail", {"outcome": outcome, "reason": "no"})
        case "take_over" if stop and sscc:
            return post(f"/delivery-stops/{stop['id']}/take-over", {"code": dice.choice(sscc)})
        case "remove" if stop and on:
            return api.delete(f"{V1}/delivery-routes/{on['id']}/stops/{stop['id']}?version={on['version']}")
        case "move" if r:
            source = next((x for x in routes if x["id"] == job["route_id"] and job["state"] != "ready"), None)
            return post(f"/delivery-routes/{r['id']}/stops", {
                "job_id": job["id"], "position": dice.randint(1, 5), "version": r["version"], "anyway": True,
                "from_version": source["version"] if source else None,
            })  # fmt: skip
        case "release" | "withdraw" | "cancel" if r:
            return post(f"/delivery-routes/{r['id']}/{what}", {"version": r["version"]})
        case "load" | "unload" if r and sscc:
            door = {"door": "DOCK-2"} if what == "load" else {}
            return post(f"/delivery-routes/{r['id']}/{what}", {"code": dice.choice(sscc), **door})
        case "depart" | "finish" if r:
            return post(f"/delivery-routes/{r['id']}/{what}", {"anyway": True, "reason": "enough"})
        case "breakdown" if r:
            return post(f"/delivery-routes/{r['id']}/breakdown", {"note": "engine"})
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_sixteen_people_at_once_cannot_corrupt_the_board(
    api: Api, conn: Conn, warehouse: Warehouse, helsinki: None, seed: int
) -> None:
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "200")
    now = datetime.now(UTC)
    begins = now - timedelta(minutes=1)
    day = Day(conn, warehouse, day=begins.astimezone(ZONE).date())
    for code in VANS:
        day.van(code)
        conn.execute(
            "update vehicle_shift set starts_at = %s, ends_at = %s where id = %s",
            [begins, now + timedelta(hours=8), day.shifts[code]],
        )
        with conn.transaction():
            moves.new_route(conn, day.ctx(), shift_id=day.shifts[code], vehicle_id=None, day=None)
    until = (now + timedelta(hours=7)).isoformat()
    for n, name in enumerate(NAMES):
        packed(day, name, window_from=now.isoformat(), window_until=until)
        put(day, name, VANS[n % 3], 1, anyway=True)
    for code in VANS[: 1 + seed % 3]:
        released(day, code)
        route = day.route(code)
        with conn.transaction():
            for c in load.manifest(conn, warehouse.site_id, route.id).cartons:
                load.load(conn, day.ctx(), route.id, c.sscc, "DOCK-2")
            if code != "VAN-3":
                load.depart(conn, day.ctx(), route.id)
    answers: Counter[tuple[str, int]] = Counter()

    def person(n: int, weights: dict[str, int], times: int) -> None:
        dice = random.Random(seed * 1000 + n)
        for _ in range(times):
            what = dice.choices(list(weights), list(weights.values()))[0]
            answer = deed(api, day, what, dice)
            if answer is not None:
                answers[(what, answer.status_code)] += 1

    for hour, (weights, times) in enumerate(((ON_THE_ROAD, 2), (ALL_DAY, 4), (ALL_DAY, 4))):
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n, h=hour, w=weights, t=times: person(h * 100 + n, w, t), range(16)))
        books_are_right(conn)
        for words, query in WRONG.items():
            assert conn.execute(query.encode()).fetchall() == [], (words, answers)
    assert not {k: n for k, n in answers.items() if k[1] >= 500}
    assert sum(n for (_, status), n in answers.items() if status < 300) >= 5, answers
