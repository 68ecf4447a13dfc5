"""Messages that could not be taken: kept with their bytes and the reason, tried again or discarded by a person.

A letter is the whole message, or (`alone`) one event cut out of its batch, which the cursor has gone past.
The same bytes again only count up; a topic keeps at most `MOST_PER_TOPIC` open letters, then it only counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import NotFound
from backend.ids import new_id
from backend.live.announce import announce

MOST_PER_TOPIC = 500
MOST_BYTES = 512 * 1024


class Unacceptable(Exception):
    """A message that becomes a dead letter. `kind` is one of the table's kinds, `reason` a sentence to act on."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True)
class Letter:
    topic: str
    payload: bytes
    kind: str
    reason: str
    site_id: UUID | None = None
    agent_id: UUID | None = None
    device: str | None = None
    alone: bool = False


def bury(conn: Conn, letter: Letter) -> None:
    """Keeps a message that could not be taken."""
    payload, reason = letter.payload, letter.reason.replace("\0", "\ufffd")[:4000]
    if len(payload) > MOST_BYTES:
        reason = f"{reason} (the first {MOST_BYTES} of {len(payload)} bytes are kept)"
        payload = payload[:MOST_BYTES]
    digest = hashlib.sha256(letter.payload).digest()
    again = conn.execute(
        """update dead_letter set times = times + 1, last_at = clock_timestamp(), kind = %s, reason = %s
           where topic = %s and payload_hash = %s and state = 'open'""",
        [letter.kind, reason, letter.topic, digest],
    ).rowcount
    if again:
        return
    full = conn.execute(
        """select id from dead_letter where topic = %s and state = 'open' order by id desc offset %s limit 1""",
        [letter.topic, MOST_PER_TOPIC - 1],
    ).fetchone()
    if full:
        conn.execute(
            """update dead_letter set times = times + 1, last_at = clock_timestamp()
               where id = (select id from dead_letter where topic = %s and state = 'open' order by id desc limit 1)""",
            [letter.topic],
        )
        return
    letter_id = new_id()
    conn.execute(
        """insert into dead_letter (id, site_id, agent_id, device, topic, payload, payload_hash, alone, kind, reason)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (topic, payload_hash) where state = 'open' do update set times = dead_letter.times + 1""",
        [
            letter_id, letter.site_id, letter.agent_id, letter.device, letter.topic, payload, digest, letter.alone,
            letter.kind, reason,
        ],
    )  # fmt: skip
    if letter.site_id is not None:
        announce(conn, letter.site_id, "devices", letter_id)


def settle(conn: Conn, ctx: Context, letter_id: UUID, state: str) -> None:
    """`retried` or `discarded`. Raises NotFound."""
    done = conn.execute(
        "update dead_letter set state = %s, settled_at = %s, settled_by = %s where id = %s and state = 'open'",
        [state, ctx.now, ctx.actor, letter_id],
    ).rowcount
    if not done:
        raise NotFound("There is no such open dead letter.")
    announce(conn, ctx.site_id, "devices", letter_id)
