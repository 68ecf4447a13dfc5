"""Whatever is sent, the API answers as its OpenAPI document says, and never with a fault of its own.

schemathesis makes requests from the document: right ones, and wrong ones. The database holds a small warehouse with
an order and a count under way, so that ids and codes of real things are met as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from backend.app import create_app
from backend.auth.principals import issue_token
from backend.db import connect
from backend.ids import new_id
from tests.conftest import build_warehouse, fresh_database, put_stock
from tests.served import served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

app = create_app("")
schema = schemathesis.openapi.from_dict(app.openapi())


@pytest.fixture(scope="module")
def server(postgres: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A real server on a free port, and the headers of an admin."""
    with fresh_database(postgres) as url:
        with connect(url, autocommit=True) as conn:
            warehouse = build_warehouse(conn)
            put_stock(conn, warehouse, "TEA-250", "A-01-1", "24")
            put_stock(conn, warehouse, "MILK-1L", "C-01-1", "10", lot="L1", expires_on="2030-01-31")
            user = new_id()
            conn.execute(
                "insert into app_user (id, username, name, password_hash, roles) values (%s, 'admin', 'Admin', '-', array['admin'])",
                [user],
            )
            token = issue_token(conn, user, ["admin"], kind="api", name="fuzz", expires_at=None).secret
        app.state.database_url = url
        with served(app) as base:
            yield base, {"Authorization": f"Bearer {token}"}


@schema.exclude(path="/api/v1/auth/logout").parametrize()
@settings(
    max_examples=10, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_operation_answers_as_documented(case: Any, server: tuple[str, dict[str, str]]) -> None:
    base_url, headers = server
    case.call_and_validate(base_url=base_url, headers=headers, checks=CHECKS, timeout=30)
