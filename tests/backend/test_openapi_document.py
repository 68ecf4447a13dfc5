"""The document that the screens' types are made of is the API's own."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.testclient import TestClient

from backend.app import create_app

DOCUMENT = Path(__file__).parents[2] / "dashboards" / "openapi.json"


def test_the_screens_types_are_made_of_the_present_api() -> None:
    assert json.loads(DOCUMENT.read_text()) == json.loads(json.dumps(create_app("").openapi())), (
        "run `make openapi`"
    )


def test_every_operation_has_a_name_of_its_own_and_says_how_it_fails() -> None:
    document = create_app("").openapi()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert all(
        "application/problem+json" in operation["responses"]["404"]["content"] for operation in operations
    )


def test_without_built_screens_the_front_page_says_so_in_words() -> None:
    answer = TestClient(create_app("")).get("/")
    assert answer.status_code == 503
    assert "without screens so far" in answer.text
