"""By which keys other systems know our things: set by our code, shown with our words, each site its own places."""

from __future__ import annotations

from typing import Any

import pytest

from backend.db import Conn
from tests.conftest import Api, Warehouse, build_warehouse

URL = "/api/v1/external-keys"


@pytest.mark.parametrize(
    ("kind", "code", "name"),
    [("item", "TEA-250", "Green tea 250 g"), ("partner", "SUP-1", "SUP-1"), ("place", "A-01-1", ""), ("site", "HEL1", "Helsinki 1")],
)  # fmt: skip
def test_a_key_is_set_by_our_code_and_changed_by_setting_it_again(
    api: Api, warehouse: Warehouse, kind: str, code: str, name: str
) -> None:
    for theirs in ("4711", "4712"):
        body = {"system": "crm", "kind": kind, "our_code": code, "their_key": theirs}
        made = api.put(URL, json=body)
        assert made.status_code == 200, made.text
        assert (made.json()["our_code"], made.json()["our_name"], made.json()["their_key"]) == (
            code,
            name,
            theirs,
        )
    assert api.get(URL).json()["items"] == [made.json()]
    by_id = {"system": "erp", "kind": kind, "our_id": made.json()["our_id"], "their_key": "E1"}
    assert api.put(URL, json=by_id).json()["our_code"] == code


def test_the_list_is_filtered_by_system_and_kind(api: Api, warehouse: Warehouse) -> None:
    for system, kind, code in (("crm", "item", "TEA-250"), ("erp", "item", "TEA-250"), ("erp", "partner", "SUP-1")):  # fmt: skip
        api.put(URL, json={"system": system, "kind": kind, "our_code": code, "their_key": "1"})

    def found(**query: str) -> list[tuple[str, str]]:
        return [(k["system"], k["kind"]) for k in api.get(URL, params=query).json()["items"]]

    assert found(system="erp") == [("erp", "item"), ("erp", "partner")]
    assert found(kind="item") == [("crm", "item"), ("erp", "item")]
    assert found(system="erp", kind="item") == [("erp", "item")]


@pytest.mark.parametrize(
    ("ours", "status", "field"),
    [
        ({"our_code": "NO-SUCH"}, 422, "our_code"),
        ({}, 422, "our_code"),
        ({"our_code": "TEA-250", "our_id": "01890000-0000-7000-8000-000000000000"}, 422, "our_code"),
        ({"our_id": "01890000-0000-7000-8000-000000000000"}, 404, None),
    ],
)
def test_what_is_not_ours_gets_no_key(api: Api, ours: dict[str, Any], status: int, field: str | None) -> None:
    answer = api.put(URL, json={"system": "crm", "kind": "item", "their_key": "1", **ours})
    assert (answer.status_code, answer.json().get("field")) == (status, field)


def test_one_key_names_one_thing(api: Api) -> None:
    body = {"system": "crm", "kind": "item", "their_key": "1"}
    assert api.put(URL, json={**body, "our_code": "TEA-250"}).status_code == 200
    answer = api.put(URL, json={**body, "our_code": "MILK-1L"})
    assert (answer.status_code, answer.json()["field"]) == (409, "their_key")


def test_a_place_is_meant_at_ones_own_site(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    other = build_warehouse(conn, "TMP1")
    body = {"system": "erp", "kind": "place", "our_code": "A-01-1", "their_key": "L1"}
    assert api.put(URL, json=body).json()["field"] == "site_id"
    there = api.put(URL, json=body, params={"site_id": str(other.site_id)}).json()
    assert there["our_id"] == str(other.places["A-01-1"])
    api.as_user(conn, "ina", ["integrator"], warehouse.site_id)
    assert api.get(URL).json()["items"] == []
    mine = api.put(URL, json={**body, "their_key": "L2"}).json()
    assert mine["our_id"] == str(warehouse.places["A-01-1"])
    assert api.put(URL, json={"system": "erp", "kind": "place", "our_id": there["our_id"], "their_key": "L3"}).status_code == 404  # fmt: skip
    assert api.get(URL).json()["items"] == [mine]
