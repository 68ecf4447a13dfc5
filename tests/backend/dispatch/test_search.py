"""Search from every screen finds what dispatch knows."""

from __future__ import annotations

from datetime import UTC, datetime

from backend.context import Context
from backend.db import Conn
from backend.ids import new_id
from tests.conftest import Api, Warehouse
from tests.screens import delivery_day as deliveries


def test_search_finds_vehicles_deliveries_and_customers(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    ctx = Context("user:test", warehouse.site_id, datetime.now(UTC), str(new_id()))
    customer = deliveries.Customer("Lighthouse Books", "Aleksanterinkatu 52", 60.1686, 24.9430)
    day = deliveries.delivery_day(
        conn, ctx, warehouse.customer_id, [customer], vans=1, day=deliveries.tomorrow()
    )

    def hits(q: str) -> list[tuple[str, str]]:
        answer = api.get("/api/v1/search", params={"q": q})
        assert answer.status_code == 200, answer.text
        return [(hit["kind"], hit["id"]) for hit in answer.json()["items"]]

    assert ("vehicle", str(day.vehicles[0])) in hits("van-1")
    assert ("vehicle", str(day.vehicles[0])) in hits("ABC-101")
    assert ("delivery_job", str(day.jobs[0])) in hits("lighthouse")
    assert ("delivery_job", str(day.jobs[0])) in hits("Aleksanterinkatu")
    made = api.post(
        "/api/v1/delivery-routes",
        json={"shift_id": str(day.shifts[0])},
        headers={"Idempotency-Key": str(new_id())},
    )
    assert made.status_code == 201, made.text
    assert ("delivery_route", made.json()["id"]) in hits(made.json()["number"])
