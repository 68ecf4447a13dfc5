"""Sending the outbox: one round takes what can go now, sends it, and writes what the ERP answered.

Exactly once rests on three commits: frozen before anything is sent, "sending" before the first byte, the outcome after
the answer. Whatever dies in between, the next round finds the group unsettled and asks the connector again, which looks
the reference up first. Only one process sends at a time (`only_sender`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from backend.db import Conn
from backend.integration.erp import outbox
from backend.integration.erp.connector import (
    Connector,
    Document,
    ErpBusy,
    ErpError,
    ErpLogin,
    ErpRefused,
    ErpUnreachable,
    Kind,
    Posted,
)
from backend.integration.erp.outbox import Group

log = structlog.get_logger(__name__)

SENDER_LOCK = 0x53544F57_455250  # "STOW", "ERP"
LONGEST_PAUSE = timedelta(seconds=60)


@dataclass(frozen=True)
class Round:
    posted: int = 0
    """Lines that the ERP has now."""
    parked: int = 0
    failed: ErpError | None = None
    """Nothing can be sent at present, and why."""

    @property
    def idle(self) -> bool:
        return not (self.posted or self.parked or self.failed)


@contextmanager
def only_sender(conn: Conn) -> Iterator[bool]:
    """True when this connection is the one that may talk to the ERP; the lock ends with the connection."""
    row = conn.execute("select pg_try_advisory_lock(%s)", [SENDER_LOCK]).fetchone()
    assert row is not None
    try:
        yield bool(row[0])
    finally:
        if row[0]:
            conn.execute("select pg_advisory_unlock(%s)", [SENDER_LOCK])


def send_round(conn: Conn, erp: Connector, now: datetime) -> Round:
    """One round. `conn` is in autocommit; each step is a transaction of its own."""
    with conn.transaction():
        groups = outbox.next_groups(conn, now)
    posted = parked = 0
    busy: list[tuple[Group, ErpBusy]] = []
    batches = deque(_batches(groups))
    while batches:
        batch = batches.popleft()
        with conn.transaction():
            outbox.sending(conn, batch)
            documents = [outbox.document(conn, group) for group in batch]
        try:
            outcomes = _post(erp, documents)
        except ErpBusy as e:
            log.warning("erp_busy", kind=batch[0].kind, groups=len(batch), words=str(e))
            if len(batch) > 1:  # find the one it fails over
                batches.extendleft([group] for group in reversed(batch))
                continue
            busy.append((batch[0], e))
            if len(busy) > 2 and not posted:
                break
            continue
        except (ErpUnreachable, ErpLogin) as e:
            log.warning("erp_unreachable", kind=batch[0].kind, words=str(e))
            return _failed(conn, batch, e, now, posted, parked)
        done = _settle(conn, batch, outcomes, documents, now)
        posted, parked = posted + done.posted, parked + done.parked
    if busy and not posted and not parked:
        return _failed(conn, [group for group, _ in busy], busy[0][1], now, posted, parked)
    for group, error in busy:  # the ERP takes others, so it is about this document
        with conn.transaction():
            outbox.settle_failed(conn, group, error, now, others_passed=True)
    return Round(posted, parked)


def _post(erp: Connector, documents: Sequence[Document]) -> Sequence[Posted | ErpRefused]:
    try:
        return erp.post_together(documents)
    except ErpError:
        raise
    except Exception as e:  # a fault of the connector over one document must not stop all others
        log.exception("connector_failed", references=[d.reference for d in documents])
        raise ErpBusy(f"Our connector failed over this document: {type(e).__name__} {e}") from e


def _batches(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Shipments together, as long as none of them had trouble before; everything else alone."""
    together: list[Group] = []
    for group in groups:
        if group.kind == Kind.SHIPMENT and group.failures == 0:
            together.append(group)
            if len(together) == outbox.MAX_SHIPMENTS:
                yield together
                together = []
        else:
            yield [group]
    if together:
        yield together


def _settle(
    conn: Conn,
    batch: Sequence[Group],
    outcomes: Sequence[Posted | ErpRefused],
    documents: Sequence[Document],
    now: datetime,
) -> Round:
    posted = parked = 0
    for group, outcome, document in zip(batch, outcomes, documents, strict=True):
        with conn.transaction():
            if isinstance(outcome, ErpRefused):
                log.warning("erp_refused", reference=group.reference, kind=group.kind, words=str(outcome),
                            correlation_ids=outbox.correlation_ids(conn, group))  # fmt: skip
                outbox.settle_refused(conn, group, outcome, now)
                parked += 1
            else:
                outbox.settle_posted(conn, group, outcome, now)
                posted += len(document.lines)
                log.info("erp_posted", reference=group.reference, kind=group.kind, erp_number=outcome.number,
                         lines=len(document.lines), correlation_ids=outbox.correlation_ids(conn, group))  # fmt: skip
    with conn.transaction():
        reached(conn, now)
    return Round(posted, parked)


def _failed(
    conn: Conn, groups: Sequence[Group], error: ErpError, now: datetime, posted: int, parked: int
) -> Round:
    with conn.transaction():
        for group in groups:
            outbox.settle_failed(conn, group, error, now, others_passed=False)
        not_reached(conn, error, now)
    return Round(posted, parked, error)


# --- how the ERP is ------------------------------------------------------------------------------------------------


def may_try(conn: Conn, now: datetime) -> bool:
    row = conn.execute("select next_try_at <= %s from erp_connection", [now]).fetchone()
    return row is not None and bool(row[0])


def reached(conn: Conn, now: datetime, identity: str | None = None) -> None:
    conn.execute(
        """update erp_connection set state = 'reachable', since = case when state = 'reachable' then since else %s end,
               identity = coalesce(%s, identity), words = null, failures = 0, next_try_at = %s, last_ok_at = %s""",
        [now, identity, now, now],
    )


def try_now(conn: Conn) -> None:
    """Somebody knows that the ERP is back: no pause is waited for."""
    conn.execute("update erp_connection set next_try_at = now()")


def not_reached(conn: Conn, error: ErpError, now: datetime) -> None:
    """Nothing is sent until a pause is over; it doubles up to a minute."""
    state = error.kind if error.kind in ("unreachable", "busy", "login") else "busy"
    row = conn.execute("select failures from erp_connection").fetchone()
    pause = min(timedelta(seconds=2 ** min(int(row[0]) if row else 0, 6)), LONGEST_PAUSE)
    conn.execute(
        """update erp_connection set state = %s, since = case when state = %s then since else %s end, words = %s,
               failures = failures + 1, next_try_at = %s""",
        [state, state, now, str(error), now + pause],
    )
