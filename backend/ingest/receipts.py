"""How far an (agent, epoch) is committed. The row is locked for the transaction: two consumers take turns.

`committed_seq` is the highest number below which nothing is missing: the only one that may be acknowledged.
What came early waits in `ahead`. A number that never comes (a backend restored from an old backup, an agent
enrolled anew) must not hold an agent's spool for ever: after `PATIENCE` and `RESENDS` sendings that begin behind
the gap, the gap is declared lost, loudly, and still taken if it comes after all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.multirange import Int8Multirange, Multirange
from psycopg.types.range import Range

from backend.db import Conn

PATIENCE = timedelta(seconds=60)
RESENDS = 3

Key = tuple[UUID, str]
"""agent, epoch"""

Span = tuple[int, int]
"""first, last: both inside"""


@dataclass
class Receipt:
    committed_seq: int
    ahead: list[Span] = field(default_factory=list)
    given_up: list[Span] = field(default_factory=list)
    gap_since: datetime | None = None
    gap_resends: int = 0
    taken: int = 0
    duplicates: int = 0
    resent_behind_gap: bool = False

    def take(self, seq: int) -> bool:
        """False where this number was received before."""
        if seq <= self.committed_seq:
            if not _inside(self.given_up, seq):
                self.duplicates += 1
                return False
            self.given_up = _without(self.given_up, seq)
        elif _inside(self.ahead, seq):
            self.duplicates += 1
            if seq == self.ahead[0][0]:
                self.resent_behind_gap = True
            return False
        elif seq == self.committed_seq + 1:
            self.committed_seq = seq
            self._close_up()
        else:
            self.ahead = _with(self.ahead, seq)
        self.taken += 1
        return True

    def _close_up(self) -> None:
        if self.ahead and self.ahead[0][0] == self.committed_seq + 1:
            self.committed_seq = self.ahead.pop(0)[1]

    def settle_gap(self, now: datetime) -> Span | None:
        """The gap that is declared lost now, if one is."""
        if not self.ahead:
            self.gap_since, self.gap_resends = None, 0
            return None
        if self.gap_since is None:
            self.gap_since = now
        if self.resent_behind_gap:
            self.gap_resends += 1
        if self.gap_resends < RESENDS or now - self.gap_since < PATIENCE:
            return None
        gap = (self.committed_seq + 1, self.ahead[0][0] - 1)
        self.given_up = [*self.given_up, gap]
        self.committed_seq = gap[1]
        self._close_up()
        self.gap_since, self.gap_resends = (now, 0) if self.ahead else (None, 0)
        return gap


def lock_receipts(conn: Conn, keys: Collection[Key]) -> dict[Key, Receipt]:
    """Creates the missing rows and locks all, in one order."""
    ordered = sorted(keys, key=lambda k: (k[0].bytes, k[1]))
    receipts = {}
    for agent_id, epoch in ordered:
        conn.execute(
            "insert into event_receipt (agent_id, epoch) values (%s, %s) on conflict do nothing",
            [agent_id, epoch],
        )
        row = conn.execute(
            """select committed_seq, ahead, given_up, gap_since, gap_resends from event_receipt
               where agent_id = %s and epoch = %s for update""",
            [agent_id, epoch],
        ).fetchone()
        assert row is not None
        receipts[agent_id, epoch] = Receipt(row[0], _spans(row[1]), _spans(row[2]), row[3], row[4])
    return receipts


def write_receipt(conn: Conn, key: Key, r: Receipt) -> None:
    conn.execute(
        """update event_receipt set committed_seq = %s, ahead = %s, given_up = %s, gap_since = %s, gap_resends = %s,
               events = events + %s, duplicates = duplicates + %s, updated_at = clock_timestamp()
           where agent_id = %s and epoch = %s""",
        [r.committed_seq, _multirange(r.ahead), _multirange(r.given_up), r.gap_since, r.gap_resends, r.taken, r.duplicates, *key],
    )  # fmt: skip


def _inside(spans: list[Span], seq: int) -> bool:
    return any(first <= seq <= last for first, last in spans)


def _with(spans: list[Span], seq: int) -> list[Span]:
    """`spans` sorted and merged, with one more number."""
    if spans and spans[-1][1] + 1 == seq:  # nearly always
        spans[-1] = (spans[-1][0], seq)
        return spans
    merged: list[Span] = []
    for first, last in sorted([*spans, (seq, seq)]):
        if merged and merged[-1][1] + 1 >= first:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _without(spans: list[Span], seq: int) -> list[Span]:
    rest: list[Span] = []
    for first, last in spans:
        if not first <= seq <= last:
            rest.append((first, last))
            continue
        if first < seq:
            rest.append((first, seq - 1))
        if seq < last:
            rest.append((seq + 1, last))
    return rest


def _spans(ranges: Multirange[int]) -> list[Span]:
    return [(r.lower, r.upper - 1) for r in ranges if r.lower is not None and r.upper is not None]


def _multirange(spans: list[Span]) -> Int8Multirange:
    return Int8Multirange([Range(first, last + 1) for first, last in spans])
