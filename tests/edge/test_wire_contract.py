"""The published contract is current, its examples are true, and its gateway works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from edge import messages
from edge.messages import EventBatch, NewerVersion, UnreadableMessage
from tests.edge.brokers import RunningBroker
from tests.edge.consumer import Consumer

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "wire-contract.md").read_text()
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", TEXT, re.DOTALL)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    """If this fails: `python -m edge.messages > docs/wire-contract.schema.json`."""
    published = json.loads((DOCS / "wire-contract.schema.json").read_text())
    assert published == json.loads(json.dumps(messages.json_schema()))


def test_every_envelope_and_every_event_type_has_an_example() -> None:
    shown = {name for name, _ in EXAMPLES}
    envelopes = {"EventBatch", "Ack", "AgentStatus", "Command", "IngressEvent"}
    assert shown == envelopes | {kind.__name__ for kind in messages.EVENT_TYPES.values()}
    for name in messages.EVENT_TYPES:
        assert f"`{name}`" in TEXT


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_valid_by_schema_and_by_code(name: str, text: str) -> None:
    schema = messages.json_schema()
    example = json.loads(text)
    jsonschema.validate(example, {"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})
    kind: Any = getattr(messages, name)
    if "v" in example:
        decoded: Any = messages.decode(kind, text.encode())
        for event in getattr(decoded, "events", [decoded] if name == "IngressEvent" else []):
            messages.decode_data(event)
    else:
        msgspec.json.decode(text, type=kind)


def test_the_schema_refuses_what_the_code_refuses() -> None:
    schema = messages.json_schema()
    batch = json.loads(dict(EXAMPLES)["EventBatch"])
    for broken in (
        {**batch, "epoch": "not hex"},
        {**batch, "events": []},
        {**batch, "site": "no spaces allowed"},
        {k: v for k, v in batch.items() if k != "agent"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, {"$ref": "#/$defs/EventBatch", "$defs": schema["$defs"]})
        with pytest.raises(UnreadableMessage):
            messages.decode(EventBatch, json.dumps(broken).encode())


def test_a_newer_version_is_told_apart_from_nonsense() -> None:
    batch = json.loads(dict(EXAMPLES)["EventBatch"])
    with pytest.raises(NewerVersion, match="version 2"):
        messages.decode(EventBatch, json.dumps({**batch, "v": 2}).encode())
    for nonsense in (b"", b"{", b"[]", b"\xff\xfe", b'{"v":"1"}', b'{"v":true}', b"{" * 100_000):
        with pytest.raises(UnreadableMessage):
            messages.decode(EventBatch, nonsense)
    with pytest.raises(UnreadableMessage, match="262144"):
        messages.decode(EventBatch, b" " * (messages.MAX_MESSAGE_BYTES + 1))


def test_unknown_fields_are_ignored() -> None:
    batch = json.loads(dict(EXAMPLES)["EventBatch"])
    batch["events"][0]["later"] = {"more": 1}
    assert messages.decode(EventBatch, json.dumps({**batch, "later": 1}).encode()).events[0].seq == 1


def test_the_documented_gateway_delivers_each_event_once(broker: RunningBroker, tmp_path: Path) -> None:
    (source,) = re.findall(r"```python gateway\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "gateway.py").write_text(source)
    consumer = Consumer(broker.port, "hq", "my-gateway")
    consumer.start()
    arguments = [
        "127.0.0.1",
        str(broker.port),
        "hq",
        "my-gateway",
        str(tmp_path / "store.db"),
        "first",
        "second",
    ]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "gateway.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [messages.decode_data(e).text for e in consumer.events()] == ["first", "second"]  # type: ignore[union-attr]
    consumer.stop()
