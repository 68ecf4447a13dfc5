"""An agent as the wire sees it: it makes batches with numbers, and nothing else."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from backend import devices
from backend.db import Conn
from backend.ids import new_id
from backend.ingest import Publish
from edge import messages
from edge.messages import (
    AgentStatus,
    DeviceStatus,
    Event,
    EventBatch,
    EventData,
    Measured,
    Reading,
    TagPassage,
    TagSighting,
    TagsPassed,
    TagsSeen,
)
from tests.conftest import Warehouse

EPC = "3034257BF7194E4000001A85"


@dataclass
class Sender:
    """`batch(...)` numbers on; `events(first, ...)` takes numbers by hand."""

    site: str
    agent: str
    agent_id: UUID
    secret: str
    epoch: str = field(default_factory=lambda: secrets.token_hex(8))
    seq: int = 0

    def topic(self, channel: str) -> str:
        return messages.topic(self.site, self.agent, channel)  # type: ignore[arg-type]

    def event(
        self,
        data: EventData,
        device: str = "door-1",
        *,
        seq: int | None = None,
        occurred_at: datetime | None = None,
        device_at: str | None = None,
    ) -> Event:
        if seq is None:
            self.seq += 1
        return Event(
            seq=seq or self.seq,
            device=device,
            type=messages.type_of(data),
            occurred_at=occurred_at or datetime.now(UTC),
            device_at=device_at,
            correlation_id=str(new_id()),
            data=messages.encode_data(data),
        )

    def publish(self, events: Sequence[Event], v: int = messages.VERSION) -> Publish:
        batch = EventBatch(v=v, site=self.site, agent=self.agent, epoch=self.epoch, events=list(events))
        return Publish(self.topic("events"), messages.encode(batch))

    def batch(self, *data: EventData, device: str = "door-1") -> Publish:
        return self.publish([self.event(d, device) for d in data])

    def status(self, *devices_: DeviceStatus, state: str = "online") -> Publish:
        status = AgentStatus(v=1, state=state, at=datetime.now(UTC), version="1", epoch=self.epoch, devices=list(devices_))  # type: ignore[arg-type]  # fmt: skip
        return Publish(self.topic("status"), messages.encode(status))

    def ack(self, seq: int) -> Publish:
        return Publish(
            self.topic("ack"), messages.encode(messages.Ack(v=messages.VERSION, epoch=self.epoch, seq=seq))
        )


def new_sender(conn: Conn, warehouse: Warehouse, agent: str = "dock") -> Sender:
    """An enrolled agent with a portal at DOCK-1, a scanner and a scale at BENCH-1, a sensor in COLD."""
    with conn.transaction():
        ctx = warehouse.ctx()
        created = devices.create_agent(conn, ctx, agent)
        enrolled = devices.enrol(conn, created.enrol_code, ctx.now)
        for code, kind, place in (
            ("door-1", "llrp_reader", "DOCK-1"),
            ("scanner-1", "barcode_scanner", "BENCH-1"),
            ("scale-1", "scale", "BENCH-1"),
            ("cold-1", "climate_sensor", "COLD"),
        ):
            devices.register_device(
                conn, ctx, created.id, code, kind, place_id=warehouse.places[place], purpose="both"
            )
    return Sender(warehouse.code, agent, created.id, enrolled.secret)


def passage(epc: str = EPC, direction: str = "in") -> TagsPassed:
    now = datetime.now(UTC)
    return TagsPassed(
        portal="door-1",
        passage_id=secrets.token_hex(4),
        direction=direction,  # type: ignore[arg-type]
        tags=[
            TagPassage(epc=epc, confidence=0.99, reads=12, peak_rssi_cdbm=-4200, first_at=now, last_at=now)
        ],
    )


def sightings(count: int, reads: int = 3, antenna: int = 1) -> TagsSeen:
    now = datetime.now(UTC)
    return TagsSeen(
        sightings=[
            TagSighting(
                epc=f"{EPC[:16]}{n:08X}",
                antenna=antenna,
                reads=reads,
                peak_rssi_cdbm=-5100,
                first_at=now,
                last_at=now,
            )
            for n in range(count)
        ]
    )


def measured(value: str, channel: str = "temperature", unit: str = "Cel") -> Measured:
    return Measured(readings=[Reading(channel=channel, value=Decimal(value), unit=unit)])


def with_event_field(p: Publish, **fields: object) -> Publish:
    """The first event of a batch with other fields: what no encoder of ours would send."""
    body = msgspec.json.decode(p.payload)
    body["events"][0].update(fields)
    return Publish(p.topic, msgspec.json.encode(body))
