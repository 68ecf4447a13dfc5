"""A day of deliveries for the screens' tests: a depot, a van, its shift and driver, packed orders with addresses in Helsinki,
and a released route. Made over the API, as an administrator would; without a road engine the distances are straight lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from backend.db import Conn
from tests.conftest import Api, Warehouse, put_stock
from tests.screens.handheld import Backend

DEPOT = {"name": "Vallila", "address": "Sturenkatu 26, 00510 Helsinki", "lat": 60.1935, "lon": 24.9527}
CUSTOMERS: list[dict[str, Any]] = [
    {"name": "Anna Virtanen", "street": "Aleksanterinkatu 52", "postcode": "00100", "lat": 60.1686, "lon": 24.9428,
     "phone": "+358 40 123 4567", "note": "Ring twice, the dog is friendly. Second courtyard."},
    {"name": "Kahvila Kallio", "street": "Kaisaniemenkatu 4", "postcode": "00100", "lat": 60.1712, "lon": 24.9458},
    {"name": "Björn Lindqvist", "street": "Bulevardi 30", "postcode": "00120", "lat": 60.1626, "lon": 24.9323},
    {"name": "Toimisto Töölö Oy", "street": "Mannerheimintie 76", "postcode": "00250", "lat": 60.1835, "lon": 24.9230},
]  # fmt: skip
ELSEWHERE = {
    "name": "Somebody Else",
    "street": "Hämeentie 5",
    "postcode": "00530",
    "lat": 60.1830,
    "lon": 24.9560,
}
TEA, TEA_CASE = "06412345000012", "16412345000019"


class _Headers:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}


def person(conn: Conn, username: str, *roles: str) -> UUID:
    """A user who can log in with `test-password`."""
    Api.as_user(_Headers(), conn, username, list(roles))  # type: ignore[arg-type]
    row = conn.execute("select id from app_user where username = %s", [username]).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def pack(backend: Backend, warehouse: Warehouse, to: dict[str, Any], cartons: int = 1) -> dict[str, Any]:
    """An order with `cartons` cartons of a dozen, packed and closed; its delivery comes of itself."""
    ask = backend.ask
    now = datetime.now(UTC)
    order = ask("POST", "/sales-orders", {
        "external_number": f"WEB-{to['name'].split()[0]}",
        "customer_id": str(warehouse.customer_id),
        "due_at": (now + timedelta(hours=6)).isoformat(),
        "lines": [{"sku": "TEA-250", "quantity": str(12 * cartons)}],
        "ship_to": {"city": "Helsinki", "country": "FI", "window_from": (now - timedelta(minutes=30)).isoformat(),
                    "window_until": (now + timedelta(hours=5)).isoformat(), **{k: str(v) for k, v in to.items()}},
    })  # fmt: skip
    codes = []
    for _ in range(cartons):
        task = ask("POST", "/pick-tasks/next", {})["task"]
        ask(
            "POST",
            f"/pick-tasks/{task['id']}/confirm",
            {"place": "A-01-1", "code": TEA, "quantity": task["quantity"]},
        )
        if task["quantity"] == str(12 * cartons):
            break
    for _ in range(cartons):
        carton = ask("POST", "/cartons", {"order_id": order["id"], "bench": "BENCH-1"})
        ask("POST", f"/cartons/{carton['id']}/contents", {"code": TEA_CASE})
        ask("POST", f"/cartons/{carton['id']}/weight", {"weight_g": str(12 * 280 + 250)})
        ask("POST", f"/cartons/{carton['id']}/close", {})
        codes.append(carton["sscc"])
    return {**order, "sscc": codes}


@dataclass
class DriverDay:
    """What was made: the route as the board has it, and each order with its cartons in the order of the stops."""

    depot: dict[str, Any]
    vehicle: dict[str, Any]
    shift: dict[str, Any]
    route_id: str
    route_number: str
    orders: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    elsewhere: dict[str, Any]

    @property
    def first(self) -> dict[str, Any]:
        return self.orders[0]


def depot_and_van(
    backend: Backend, driver_id: UUID | None, *, break_s: int = 0, carries: tuple[str, ...] = ()
) -> tuple[Any, Any, Any]:
    ask = backend.ask
    now = datetime.now(UTC)
    depot = ask("POST", "/depots", {"code": "VALLILA", **DEPOT})
    van = ask("POST", "/delivery-vehicles", {"code": "VAN-1", "name": "Van 1", "depot_id": depot["id"], "plate": "ABC-123",
                                             "max_weight_g": 800_000, "max_volume_ml": 6_000_000, "skills": list(carries)})  # fmt: skip
    body: dict[str, Any] = {"vehicle_id": van["id"], "driver_id": str(driver_id) if driver_id else None,
                            "starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=8)).isoformat()}  # fmt: skip
    if break_s:
        body |= {"break_s": break_s, "break_from": (now + timedelta(minutes=15)).isoformat(),
                 "break_until": (now + timedelta(minutes=45)).isoformat()}  # fmt: skip
    return depot, van, ask("POST", "/vehicle-shifts", body)


def a_day(
    backend: Backend,
    conn: Conn,
    warehouse: Warehouse,
    driver: str = "dan",
    *,
    stops: int = 4,
    released: bool = True,
    break_s: int = 0,
    carries: tuple[str, ...] = (),
) -> DriverDay:
    """Two cartons for the first customer, one for each other; one more order is packed and on no route."""
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "480")
    depot, van, shift = depot_and_van(
        backend, person(conn, driver, "driver"), break_s=break_s, carries=carries
    )
    places = [dict(to) for to in CUSTOMERS[:stops]]
    if break_s:  # one before the break, one after it
        now = datetime.now(UTC)
        places[0]["window_until"] = (now + timedelta(minutes=30)).isoformat()
        places[1]["window_from"] = (now + timedelta(minutes=70)).isoformat()
    orders = [pack(backend, warehouse, to, cartons=2 if n == 0 else 1) for n, to in enumerate(places)]
    elsewhere = pack(backend, warehouse, ELSEWHERE)
    jobs = [backend.ask("GET", f"/delivery-jobs?order_id={o['id']}")["items"][0] for o in orders]
    route = backend.ask("POST", "/delivery-routes", {"shift_id": shift["id"]})
    for n, job in enumerate(jobs):
        changed = backend.ask(
            "POST",
            f"/delivery-routes/{route['id']}/stops",
            {"job_id": job["id"], "position": n + 1, "version": route["version"], "anyway": True},
        )
        route = next(r for r in changed["routes"] if r["id"] == route["id"])
    if released:
        backend.ask("POST", f"/delivery-routes/{route['id']}/release", {"version": route["version"]})
    return DriverDay(depot, van, shift, route["id"], route["number"], orders, jobs, elsewhere)
