"""What must hold for each address of the API, also for one that is added tomorrow: roles, keys, sites, pages."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, get_args, get_origin
from uuid import UUID, uuid4

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from backend.app import ROUTERS, create_app
from backend.auth.principals import ROLES
from backend.db import Conn
from tests.conftest import Api, Warehouse, build_warehouse

WRITES = {"POST", "PUT", "PATCH", "DELETE"}

FOR_EVERYBODY = {
    "POST /auth/login",  # nobody is logged in yet
    "POST /agents/enrol",  # the one-time code stands for the right
    "POST /auth/logout",  # one's own session
    "PATCH /auth/me",  # one's own language and password
}
"""Writes that need no role. To add one, say why."""

WITHOUT_KEY = {"POST /auth/login", "POST /agents/enrol"}
"""Writes that carry no Idempotency-Key: what they answer is shown once and stored nowhere."""

WITHOUT_LOGGING_IN = {
    "POST /auth/login",
    "POST /agents/enrol",
    "GET /tracking/{token}",  # the customer's link stands for the right, and shows one delivery
    "GET /map",  # a street map is everybody's, also the customer's who follows that link
    "GET /map/tiles/{z}/{x}/{y}.mvt",
}
"""To add one, say why."""


def routes() -> Iterator[tuple[str, APIRoute]]:
    for entry in ROUTERS:
        module, attribute = entry.split(":")
        for route in getattr(importlib.import_module(module), attribute).routes:
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield f"{method} {route.path}", route


def dependencies(of: Dependant) -> Iterator[Dependant]:
    for d in of.dependencies:
        yield d
        yield from dependencies(d)


def roles_of(route: APIRoute) -> set[str]:
    """The roles that `allow(...)` names."""
    named: set[str] = set()
    for d in dependencies(route.dependant):
        if d.call is not None and getattr(d.call, "__qualname__", "") == "allow.<locals>.check":
            for cell in d.call.__closure__ or ():
                named.update(cell.cell_contents)
    return named


EVERY = dict(routes())
EVERY_WRITE = [name for name in EVERY if name.split()[0] in WRITES]


def test_the_walk_sees_all_that_the_document_has() -> None:
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, operations in create_app("").openapi()["paths"].items()
        for method in operations
    }
    assert set(EVERY) == described
    assert len(EVERY_WRITE) > 60


@pytest.mark.parametrize("name", EVERY_WRITE)
def test_a_write_names_the_roles_that_may_use_it(name: str) -> None:
    named = roles_of(EVERY[name])
    assert bool(named) != (name in FOR_EVERYBODY)
    assert named <= set(ROLES)


def test_every_role_has_something_to_do() -> None:
    assert set[str]().union(*(roles_of(r) for r in EVERY.values())) >= set(ROLES)


@pytest.mark.parametrize("name", EVERY_WRITE)
def test_a_write_asks_for_an_idempotency_key(name: str) -> None:
    header = next((p for p in EVERY[name].dependant.header_params), None)
    asked = any(
        p.alias.lower().replace("_", "-") == "idempotency-key"
        for d in dependencies(EVERY[name].dependant)
        for p in d.header_params
    )
    assert asked != (name in WITHOUT_KEY), header


def test_a_write_without_the_role_or_without_logging_in_is_refused(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    """Whatever else is wrong with the request: nobody learns more than that it is not for them."""
    api.as_user(conn, "dirk", ["driver"], warehouse.site_id)
    for name in EVERY_WRITE:
        method, path = name.split()
        path = fill(path, {})
        if name in FOR_EVERYBODY:
            continue
        if "driver" not in roles_of(EVERY[name]):
            answer = api.request(method, path, json={})
            assert answer.status_code in (403, 422), f"{name}: {answer.status_code} {answer.text}"
    del api.headers["Authorization"]
    for name in EVERY:
        if name in WITHOUT_LOGGING_IN:
            continue
        method, path = name.split()
        answer = api.request(method, fill(path, {}), json={} if method in WRITES else None)
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_list_is_a_page_with_a_cursor() -> None:
    for name, route in EVERY.items():
        model = route.response_model
        if isinstance(model, type) and issubclass(model, BaseModel) and "items" in model.model_fields:
            assert "next_cursor" in model.model_fields, name
        assert get_origin(model) is not list, f"{name} answers with a bare list {get_args(model)}"


# --- sites ------------------------------------------------------------------------------------------------

SHARED = {"item_id", "partner_id", "supplier_id", "customer_id", "lot_id", "pack_id", "job_id", "epc"}
"""Ids of what all sites have in common: the catalog, and the worker's queue."""


RIGHT_BODIES: dict[str, dict[str, Any]] = {
    "POST /devices/{device_id}/commands": {"command": "report_status"},
    "POST /pick-tasks/{task_id}/short": {"reason": "empty"},
    "POST /pick-tasks/{task_id}/zero-check": {"left": "0"},
    "POST /delivery-jobs/{delivery_job_id}/pin": {"version": 1, "lat": 60.0, "lon": 24.0},
    "POST /delivery-routes/{route_id}/stops": {"job_id": str(uuid4()), "position": 1, "version": 1},
    "POST /delivery-routes/{route_id}/assign": {"jobs": [{"job_id": str(uuid4())}], "version": 1},
    "POST /delivery-routes/{route_id}/lock": {"locked": True, "version": 1},
    "POST /delivery-stops/{stop_id}/lock": {"locked": True},
    "POST /delivery-stops/{stop_id}/fail": {"outcome": "refused", "reason": "wrong colour"},
    "POST /cartons/{carton_id}/contents/remove": {"item_id": str(uuid4())},
    "POST /returns/{return_id}/lines/{line_id}/take-back": {"reason": "by mistake"},
    "POST /returns/{return_id}/lines": {"code": "TEA-250", "reason": "not wanted", "grade": "as_new"},
}
"""Where a guessed body would be refused for itself, before anybody asks whose it is."""


def fill(path: str, values: dict[str, str]) -> str:
    for part in [p for p in path.split("/") if p.startswith("{")]:
        path = path.replace(part, values.get(part.strip("{}"), str(uuid4())))
    return f"/api/v1{path}"


def foreign_ids(conn: Conn, site_id: UUID) -> dict[str, str]:
    """One real thing of the site for each kind of id that a path can name."""
    tables = {
        "place_id": "place", "movement_id": "movement", "order_id": "sales_order", "line_id": "sales_order_line",
        "agent_id": "agent", "device_id": "device", "letter_id": "dead_letter", "alert_id": "alert", "asn_id": "asn",
        "receipt_id": "receipt", "task_id": "count_task", "discrepancy_id": "discrepancy", "transfer_id": "transfer",
        "shipment_id": "shipment", "carton_id": "carton", "label_id": "label", "posting_id": "posting",
        "subscription_id": "webhook_subscription", "delivery_id": "webhook_delivery", "suggestion_id": "purchase_suggestion",
        "user_id": "app_user", "plate_id": "license_plate", "license_plate_id": "license_plate",
        "depot_id": "depot", "vehicle_id": "delivery_vehicle", "shift_id": "vehicle_shift", "route_id": "delivery_route",
        "plan_id": "delivery_plan", "stop_id": "delivery_stop", "delivery_job_id": "delivery_job", "proof_id": "delivery_proof",
        "return_id": "customer_return",
    }  # fmt: skip
    found = {}
    for parameter, table in tables.items():
        row = conn.execute(
            f"select id from {table} where site_id = %s limit 1".encode(), [site_id]
        ).fetchone()
        if row:
            found[parameter] = str(row[0])
    return found


@pytest.fixture
def other(api: Api, conn: Conn, warehouse: Warehouse) -> Warehouse:
    """Another site, in which there is one of nearly everything."""
    there = build_warehouse(conn, "TRE1")
    site = {"site_id": str(there.site_id)}

    def made(method: str, path: str, body: dict[str, Any]) -> Any:
        answer = api.request(method, f"/api/v1{path}", json=body, params=site)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.text}"
        return answer.json()

    made("POST", "/adjustments", {"item": "TEA-250", "place": "A-01-1", "change": "50", "reason": "opening"})
    made("POST", "/sales-orders", {"customer_code": "CUST-1", "lines": [{"sku": "TEA-250", "quantity": "2"}]})
    agent = made("POST", "/agents", {"code": "dock"})["agent"]
    made("POST", "/devices", {"agent_id": agent["id"], "code": "door-1", "kind": "llrp_reader"})
    made("POST", "/delivery-plans", {"day": "2099-01-01"})
    supplier = str(there.supplier_id)
    made(
        "POST",
        "/asns",
        {"number": "A-1", "supplier_id": supplier, "lines": [{"sku": "TEA-250", "quantity": "5"}]},
    )
    made("POST", "/receipts", {"dock_door_id": str(there.places["DOCK-1"]), "asn_number": "A-1"})
    receipt = made("POST", "/receipts", {"dock_door_id": str(there.places["DOCK-2"])})
    made("POST", f"/receipts/{receipt['id']}/scans", {"code": "TEA-250", "quantity": "3"})
    made("POST", f"/receipts/{receipt['id']}/close", {})
    made("POST", "/returns", {"lines": [{"code": "TEA-250", "reason": "not wanted", "grade": "opened"}]})
    made("POST", "/count-tasks", {"place": "A-01-1"})
    yard = made("POST", "/depots", {"code": "YARD", "name": "Yard", "lat": 60.2, "lon": 24.9})
    van = made(
        "POST",
        "/delivery-vehicles",
        {"code": "VAN-9", "depot_id": yard["id"], "max_weight_g": 1000, "max_volume_ml": 1000},
    )
    shift = {"vehicle_id": van["id"], "starts_at": "2099-01-01T06:00:00Z", "ends_at": "2099-01-01T14:00:00Z"}
    made("POST", "/delivery-routes", {"shift_id": made("POST", "/vehicle-shifts", shift)["id"]})
    made("POST", "/labels", {"kind": "location", "ref": str(there.places["A-01-1"])})
    made("POST", "/license-plates", {"kind": "tote", "code": "T-77"})
    made("POST", "/webhook-subscriptions", {"name": "crm", "url": "https://crm.example/hook", "types": []})
    made("POST", "/users", {"username": "theirs", "name": "Theirs", "password": "long-enough", "roles": ["worker"],
                            "site_id": str(there.site_id)})  # fmt: skip
    conn.execute("insert into alert (id, site_id, kind, subject, message, opened_at) values (%s, %s, 'door_open', 'x', 'x', now())",
                 [uuid4(), there.site_id])  # fmt: skip
    _a_proved_delivery(conn, there)
    return there


def _a_proved_delivery(conn: Conn, there: Warehouse) -> None:
    job_id, stop_id = uuid4(), uuid4()
    conn.execute(
        """insert into delivery_job (site_id, id, number, order_id, state, customer_name, address, lat, lon, window_from, window_until,
                  service_s, weight_g, volume_ml, created_at)
           select site_id, %s, 'DJ-9', id, 'aboard', 'Theirs', 'There 1', 60.2, 24.9, now(), now(), 60, 1, 1, now()
           from sales_order where site_id = %s limit 1""",
        [job_id, there.site_id],
    )
    conn.execute(
        """insert into delivery_stop (site_id, id, route_id, position, job_id, planned_arrival_at, planned_start_at, planned_leave_at)
           select site_id, %s, id, 1, %s, now(), now(), now() from delivery_route where site_id = %s limit 1""",
        [stop_id, job_id, there.site_id],
    )
    conn.execute(
        """insert into delivery_proof (site_id, id, job_id, stop_id, outcome, occurred_at, actor, photo, photo_type)
           values (%s, %s, %s, %s, 'refused', now(), 'user:theirs', 'x', 'image/png')""",
        [there.site_id, uuid4(), job_id, stop_id],
    )


def test_no_address_gives_or_changes_anything_of_another_site(
    api: Api, conn: Conn, warehouse: Warehouse, other: Warehouse
) -> None:
    ids = foreign_ids(conn, other.site_id)
    assert len(ids) > 12, f"the other site must hold something to be stolen: {sorted(ids)}"
    tasks = {}
    for kind, table in (("pick-tasks", "pick_task"), ("putaway-tasks", "putaway_task")):
        row = conn.execute(f"select id from {table} where site_id = %s".encode(), [other.site_id]).fetchone()
        assert row is not None
        tasks[kind] = str(row[0])
    before = fingerprint(conn, other.site_id)
    api.as_user(conn, "hanna", list(ROLES), warehouse.site_id)
    tried = 0
    for name, route in EVERY.items():
        method, path = name.split()
        named = {p.strip("{}") for p in path.split("/") if p.startswith("{")} - SHARED
        if not named:
            continue
        known = {n: ids[n] for n in named if n in ids}
        tried += bool(known)
        kind = path.split("/")[1]
        here = {**ids, "task_id": tasks.get(kind, ids["task_id"])}
        body = {**body_for(route, ids), **RIGHT_BODIES.get(name, {})}
        answer = api.request(method, fill(path, here), json=body if method in WRITES else None)
        assert answer.status_code in (403, 404), f"{name} answered {answer.status_code}: {answer.text[:300]}"
    assert tried > 40
    assert fingerprint(conn, other.site_id) == before


def test_asking_for_another_site_by_name_finds_none(
    api: Api, conn: Conn, warehouse: Warehouse, other: Warehouse
) -> None:
    api.as_user(conn, "hanna", list(ROLES), warehouse.site_id)
    asked = 0
    for name, route in EVERY.items():
        if not any(p.name == "site_id" for d in dependencies(route.dependant) for p in d.query_params):
            continue
        method, path = name.split()
        asked += 1
        answer = api.request(method, fill(path, {}), params={"site_id": str(other.site_id)},
                             json=body_for(route, {}) if method in WRITES else None)  # fmt: skip
        assert answer.status_code in (403, 404, 422), (
            f"{name} answered {answer.status_code}: {answer.text[:300]}"
        )
    assert asked > 60


def test_lists_of_one_site_hold_nothing_of_another(
    api: Api, conn: Conn, warehouse: Warehouse, other: Warehouse
) -> None:
    theirs = set(foreign_ids(conn, other.site_id).values()) | {str(other.site_id)}
    api.as_user(conn, "hanna", list(ROLES), warehouse.site_id)
    looked = 0
    for name in EVERY:
        method, path = name.split()
        if method != "GET" or "{" in path:
            continue
        answer = api.get(f"/api/v1{path}")
        if answer.status_code != 200:
            assert answer.status_code == 422, f"{name}: {answer.text}"  # asks for a question
            continue
        looked += 1
        found = [i for i in theirs if i in answer.text]
        assert not found, f"{name} shows {found} of another site"
    assert looked > 30


def body_for(route: APIRoute, ids: dict[str, str]) -> dict[str, Any]:
    """A body that is right where it can be, with the other site's ids in it."""
    field = route.body_field
    model = getattr(getattr(field, "field_info", None), "annotation", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    body: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if not info.is_required() and name not in ids:
            continue
        body[name] = ids.get(name) or {
            "version": 1, "reason": "none of your business", "item": "TEA-250", "place": "A-01-1", "code": "A-01-1",
            "quantity": "1", "change": "1", "name": "stolen", "decision": "approve", "lines": [], "weight_g": "100",
        }.get(name, "stolen")  # fmt: skip
    return body


def fingerprint(conn: Conn, site_id: UUID) -> dict[str, Any]:
    """All that the site has, so that a change is seen."""
    tables = [
        row[0]
        for row in conn.execute(
            """select c.table_name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
               where c.table_schema = 'public' and c.column_name = 'site_id' and t.table_type = 'BASE TABLE'
                     and has_table_privilege(quote_ident(c.table_schema) || '.' || quote_ident(c.table_name), 'select') order by 1"""
        ).fetchall()
    ]
    return {
        table: conn.execute(
            f"select count(*), md5(string_agg(t::text, '' order by t::text)) from {table} t where site_id = %s".encode(), [site_id]
        ).fetchone()
        for table in tables
    }  # fmt: skip
