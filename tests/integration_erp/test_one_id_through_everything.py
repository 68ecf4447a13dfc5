"""One correlation id, from the antenna's event to the line in the ERP, in the data and in the log."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.contextvars import merge_contextvars
from structlog.testing import LogCapture

from backend import devices, worker
from backend.db import Conn
from backend.ids import new_id
from backend.ingest import Publish, commit_batch
from backend.integration.erp.tryton import TrytonConnector
from device_drivers.gs1 import sscc96_hex, sscc_with_check_digit
from edge import messages
from edge.config import DeviceSection
from edge.intake import Intake
from edge.messages import TagPassage, TagsPassed
from edge.spool import NewEvent, Spool
from tests.conftest import Api
from tests.integration_erp.conftest import Site, send_all
from tests.integration_erp.test_drain_and_screens import api  # noqa: F401  (the same fixture)

pytestmark = pytest.mark.tryton


@pytest.fixture
def said() -> LogCapture:
    """All lines, with what the context bound: as the programs write them."""
    return LogCapture()


def test_a_passage_is_followed_by_one_id_to_the_posting_and_through_the_log(
    api: Api,  # noqa: F811
    site: Site,
    erp: TrytonConnector,
    conn: Conn,
    database_url: str,
    tmp_path: Path,
    said: LogCapture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = structlog.get_config()
    structlog.configure(processors=[merge_contextvars, said], cache_logger_on_first_use=False)
    try:
        _follow(api, site, erp, conn, database_url, tmp_path, monkeypatch)
    finally:
        structlog.configure(**before)
    lines = said.entries
    (stored,) = [x for x in lines if x["event"] == "event_stored"]
    correlation_id = stored["correlation_id"]
    of_it = [x["event"] for x in lines if x.get("correlation_id") == correlation_id]
    assert of_it.index("event_stored") < of_it.index("event_committed") < of_it.index("job_done")
    movements = conn.execute("select id, correlation_id, actor from movement").fetchall()
    assert {(m[1], m[2]) for m in movements} == {(correlation_id, "agent:dock/door-1")}
    for movement_id, *_ in movements:
        shown = api.get(f"/api/v1/postings/{movement_id}").json()
        assert (shown["state"], shown["correlation_id"]) == ("posted", correlation_id)
        (posted,) = [x for x in lines if x["event"] == "erp_posted" and x["reference"] == shown["reference"]]
        assert (posted["correlation_ids"], posted["erp_number"]) == ([correlation_id], shown["erp_number"])
    (command,) = [x for x in lines if x["event"] == "command"]
    assert (command["route"], command["status"], command["actor"], command["correlation_id"]) == (
        "POST /asns", 201, "user:admin", "given-by-the-caller",
    )  # fmt: skip
    assert command["ms"] > 0


def _follow(
    api: Api,  # noqa: F811
    site: Site,
    erp: TrytonConnector,
    conn: Conn,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pallet = sscc_with_check_digit(3, "6412345", 7)
    made = api.post(
        "/api/v1/asns",
        headers={"X-Correlation-Id": "given-by-the-caller"},
        json={"number": "N-1", "supplier_id": str(site.partners["S-NORD"]),
              "plates": [{"code": pallet, "kind": "pallet", "contents": [{"sku": "GRC-CHOC-90", "quantity": "6"}]}]},
    )  # fmt: skip
    assert made.status_code == 201, made.text
    with conn.transaction():
        ctx = site.ctx()
        agent = devices.create_agent(conn, ctx, "dock")
        devices.enrol(conn, agent.enrol_code, ctx.now)
        devices.register_device(
            conn, ctx, agent.id, "door-1", "llrp_reader", place_id=site.places["DOCK-1"], purpose="inbound"
        )
    at = datetime.now(UTC)
    tag = TagPassage(epc=sscc96_hex(pallet, 7), confidence=0.98, reads=9, first_at=at, last_at=at)
    passage = TagsPassed(portal="door-1", passage_id=new_id().hex, direction="in", tags=[tag])
    with Spool(tmp_path / "spool.db") as spool:
        intake = Intake([DeviceSection(code="door-1", driver="llrp")], spool)
        # cleaning has closed the passage; from here on everything is as it runs
        intake._devices["door-1"].passed.append(NewEvent(device="door-1", data=passage, occurred_at=at))
        assert intake.tick()
        batch = spool.pending(None, messages.MAX_MESSAGE_BYTES)
        assert batch is not None
    commit_batch(conn, [Publish(messages.topic("HAM1", "dock", "events"), batch.message("HAM1", "dock"))])
    monkeypatch.setattr(worker, "PROGRAMS", [])
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(database_url, None, stop))
    thread.start()
    deadline = time.monotonic() + 150
    while conn.execute(
        "select 1 from procrastinate_jobs where task_name = 'stock_changed' and status <> 'succeeded'"
    ).fetchone():
        assert time.monotonic() < deadline, "the worker did its jobs"
        time.sleep(0.1)
    stop.set()
    thread.join(120)
    assert not thread.is_alive(), "what the worker says last is in the log"
    assert send_all(conn, erp).posted >= 1
