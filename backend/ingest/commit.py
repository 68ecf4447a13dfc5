"""One batch of publishes, one transaction.

In order: who sent it, what is new (receipts), evidence, handlers. An event that cannot be taken is undone to its
savepoint and kept as a dead letter, and the cursor goes on past it. What the database itself cannot do now
(connection, disk, deadlock) is never an event's fault: it is raised, and the whole batch is done again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import structlog
from msgspec import Struct
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from backend.context import Context, system_context
from backend.db import Conn
from backend.devices.dead_letters import Letter, Unacceptable, bury
from backend.devices.registry import Arrival, DeviceRow, devices_of
from backend.devices.status import on_events_lost, take_status
from backend.errors import Refused
from backend.ids import new_id
from backend.ingest.handlers import BULK_HANDLERS, HANDLERS
from backend.ingest.receipts import Key, Receipt, lock_receipts, write_receipt
from backend.telemetry.alerts import open_alert
from backend.telemetry.record import plausible
from edge import messages
from edge.messages import (
    Ack,
    AgentStatus,
    Event,
    EventBatch,
    EventsLost,
    IngressEvent,
    NewerVersion,
    UnreadableMessage,
)

log = structlog.get_logger("backend.ingest")

INGRESS = "ingress"
"""Stands as epoch in the evidence of publishers without a sequence."""
_TOPIC = re.compile(rf"stowage/v{messages.VERSION}/([^/]+)/([^/]+)/(events|status|ingress)")


@dataclass(frozen=True)
class Publish:
    topic: str
    payload: bytes
    retained: bool = False
    """The broker kept it for us: it may be old."""


@dataclass
class Outcome:
    acks: list[Publish] = field(default_factory=list)
    """To be published, retained, after the commit."""
    events: int = 0
    duplicates: int = 0
    letters: int = 0


@dataclass(frozen=True)
class _Sender:
    site: str
    agent: str
    site_id: UUID
    agent_id: UUID


@dataclass(frozen=True)
class _SenderRow:
    site: str
    site_id: UUID
    agent: str | None
    agent_id: UUID | None
    state: str | None


@dataclass(frozen=True)
class _Todo:
    """One new event on its way to its handler."""

    topic: str
    sender: _Sender
    epoch: str
    event: Event
    envelope: bytes | None = None
    """The message it came in, where it came alone (ingress)."""


def commit_batch(conn: Conn, publishes: Sequence[Publish], now: datetime | None = None) -> Outcome:
    """Everything in `publishes` in one transaction. Raises psycopg.Error only where it should be done again."""
    with conn.transaction():
        conn.execute("select set_config('stowage.actor', 'job:ingest', true)")
        batch = _Batch(conn, now or datetime.now(UTC))
        batch.take(publishes)
        for letter in batch.letters:
            bury(conn, letter)
        outcome = batch.outcome()
    batch.say_what_is_committed()
    return outcome


def retry(conn: Conn, letter_id: UUID, now: datetime) -> Letter | None:
    """Takes a dead letter again, in the caller's transaction. The new refusal, or None where it was taken.

    The caller holds the letter's row and settles it."""
    row = conn.execute("select topic, payload, alone from dead_letter where id = %s", [letter_id]).fetchone()
    assert row is not None
    batch = _Batch(conn, now, again=row[2])
    with conn.transaction():
        batch.take([Publish(row[0], bytes(row[1]))])
    refused = next((x for x in batch.letters if x.alone == row[2]), None)
    for letter in batch.letters:
        if letter.alone and not row[2]:
            bury(conn, letter)
    return refused


class _Batch:
    """The state of one transaction."""

    def __init__(self, conn: Conn, now: datetime, *, again: bool = False) -> None:
        self.conn = conn
        self.now = now
        self.again = again
        """The events were cut out of their batch before: the cursor has gone past them."""
        self.letters: list[Letter] = []
        self.senders: dict[tuple[str, str], _Sender | Unacceptable] = {}
        self.receipts: dict[Key, Receipt] = {}
        self.keys: dict[Key, _Sender] = {}
        self.todo: list[_Todo] = []
        self.devices: dict[tuple[UUID, str], DeviceRow] = {}
        self.done: list[_Todo] = []
        """Events that were more than an observation, handled."""

    def take(self, publishes: Sequence[Publish]) -> None:
        self._find_senders(publishes)
        batches: list[tuple[Publish, _Sender, _Batched]] = []
        ingress: list[tuple[Publish, _Sender]] = []
        statuses: dict[str, tuple[Publish, _Sender]] = {}
        for p in publishes:
            try:
                sender, channel = self._sender(p.topic)
                if channel == "events":
                    batches.append((p, sender, _read_batch(p.payload, sender)))
                elif channel == "ingress":
                    ingress.append((p, sender))
                else:
                    statuses[p.topic] = (p, sender)  # the last one counts
            except Unacceptable as e:
                self._refuse(p.topic, p.payload, e)
        for p, sender in statuses.values():
            self._status(p, sender)
        for _, sender, b in batches:
            self.keys[sender.agent_id, b.epoch] = sender
        if not self.again:
            self.receipts = lock_receipts(self.conn, self.keys)
        for p, sender, b in batches:
            self._sort_out(p, sender, b)
        for p, sender in ingress:
            self._ingress(p, sender)
        self._load_devices()
        self._carry_out()
        for key, receipt in self.receipts.items():
            self._settle(key, receipt)

    def outcome(self) -> Outcome:
        out = Outcome(
            events=len(self.todo),
            duplicates=sum(r.duplicates for r in self.receipts.values()),
            letters=len(self.letters),
        )
        for (_, epoch), sender in self.keys.items():
            receipt = self.receipts.get((sender.agent_id, epoch))
            if receipt is not None and receipt.committed_seq > 0:
                ack = Ack(v=messages.VERSION, epoch=epoch, seq=receipt.committed_seq)
                out.acks.append(
                    Publish(messages.topic(sender.site, sender.agent, "ack"), messages.encode(ack))
                )
        return out

    def say_what_is_committed(self) -> None:
        """Call after the commit: what the log says has happened."""
        for t in self.done:
            log.info("event_committed", agent=t.sender.agent, device=t.event.device, type=t.event.type, epoch=t.epoch,
                     seq=t.event.seq, correlation_id=t.event.correlation_id)  # fmt: skip

    # --- who ---

    def _find_senders(self, publishes: Iterable[Publish]) -> None:
        wanted = {(m[1], m[2]) for p in publishes if (m := _TOPIC.fullmatch(p.topic))}
        if not wanted:
            return
        names = sorted(wanted)
        with self.conn.cursor(row_factory=class_row(_SenderRow)) as cur:
            rows = cur.execute(
                """select s.code as site, s.id as site_id, a.code as agent, a.id as agent_id, a.state
                   from unnest(%s::text[], %s::text[]) as w (site, agent) join site s on s.code = w.site
                        left join agent a on a.site_id = s.id and a.code = w.agent""",
                [[n[0] for n in names], [n[1] for n in names]],
            ).fetchall()
        sites = {r.site for r in rows}
        for r in rows:
            if r.agent is not None and r.agent_id is not None and r.state == "active":
                self.senders[r.site, r.agent] = _Sender(r.site, r.agent, r.site_id, r.agent_id)
            elif r.agent is not None:
                kind, what = (
                    ("revoked", "is revoked")
                    if r.state == "revoked"
                    else ("unknown_agent", "is not enrolled yet")
                )
                self.senders[r.site, r.agent] = Unacceptable(
                    kind, f"The agent {r.agent} {what}; enrol it, then retry."
                )  # fmt: skip
        for site, agent in names:
            if site not in sites:
                self.senders[site, agent] = Unacceptable(
                    "unknown_site", f"There is no site {site}; create it, then retry."
                )
            else:
                self.senders.setdefault(
                    (site, agent),
                    Unacceptable(
                        "unknown_agent", f"The site {site} has no agent {agent}; enrol it, then retry."
                    ),
                )

    def _sender(self, topic: str) -> tuple[_Sender, str]:
        match = _TOPIC.fullmatch(topic)
        if match is None:
            raise Unacceptable("unreadable", f"{topic} is no topic of this contract.")
        sender = self.senders[match[1], match[2]]
        if isinstance(sender, Unacceptable):
            raise sender
        return sender, match[3]

    def _load_devices(self) -> None:
        agents = {t.sender.agent_id for t in self.todo}
        if agents:
            self.devices = devices_of(self.conn, agents)

    # --- what ---

    def _status(self, p: Publish, sender: _Sender) -> None:
        def take() -> None:
            status = _decode(AgentStatus, p.payload)
            ctx = self._context(sender, None)
            self.conn.execute("select set_config('stowage.actor', %s, true)", [ctx.actor])
            heard_at = min(self.now, status.at) if p.retained else self.now
            for device in take_status(self.conn, ctx, sender.agent_id, status, heard_at).new_devices:
                self._letters_of_new_device(sender, device)

        self._attempt(take, lambda e: self._refuse(p.topic, p.payload, e, sender))

    def _letters_of_new_device(self, sender: _Sender, device: str) -> None:
        """Events may overtake the status that introduces their device."""
        for letter_id, topic, payload in self.conn.execute(
            """update dead_letter set state = 'retried', settled_at = %s, settled_by = 'job:ingest'
               where agent_id = %s and device = %s and kind = 'unknown_device' and state = 'open' and alone
               returning id, topic, payload""",
            [self.now, sender.agent_id, device],
        ).fetchall():
            log.info("dead_letter_taken_again", id=str(letter_id), device=device)
            if topic.endswith("/ingress"):
                self.todo.append(_ingress_todo(self.conn, topic, bytes(payload), sender))
                continue
            batch = _decode(EventBatch, bytes(payload))
            self.todo += [_Todo(topic, sender, batch.epoch, e) for e in batch.events]

    def _sort_out(self, p: Publish, sender: _Sender, b: _Batched) -> None:
        """New events are left to do; the cursor goes over what is broken and over what is new alike."""
        receipt = self.receipts.get((sender.agent_id, b.epoch))
        for seq, entry in b.entries:
            if receipt is not None and not receipt.take(seq):
                continue
            if isinstance(entry, Event):
                self.todo.append(_Todo(p.topic, sender, b.epoch, entry))
            else:
                self._refuse(
                    p.topic, entry.payload, Unacceptable("unreadable", entry.reason), sender, alone=True
                )
        for broken in b.without_number:
            self._refuse(
                p.topic, broken.payload, Unacceptable("unreadable", broken.reason), sender, alone=True
            )

    def _ingress(self, p: Publish, sender: _Sender) -> None:
        try:
            event = _decode(IngressEvent, p.payload)
        except Unacceptable as e:
            self._refuse(p.topic, p.payload, e, sender)
            return
        said = event.event_id.encode() if event.event_id else p.payload
        identity = hashlib.sha256(event.device.encode() + b"\n" + said).digest()
        new = self.conn.execute(
            "insert into ingress_receipt (agent_id, identity) values (%s, %s) on conflict do nothing",
            [sender.agent_id, identity],
        ).rowcount
        if new or self.again:
            self.todo.append(_ingress_todo(self.conn, p.topic, p.payload, sender))

    # --- doing it ---

    def _carry_out(self) -> None:
        bulk: dict[str, list[tuple[_Todo, Arrival]]] = {name: [] for name in BULK_HANDLERS}
        seen: dict[UUID, UUID] = {}
        for t in self.todo:
            if t.event.type in BULK_HANDLERS:
                try:
                    arrival = self._arrival(t)
                except Unacceptable as e:
                    self._refuse_event(t, e)
                    continue
                bulk[t.event.type].append((t, arrival))
                seen[arrival.device.id] = t.sender.site_id
        for t in self.todo:
            if t.event.type not in BULK_HANDLERS:
                with structlog.contextvars.bound_contextvars(correlation_id=t.event.correlation_id):
                    self._attempt(lambda t=t: self._act(t), lambda e, t=t: self._refuse_event(t, e))  # type: ignore[misc]
                device = self.devices.get((t.sender.agent_id, t.event.device))
                if device is not None:
                    seen[device.id] = t.sender.site_id
        for name, many in bulk.items():
            if many:
                self._observe(name, many)
        if seen:
            self.conn.execute(
                """insert into device_status (site_id, device_id, last_seen_at)
                   select s, d, %s from unnest(%s::uuid[], %s::uuid[]) as n (s, d) order by d
                   on conflict (device_id) do update set last_seen_at = excluded.last_seen_at""",
                [self.now, list(seen.values()), list(seen)],
            )

    def _observe(self, name: str, many: list[tuple[_Todo, Arrival]]) -> None:
        """All at once; where that fails, one by one, so that a bad one does not hold the others."""
        failed = False

        def all_at_once() -> None:
            BULK_HANDLERS[name](self.conn, [a for _, a in many])

        def note(_: Unacceptable) -> None:
            nonlocal failed
            failed = True

        self._attempt(all_at_once, note)
        if not failed:
            return
        for t, arrival in many:
            self._attempt(
                lambda arrival=arrival: BULK_HANDLERS[name](self.conn, [arrival]),  # type: ignore[misc]
                lambda e, t=t: self._refuse_event(t, e),  # type: ignore[misc]
            )

    def _act(self, t: _Todo) -> None:
        """One event: its evidence, then its handler."""
        if t.event.type == "events_lost":
            device = self.devices.get((t.sender.agent_id, t.event.device))
            data = _decode_data(t.event)
            assert isinstance(data, EventsLost)
            event = self._with_true_time(t)
            if self._keep(t, event, device, data):
                on_events_lost(
                    self.conn, self._context(t.sender, event), device, t.sender.agent_id, t.sender.agent, data.count, data.reason
                )  # fmt: skip
            return
        arrival = self._arrival(t)
        if self._keep(t, arrival.event, arrival.device, arrival.data):
            HANDLERS[t.event.type](self.conn, arrival.ctx, arrival.device, arrival.event, arrival.data)
            self.done.append(t)

    def _arrival(self, t: _Todo) -> Arrival:
        data = _decode_data(t.event)
        device = self.devices.get((t.sender.agent_id, t.event.device))
        if device is None:
            raise Unacceptable(
                "unknown_device",
                f"The agent {t.sender.agent} has no device {t.event.device}; it is taken again when its status names it.",
            )
        event = self._with_true_time(t)
        return Arrival(self._context(t.sender, event), device, event, data)

    def _with_true_time(self, t: _Todo) -> Event:
        """A clock in the year 2000: the time of recording stands in, the raw stamp is kept."""
        event = t.event
        if plausible(event.occurred_at, self.now):
            return event
        device = self.devices.get((t.sender.agent_id, event.device))
        open_alert(
            self.conn, self._context(t.sender, event), "device_clock", f"{t.sender.agent}/{event.device}",
            f"The clock of {event.device} is wrong: it says {event.occurred_at:%Y-%m-%d %H:%M} UTC. The time of recording is used; set the clock.",
            agent_id=t.sender.agent_id, device_id=device.id if device else None,
            data={"device": event.device, "said": event.occurred_at.isoformat()},
        )  # fmt: skip
        return msgspec.structs.replace(
            event, occurred_at=self.now, device_at=event.device_at or event.occurred_at.isoformat()
        )

    def _keep(self, t: _Todo, event: Event, device: DeviceRow | None, data: Struct) -> bool:
        """The event as evidence. False where it is there already: then it was handled already."""
        return bool(
            self.conn.execute(
                """insert into device_event (site_id, agent_id, epoch, seq, device_id, device, type, occurred_at, device_at,
                       correlation_id, data) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
                [
                    t.sender.site_id, t.sender.agent_id, t.epoch, event.seq, device.id if device else None, event.device,
                    event.type, event.occurred_at, event.device_at, event.correlation_id, Jsonb(msgspec.to_builtins(data)),
                ],
            ).rowcount
        )  # fmt: skip

    def _context(self, sender: _Sender, event: Event | None) -> Context:
        if event is None:
            return Context(f"agent:{sender.agent}", sender.site_id, self.now, str(new_id()))
        return Context(f"agent:{sender.agent}/{event.device}", sender.site_id, self.now, event.correlation_id)

    def _settle(self, key: Key, receipt: Receipt) -> None:
        gap = receipt.settle_gap(self.now)
        if gap is not None:
            sender = self.keys[key]
            log.error("events_missing", agent=sender.agent, epoch=key[1], first=gap[0], last=gap[1])
            on_events_lost(
                self.conn, system_context("job:ingest", sender.site_id), None, sender.agent_id, sender.agent, gap[1] - gap[0] + 1,
                f"numbers {gap[0]} to {gap[1]} never came; the agent does not have them any more",
            )  # fmt: skip
        write_receipt(self.conn, key, receipt)

    # --- what could not be taken ---

    def _attempt(self, work: Callable[[], None], refuse: Callable[[Unacceptable], None]) -> None:
        """`work` in a savepoint. Its own failures go to `refuse`, the database's are raised."""
        try:
            with self.conn.transaction():
                work()
        except Unacceptable as e:
            refuse(e)
        except Refused as e:
            refuse(Unacceptable("handler_failed", e.detail))
        except (psycopg.OperationalError, psycopg.InterfaceError) as e:
            if not (e.sqlstate or "").startswith("54"):  # 54: this row is too large, which will not change
                raise
            refuse(Unacceptable("handler_failed", f"The database refuses it: {e.diag.message_primary}"))
        except Exception as e:  # the outermost loop of every event: one that fails must not stop the rest
            log.error("event_failed", exc_info=e)
            refuse(Unacceptable("handler_failed", f"{type(e).__name__}: {e}"))

    def _refuse_event(self, t: _Todo, why: Unacceptable) -> None:
        payload = t.envelope or messages.encode(
            EventBatch(v=messages.VERSION, site=t.sender.site, agent=t.sender.agent, epoch=t.epoch, events=[t.event])
        )  # fmt: skip
        self._refuse(t.topic, payload, why, t.sender, device=t.event.device, alone=True)

    def _refuse(
        self,
        topic: str,
        payload: bytes,
        why: Unacceptable,
        sender: _Sender | None = None,
        *,
        device: str | None = None,
        alone: bool = False,
    ) -> None:
        log.warning("dead_letter", topic=topic, kind=why.kind, reason=why.reason)
        site_id, agent_id = (sender.site_id, sender.agent_id) if sender else (self._site_of(topic), None)
        self.letters.append(Letter(topic, payload, why.kind, why.reason, site_id, agent_id, device, alone))

    def _site_of(self, topic: str) -> UUID | None:
        match = _TOPIC.fullmatch(topic)
        if match is None:
            return None
        row = self.conn.execute("select id from site where code = %s", [match[1]]).fetchone()
        return row[0] if row else None


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Broken:
    """One event of a batch that cannot be read."""

    payload: bytes
    reason: str


@dataclass(frozen=True)
class _Batched:
    epoch: str
    entries: list[tuple[int, Event | _Broken]]
    without_number: list[_Broken]


class _LooseBatch(Struct):
    """A batch whose events are looked at one by one, because one of them is broken."""

    v: int
    site: str
    agent: str
    epoch: str
    events: list[msgspec.Raw]


class _Number(Struct):
    seq: int


def _decode(kind: Any, payload: bytes) -> Any:
    try:
        return messages.decode(kind, payload)
    except NewerVersion as e:
        raise Unacceptable("newer_version", f"{e}: update the backend, then retry.") from e
    except UnreadableMessage as e:
        too_large = len(payload) > messages.MAX_MESSAGE_BYTES
        raise Unacceptable("too_large" if too_large else "unreadable", str(e)) from e


def _decode_data(event: Event) -> Struct:
    try:
        return messages.decode_data(event)
    except UnreadableMessage as e:
        raise Unacceptable("unreadable", str(e)) from e


def _read_batch(payload: bytes, sender: _Sender) -> _Batched:
    """Raises Unacceptable where nothing of it can be used."""
    try:
        batch: EventBatch | _LooseBatch = _decode(EventBatch, payload)
    except Unacceptable as e:
        if e.kind != "unreadable":
            raise
        try:
            batch = msgspec.json.decode(payload, type=_LooseBatch)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise e from None
        if not re.fullmatch("[0-9a-f]{16,64}", batch.epoch) or not 1 <= len(batch.events) <= 1000:
            raise
    if (batch.site, batch.agent) != (sender.site, sender.agent):
        raise Unacceptable(
            "wrong_sender", f"The message says {batch.site}/{batch.agent}, its topic {sender.site}/{sender.agent}."
        )  # fmt: skip
    if isinstance(batch, EventBatch):
        return _Batched(batch.epoch, [(e.seq, e) for e in batch.events], [])
    entries: list[tuple[int, Event | _Broken]] = []
    without_number: list[_Broken] = []
    for raw in batch.events:
        try:
            event = msgspec.json.decode(raw, type=Event)
            entries.append((event.seq, event))
        except msgspec.DecodeError as e:
            broken = _Broken(
                messages.encode(_LooseBatch(batch.v, batch.site, batch.agent, batch.epoch, [raw])), str(e)
            )
            try:
                seq = msgspec.json.decode(raw, type=_Number).seq
            except msgspec.DecodeError:
                seq = 0
            if 1 <= seq < 2**62:
                entries.append((seq, broken))
            else:
                without_number.append(broken)
    return _Batched(batch.epoch, entries, without_number)


def _ingress_todo(conn: Conn, topic: str, payload: bytes, sender: _Sender) -> _Todo:
    event = _decode(IngressEvent, payload)
    row = conn.execute("select nextval('ingress_event_seq')").fetchone()
    assert row is not None
    return _Todo(
        topic,
        sender,
        INGRESS,
        Event(
            seq=row[0], device=event.device, type=event.type, occurred_at=event.occurred_at,
            correlation_id=str(new_id()), data=event.data,
        ),
        envelope=payload,
    )  # fmt: skip
