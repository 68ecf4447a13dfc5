"""The durable spool: what a device said stays here until the backend has committed it.

Promises: `append` returns after fsync; numbers count up by one without gaps inside an epoch; a row leaves
only on the commit ack of its epoch. Every opening starts a new random epoch for new events (older rows drain
under theirs), so a restored, copied or deleted file can never reuse a number. At the size limit the oldest
sightings, measurements, positions and rejected frames are given up first: each keeps its number and goes out as an
`events_lost`. Scans, weights and passages are never given up: refused, and the device is not told done.
To change what may be given up: `MAY_BE_LOST`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import structlog
import uuid_utils

from edge import messages
from edge.messages import (
    DeviceStateChanged,
    Event,
    EventData,
    EventsLost,
    FrameRejected,
    Measured,
    PositionReported,
    TagsSeen,
)

log = structlog.get_logger("edge.spool")

MAY_BE_LOST = (TagsSeen, Measured, PositionReported, FrameRejected)
"""Observations that move no stock. What is not here is kept until it is committed, or refused."""

MAX_EVENT_BYTES = messages.MAX_MESSAGE_BYTES - 2048
ROW_BYTES = 48
ENVELOPE_BYTES = 300
"""What a row costs besides its body, and a body besides its data; counted against the limit."""

SPOOL_DEVICE = "spool"
"""The device that the spool's own `events_lost` speak for."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS epoch (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS event (
    epoch INTEGER NOT NULL REFERENCES epoch (id),
    seq INTEGER NOT NULL,
    at_us INTEGER NOT NULL,           -- occurred_at, microseconds since 1970
    may_be_lost INTEGER NOT NULL,
    body BLOB,                        -- the event as it goes on the wire; NULL once given up
    PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS event_may_be_lost ON event (epoch, seq) WHERE may_be_lost AND body IS NOT NULL;
CREATE TABLE IF NOT EXISTS journal (  -- reads of a passage that has not closed yet; see edge/cleaning
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class SpoolError(Exception):
    """The spool cannot do what was asked; the message says what to do next."""


class SpoolRefused(SpoolError):
    """An event was not stored (limit reached, disk full): the device must not be told that it is done."""


class SpoolDamaged(SpoolError):
    """The file broke while in use. Start the agent again: it moves the file aside and begins a new one."""


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event before it has its number."""

    device: str
    data: EventData
    occurred_at: datetime
    device_at: str | None = None
    correlation_id: str = msgspec.field(default_factory=lambda: str(uuid_utils.uuid7()))


class Position(NamedTuple):
    """Where a row stands; ordered as rows are sent."""

    epoch: int
    seq: int


class Batch(NamedTuple):
    """Rows of one epoch, ready for the wire."""

    epoch: str
    last: Position
    events: list[bytes]

    def message(self, site: str, agent: str) -> bytes:
        """The bytes of an `EventBatch`, joined from rows that are already JSON."""
        head = msgspec.json.encode({"v": messages.VERSION, "site": site, "agent": agent, "epoch": self.epoch})
        return head[:-1] + b',"events":[' + b",".join(self.events) + b"]}"


class Spool:
    """`with Spool(path, max_bytes) as spool:`; safe to use from any thread."""

    def __init__(self, path: Path, max_bytes: int = 512 * 1024 * 1024) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self._lock = threading.RLock()
        self._db: sqlite3.Connection
        self._relaxed: sqlite3.Connection
        self._owner: IO[bytes]
        self._state = _State()
        self._undeclared = 0  # refused because the spool was full, not told yet

    def __enter__(self) -> Spool:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Raises SpoolError where the folder cannot be used or another agent holds the file."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._owner = open(f"{self.path}.lock", "ab")  # noqa: SIM115 - held until close()
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._owner.close()
            raise SpoolError(
                f"Another agent is using {self.path}: stop it, or give this one its own data_dir."
            ) from None
        except OSError as e:
            raise SpoolError(
                f"Cannot use {self.path.parent}: {e.strerror}. Correct data_dir or its rights."
            ) from e
        damage = self._connect_or_explain()
        if damage:
            aside = self._move_aside()
            log.error("spool_damaged", path=str(self.path), moved_to=str(aside), error=damage)
            if again := self._connect_or_explain():
                raise SpoolError(f"Cannot create {self.path}: {again}")
            self.append([_loss(1, f"spool damaged ({damage[:200]}): number unknown, kept as {aside.name}")])

    def close(self) -> None:
        self._close_connections()
        self._owner.close()

    # --- writing --------------------------------------------------------------------------------------

    def append(self, events: Sequence[NewEvent], settles: tuple[str, int] | None = None) -> list[int]:
        """Store events and return their numbers, on disk. Empty where a full spool gave them up.

        `settles` (device, id) names the journal rows these events replace, in the same transaction.
        Raises SpoolRefused: nothing was stored.
        """
        rows = [_row(event) for event in events]
        with self._lock:
            try:
                with self._transaction(self._db):
                    if not self._room_for(rows):
                        if any(not row.may_be_lost for row in rows):
                            raise SpoolRefused(
                                f"The spool {self.path} has reached its limit of {self.max_bytes / 2**20:.0f} "
                                "MB, all of it must not be lost. Nothing was stored: bring the broker or the "
                                "backend back, or raise max_mb under [spool]."
                            )
                        rows = []
                    if settles is not None:
                        self._db.execute("DELETE FROM journal WHERE device = ? AND id <= ?", settles)
                    if rows and self._undeclared:
                        rows.insert(0, _row(_loss(self._undeclared, "spool full: newest not stored")))
                        self._count_lost(self._undeclared)
                        self._undeclared = 0
                    seqs = self._insert(rows)
            except SpoolRefused:
                self._undeclared += sum(row.may_be_lost for row in rows)
                raise
            if not seqs:
                self._undeclared += len(events)
        return seqs[-len(events) :] if seqs else []

    def journal(self, device: str, body: bytes) -> int:
        """Keep reads of an open passage so that a killed agent goes on with them. Survives kill -9; unlike
        `append` it does not wait for the disk. Returns the id of the row."""
        with self._lock, self._transaction(self._relaxed):
            done = self._relaxed.execute("INSERT INTO journal (device, body) VALUES (?, ?)", (device, body))
            return done.lastrowid or 0

    def journalled(self, device: str) -> list[tuple[int, bytes]]:
        """Ids and reads that no event has settled yet, in the order they came."""
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT id, body FROM journal WHERE device = ? ORDER BY id", (device,)
            ).fetchall()
        return list(rows)

    def settle(self, device: str, up_to: int) -> None:
        """The journalled reads of this device up to this id led to no event."""
        with self._lock, self._transaction(self._relaxed):
            self._relaxed.execute("DELETE FROM journal WHERE device = ? AND id <= ?", (device, up_to))

    def release(self, epoch: str, up_to_seq: int) -> int:
        """The backend committed this epoch up to and including this number. Returns how many rows left."""
        with self._lock, self._transaction(self._relaxed):
            row = self._relaxed.execute("SELECT id FROM epoch WHERE name = ?", (epoch,)).fetchone()
            if row is None:
                return 0
            count, size = self._relaxed.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM event WHERE epoch = ? AND seq <= ?",
                (row[0], up_to_seq),
            ).fetchone()
            self._relaxed.execute("DELETE FROM event WHERE epoch = ? AND seq <= ?", (row[0], up_to_seq))
            self._relaxed.execute(
                "DELETE FROM epoch WHERE id < ? AND id NOT IN (SELECT DISTINCT epoch FROM event)",
                (self._state.epoch_id or 2**62,),
            )
            state = self._state
            self._state = state._replace(
                depth=state.depth - count, size=state.size - size - count * ROW_BYTES
            )
            return int(count)

    # --- reading --------------------------------------------------------------------------------------

    def pending(self, after: Position | None, max_bytes: int, max_events: int = 1000) -> Batch | None:
        """The rows after `after` (None: from the first), of one epoch, under `max_bytes`; None at the end."""
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT epoch, seq, at_us, body FROM event WHERE (epoch, seq) > (?, ?)"
                " ORDER BY epoch, seq LIMIT ?",
                (*(after or Position(0, 0)), max_events),
            )
            events: list[bytes] = []
            size, last = 0, Position(0, 0)
            for epoch, seq, at_us, stored in rows:
                body = _given_up(seq, at_us) if stored is None else bytes(stored)
                if events and (epoch != last.epoch or size + len(body) + 1 > max_bytes):
                    break
                events.append(body)
                size += len(body) + 1
                last = Position(epoch, seq)
            rows.close()
            if not events:
                return None
            (name,) = self._db.execute("SELECT name FROM epoch WHERE id = ?", (last.epoch,)).fetchone()
            return Batch(name, last, events)

    @property
    def epoch(self) -> str | None:
        """The epoch of new events; None until the first one."""
        return self._state.epoch or None

    @property
    def depth(self) -> int:
        """Rows that the backend has not committed yet."""
        return self._state.depth

    @property
    def lost(self) -> int:
        """Events given up in this spool's life."""
        with self._lock, self._translated():
            row = self._db.execute("SELECT value FROM counter WHERE name = 'lost'").fetchone()
        return self._undeclared + (int(row[0]) if row else 0)

    @property
    def oldest_at(self) -> datetime | None:
        with self._lock, self._translated():
            row = self._db.execute("SELECT at_us FROM event ORDER BY epoch, seq LIMIT 1").fetchone()
        return None if row is None else _time(row[0])

    # --- inside ---------------------------------------------------------------------------------------

    def _insert(self, rows: Sequence[_Row]) -> list[int]:
        if not rows:
            return []
        state = self._state
        if not state.epoch_id:
            name = secrets.token_hex(16)
            epoch_id = self._db.execute("INSERT INTO epoch (name) VALUES (?)", (name,)).lastrowid or 0
            state = state._replace(epoch_id=epoch_id, epoch=name)
        seqs = range(state.seq + 1, state.seq + 1 + len(rows))
        bodies = [_encode(seq, row) for seq, row in zip(seqs, rows, strict=True)]
        self._db.executemany(
            "INSERT INTO event (epoch, seq, at_us, may_be_lost, body) VALUES (?, ?, ?, ?, ?)",
            [
                (state.epoch_id, seq, _us(row.event.occurred_at), row.may_be_lost, body)
                for seq, row, body in zip(seqs, rows, bodies, strict=True)
            ],
        )
        self._state = state._replace(
            seq=seqs[-1],
            depth=state.depth + len(rows),
            size=state.size + sum(len(b) + ROW_BYTES for b in bodies),
        )
        return list(seqs)

    def _room_for(self, rows: Sequence[_Row]) -> bool:
        """Give up the oldest that may be lost until these rows fit."""
        if all(isinstance(row.event.data, EventsLost | DeviceStateChanged) for row in rows):
            return True  # small and rare: what happened to the spool and the devices is always told
        excess = (
            self._state.size + sum(len(r.data) + ENVELOPE_BYTES + ROW_BYTES for r in rows) - self.max_bytes
        )
        if excess <= 0:
            return True
        wanted = max(excess, self.max_bytes // 100)  # a little more, so that it is not done at every append
        found, freed = [], 0
        for epoch_id, seq, size in self._db.execute(
            "SELECT epoch, seq, length(body) FROM event WHERE may_be_lost AND body IS NOT NULL"
            " ORDER BY epoch, seq"
        ):
            if freed >= wanted:
                break
            found.append((epoch_id, seq))
            freed += size
        if freed < excess:
            return False
        self._db.executemany("UPDATE event SET body = NULL WHERE epoch = ? AND seq = ?", found)
        self._count_lost(len(found))
        self._state = self._state._replace(size=self._state.size - freed)
        log.error("spool_full", path=str(self.path), given_up=len(found), max_bytes=self.max_bytes)
        return True

    def _count_lost(self, count: int) -> None:
        self._db.execute(
            "INSERT INTO counter VALUES ('lost', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (count,),
        )

    @contextlib.contextmanager
    def _transaction(self, db: sqlite3.Connection) -> Iterator[None]:
        before = self._state
        with self._translated():
            try:
                db.execute("BEGIN IMMEDIATE")
                yield
                db.execute("COMMIT")
            except BaseException:
                self._state = before
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as e:
            # SQLITE_FULL, SQLITE_IOERR (a quota or a file size limit arrives as one), SQLITE_READONLY ...
            raise SpoolRefused(
                f"Could not write {self.path}: {e}. Nothing was stored: free space on that disk or repair it."
            ) from e
        except sqlite3.DatabaseError as e:
            raise SpoolDamaged(
                f"{self.path} is damaged ({e}). Start the agent again: it keeps the file aside."
            ) from e

    def _connect_or_explain(self) -> str | None:
        """Connect and check the file; the reason where it is not a sound spool."""
        try:
            self._db = _connect(self.path, "FULL")
            self._relaxed = _connect(self.path, "NORMAL")
            (verdict,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                return str(verdict)
            self._db.executescript(SCHEMA)
            depth, size = self._db.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM event"
            ).fetchone()
            self._state = _State(depth=depth, size=size + depth * ROW_BYTES)
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR:  # tables of ours with another shape
                return str(e)
            raise SpoolError(
                f"Cannot open {self.path}: {e}. Correct data_dir, its rights or its disk."
            ) from e
        except sqlite3.DatabaseError as e:
            return str(e)
        return None

    def _move_aside(self) -> Path:
        self._close_connections()
        aside = self.path.with_name(f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
        return aside

    def _close_connections(self) -> None:
        for name in ("_relaxed", "_db"):
            with contextlib.suppress(sqlite3.Error, AttributeError):
                getattr(self, name).close()


class _State(NamedTuple):
    """What is kept in memory beside the file; put back when a transaction fails."""

    epoch_id: int = 0
    epoch: str = ""
    seq: int = 0
    depth: int = 0
    size: int = 0


class _Row(NamedTuple):
    event: NewEvent
    data: bytes
    may_be_lost: bool


def _row(event: NewEvent) -> _Row:
    """Check an event against the wire contract: what the backend cannot read must not get a number."""
    data = messages.encode(event.data)
    if len(data) > MAX_EVENT_BYTES:
        raise ValueError(
            f"{len(data)} bytes in one {messages.type_of(event.data)}; split it below {MAX_EVENT_BYTES}"
        )
    msgspec.json.decode(data, type=type(event.data))
    if event.occurred_at.tzinfo is None:
        raise ValueError(f"occurred_at of {event.device} has no time zone")
    return _Row(event, data, isinstance(event.data, MAY_BE_LOST))


def _encode(seq: int, row: _Row) -> bytes:
    event = row.event
    return messages.encode(
        Event(
            seq=seq,
            device=event.device,
            type=messages.type_of(event.data),
            occurred_at=event.occurred_at,
            device_at=event.device_at,
            correlation_id=event.correlation_id,
            data=msgspec.Raw(row.data),
        )
    )


def _given_up(seq: int, at_us: int) -> bytes:
    """What goes out under the number of an event that was given up."""
    lost = EventsLost(count=1, reason="spool full: oldest given up")
    event = NewEvent(device=SPOOL_DEVICE, data=lost, occurred_at=_time(at_us))
    return _encode(seq, _Row(event, messages.encode(lost), False))


def _loss(count: int, reason: str) -> NewEvent:
    return NewEvent(
        device=SPOOL_DEVICE, data=EventsLost(count=count, reason=reason), occurred_at=datetime.now(UTC)
    )


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _time(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)


def _connect(path: Path, synchronous: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("PRAGMA journal_size_limit = 16777216")
    return db
