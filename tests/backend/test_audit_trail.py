"""Who did what, when, on every setting; nothing secret in it; nobody rewrites it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from backend import devices
from backend.auth.principals import ROLES
from backend.db import Conn
from backend.ingest import commit_batch
from edge.messages import DeviceStatus
from tests.backend.ingest.sender import new_sender
from tests.conftest import Api, Warehouse, build_warehouse

NO_SETTING = {
    # what happens, with its actor on the row
    "movement", "reservation", "count_task", "count_line", "discrepancy", "handheld_step", "transfer", "transfer_line",
    "receipt", "receipt_entry", "receipt_line", "putaway_task", "pick_task", "pick_mismatch", "bench_event", "passage_tag",
    "carton", "carton_content", "shipment", "shipment_carton", "shipment_event", "shipment_order", "shipment_unit", "wave",
    "sales_order", "sales_order_line", "asn", "asn_line", "asn_plate", "asn_content", "asn_tag", "customer_return",
    "customer_return_line", "purchase_suggestion", "import_run", "label", "license_plate", "tag", "unknown_tag", "device_command",
    "delivery_job", "delivery_job_carton", "delivery_plan", "delivery_route", "delivery_stop", "delivery_event", "delivery_proof",
    "delivery_proof_line", "tracking_link", "aboard",
    # what machines keep for themselves
    "balance", "bin_block", "document_number", "agent_status", "device_status", "device_event", "event_receipt",
    "ingress_receipt", "dead_letter", "alert", "observation", "observation_other", "sensor_state", "sensor_value",
    "sensor_value_other", "vehicle_position", "vehicle_position_other", "sensor_dirty", "sensor_5min_kept", "sensor_hourly_kept", "posting", "posting_group",
    "vehicle_now", "webhook_event", "webhook_delivery", "failed_login", "idempotency_key", "audit_entry", "schema_migration",
    "job_failure", "erp_connection", "erp_cursor", "erp_drift", "erp_import", "erp_order", "erp_purchase_line", "erp_reconciliation", "erp_seen",
}  # fmt: skip


def test_every_table_is_audited_or_is_no_setting(conn: Conn) -> None:
    """A new table is a setting until somebody says that it is none."""
    rows = conn.execute(
        """select c.relname, exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                                     where t.tgrelid = c.oid and p.proname = 'audit_change')
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname not like 'procrastinate%'"""
    ).fetchall()
    audited = {name for name, has in rows if has}
    assert {name for name, _ in rows} - audited - NO_SETTING == set()
    assert audited & NO_SETTING == set()
    assert audited >= {
        "site", "place", "item", "item_pack", "partner", "supplier_item", "external_key", "app_user", "access_token", "agent",
        "device", "sensor_limit", "reorder_rule", "webhook_subscription", "printer",
    }  # fmt: skip


def trail(conn: Conn, table: str) -> list[tuple[str, str, Any]]:
    return conn.execute(
        "select actor, action, after from audit_entry where table_name = %s order by id", [table]
    ).fetchall()


def test_each_setting_that_is_changed_over_the_api_says_who_did_it(
    api: Api, conn: Conn, warehouse: Warehouse
) -> None:
    api.as_user(conn, "adam", ["admin"])
    start = conn.execute("select coalesce(max(id), 0) from audit_entry").fetchone()
    item, supplier = str(warehouse.items["TEA-250"]), str(warehouse.supplier_id)

    def done(method: str, path: str, body: dict[str, Any]) -> Any:
        answer = api.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return answer.json()

    done("PUT", "/supplier-items", {"supplier_id": supplier, "item_id": item, "unit_price": "1.10"})
    done("PUT", "/supplier-items", {"supplier_id": supplier, "item_id": item, "unit_price": "1.30"})
    done("PUT", "/external-keys", {"system": "crm", "kind": "item", "our_id": item, "their_key": "T-1"})
    done("PUT", "/reorder-rules", {"item_id": item, "reorder_point": "5", "target_level": "20"})
    done("POST", "/webhook-subscriptions", {"name": "crm", "url": "https://crm.example/hook", "types": []})
    agent = done("POST", "/agents", {"code": "dock"})["agent"]
    device = done("POST", "/devices", {"agent_id": agent["id"], "code": "cold-1", "kind": "climate_sensor"})
    done(
        "PATCH",
        f"/devices/{device['id']}",
        {"version": 1, "limits": [{"channel": "temperature", "high": "8"}]},
    )
    done("POST", "/users", {"username": "new", "name": "New", "password": "long-enough", "roles": ["worker"],
                            "site_id": str(warehouse.site_id)})  # fmt: skip
    token = done("POST", "/api-tokens", {"name": "crm", "roles": ["integrator"]})["api_token"]
    assert api.delete(f"/api/v1/api-tokens/{token['id']}").status_code == 204

    rows = conn.execute("select table_name, actor from audit_entry where id > %s", start).fetchall()
    assert {actor for _, actor in rows} == {"user:adam"}
    assert {table for table, _ in rows} >= {
        "supplier_item", "external_key", "reorder_rule", "webhook_subscription", "agent", "device", "sensor_limit", "app_user",
        "access_token",
    }  # fmt: skip
    (_, _, dearer) = trail(conn, "supplier_item")[-1]
    assert str(dearer["unit_price"]).startswith("1.3")
    assert [action for _, action, _ in trail(conn, "access_token")] == ["insert", "update"]


def test_a_secret_that_changes_is_seen_and_never_shown(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    with conn.transaction():
        created = devices.create_agent(conn, warehouse.ctx(), "dock")
        devices.enrol(conn, created.enrol_code, warehouse.ctx().now)
    secret = api.post(f"/api/v1/agents/{created.id}/rotate-secret").json()["secret"]
    actor, action, after = trail(conn, "agent")[-1]
    assert (actor, action, after["changed_secrets"]) == ("user:admin", "update", ["secret_hash"])
    assert trail(conn, "agent")[-2][0] == "agent:dock"  # it enrolled itself
    user = conn.execute("select id, version from app_user where username = 'admin'").fetchone()
    assert user is not None
    api.patch(f"/api/v1/users/{user[0]}", json={"version": user[1], "password": "another-password"})
    assert any(
        after["changed_secrets"] == ["password_hash"]
        for _, _, after in trail(conn, "app_user")
        if "changed_secrets" in after
    )
    everything = str(
        conn.execute("select array_agg(before::text || after::text) from audit_entry").fetchone()
    )
    hashes = conn.execute("select secret_hash from agent union select password_hash from app_user").fetchall()
    for shown in (secret, "another-password", *(h[0] for h in hashes)):
        assert shown not in everything


def test_what_agents_and_jobs_set_carries_their_name(conn: Conn, warehouse: Warehouse) -> None:
    sender = new_sender(conn, warehouse)
    commit_batch(conn, [sender.status(DeviceStatus(device="new-scale", kind="scale", state="online"))])
    assert trail(conn, "device")[-1][:2] == ("agent:dock", "insert")


def test_who_works_at_one_site_sees_its_trail_only(api: Api, conn: Conn, warehouse: Warehouse) -> None:
    other = build_warehouse(conn, "TRE1")
    ours = (
        api.as_user(conn, "hanna", list(ROLES), warehouse.site_id).get("/api/v1/audit-entries?limit=500").text
    )
    assert str(warehouse.places["A-01-1"]) in ours
    assert str(warehouse.items["TEA-250"]) in ours
    assert str(other.site_id) not in ours
    assert str(other.places["A-01-1"]) not in ours


@pytest.mark.parametrize("statement", ["update audit_entry set actor = 'nobody'", "delete from audit_entry"])
def test_nobody_rewrites_the_trail(conn: Conn, warehouse: Warehouse, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.encode())
