"""The edge's figures: cleaning, intake, smoothing errors, spool and uplink."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from device_drivers.readings import TagRead
from edge.broker import Broker
from edge.cleaning.zones import Zones
from edge.config import DeviceSection
from edge.intake import Intake
from edge.messages import AgentStatus, BarcodeScanned, TagSighting, TagsSeen
from edge.spool import NewEvent, Spool
from edge.uplink import Uplink
from tests.edge import doorway, smoothing
from tests.edge.brokers import RunningBroker, find_mosquitto, wait_for
from tests.edge.consumer import Consumer


def figure(name: str, value: float, unit: str, **more: object) -> dict[str, object]:
    return {"figure": name, "value": round(value, 2), "unit": unit, **more}


def cleaning() -> Iterator[dict[str, object]]:
    found = doorway.scenario(1, both_doors=True, near=True, loud=True)
    rounds = 10
    started = time.perf_counter()
    for _ in range(rounds):
        doorway.clean(found)
    yield figure(
        "edge_portal_reads_per_s", rounds * len(found.reads) / (time.perf_counter() - started), "reads/s"
    )
    zones = Zones()
    epcs = [f"{n:024X}" for n in range(500)]
    started = time.perf_counter()
    count = 0
    for step in range(400):
        at = 1000 + step * 0.1
        for n, epc in enumerate(epcs):
            zones.read(epc, 1 + (n + step) % 2, at, -5000 + n)
        count += len(epcs)
        zones.due(at)
    yield figure("edge_zone_reads_per_s", count / (time.perf_counter() - started), "reads/s")


def intake() -> Iterator[dict[str, object]]:
    """Two doors' reads through journal, cleaning and spool, in reports of 50 reads."""
    found = doorway.scenario(1, both_doors=True, near=True, loud=True)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    sections = [
        msgspec.convert(
            {
                "code": code,
                "driver": "llrp",
                "purpose": "portal",
                "portal": {"outer": [1, 2], "inner": [3, 4]},
            },
            DeviceSection,
        )
        for code in doorway.DOORS
    ]
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder) / "spool.db") as spool:
        agent = Intake(sections, spool)
        reports = {s.code: [r for r in found.reads if r.door == s.code] for s in sections}
        count, started = 0, time.perf_counter()
        for again in range(10):
            for section in sections:
                reads = [
                    TagRead(r.epc, r.antenna, start + timedelta(seconds=r.at + again * 100), r.rssi_cdbm, 100)
                    for r in reports[section.code]
                ]
                for first in range(0, len(reads), 50):
                    agent.take(section, reads[first : first + 50])
                    count += len(reads[first : first + 50])
            agent.tick()
        yield figure("edge_intake_reads_per_s", count / (time.perf_counter() - started), "reads/s")


def smoothing_errors() -> Iterator[dict[str, object]]:
    for rate in (0.2, 0.5, 0.8):
        tracks = smoothing.wandering_tags(1, rate)
        fixed = {n: smoothing.errors_an_epoch(tracks, smoothing.fixed(n)) for n in (2, 3, 5, 7, 10, 15, 25)}
        best = min(fixed, key=lambda n: fixed[n])
        yield figure(
            f"edge_smoothing_errors_{rate}",
            smoothing.errors_an_epoch(tracks, smoothing.ours(smoothing.presence())),
            "tags wrong an epoch",
            raw=round(smoothing.errors_an_epoch(tracks, smoothing.fixed(1)), 2),
            smurf=round(smoothing.errors_an_epoch(tracks, smoothing.smurf()), 2),
            best_fixed=round(fixed[best], 2),
            best_window=best,
        )


def spool_and_uplink(kind: str) -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        broker = RunningBroker(kind, Path(folder))
        broker.start()
        consumer = Consumer(broker.port)
        stop = threading.Event()
        with Spool(Path(folder) / "spool.db") as spool:
            now = datetime.now(UTC)
            scan = NewEvent(device="b", data=BarcodeScanned(text="0109501101530003"), occurred_at=now)
            if kind == "mosquitto":
                started = time.perf_counter()
                for _ in range(300):
                    spool.append([scan])
                yield figure(
                    "edge_spool_single_appends_per_s", 300 / (time.perf_counter() - started), "events/s"
                )
            sighting = TagSighting(
                epc="3034257BF7194E4000001A85",
                antenna=1,
                reads=3,
                peak_rssi_cdbm=-5000,
                first_at=now,
                last_at=now,
            )
            seen = NewEvent(device="b", data=TagsSeen(sightings=[sighting] * 10), occurred_at=now)
            started = time.perf_counter()
            for _ in range(100):
                spool.append([seen] * 100)
            if kind == "mosquitto":
                yield figure(
                    "edge_spool_batch_appends_per_s", 10_000 / (time.perf_counter() - started), "events/s"
                )
            consumer.start()
            uplink = Uplink(
                "hq",
                "agent-1",
                Broker(host="127.0.0.1", port=broker.port),
                spool,
                status=lambda: AgentStatus(v=1, state="online", at=datetime.now(UTC)),
                on_command=lambda _: None,
            )
            count = spool.depth
            thread = threading.Thread(target=uplink.run, args=(stop,))
            started = time.perf_counter()
            thread.start()
            wait_for(lambda: spool.depth == 0, "the spool empties", 120)
            took = time.perf_counter() - started
            yield figure(
                f"edge_uplink_events_per_s_{kind}", count / took, "events/s", must=3000, tags_an_event=10
            )
            stop.set()
            thread.join()
        consumer.stop()
        broker.kill()


def measure() -> Iterator[dict[str, object]]:
    yield from cleaning()
    yield from intake()
    yield from smoothing_errors()
    for kind in ("mosquitto", "amqtt"):
        if kind == "amqtt" or find_mosquitto():
            yield from spool_and_uplink(kind)
