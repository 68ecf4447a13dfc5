"""The outbox: which postings go into which document, in which order, and what became of them.

`next_groups` freezes what can be sent now; `members` gives the lines back as frozen; `settle_*` writes the outcome.
Order per item: postings are layed in levels. A posting joins its group on the lowest level where everything earlier of
its item is sent before it or together with it; only the lowest level is frozen, the rest stays free. What is being
sent or parked holds back later postings of its own items, and of no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger
from backend.db import Conn
from backend.ids import new_id
from backend.integration.erp.causes import Fulfils, fulfils
from backend.integration.erp.connector import Document, ErpError, ErpRefused, Kind, Line, Posted
from backend.live.announce import announce

LOOK_AT = 600
"""Postings considered in one round."""
MAX_LINES = 100
"""Tryton on SQLite fails (HTTP 503, parser stack overflow) over calls with many hundreds of records."""
MAX_SHIPMENTS = 25
"""Shipments sent in one call; other kinds go one document a call."""
QUIET = timedelta(seconds=1.5)
LONGEST_WAIT = timedelta(seconds=15)
"""A group is sent when nothing joined it for QUIET, or its first has waited so long, or it is full."""
FAILURES_BEFORE_PARKING = 8
TOGETHER = frozenset({Kind.RECEIPT, Kind.SHIPMENT, Kind.CUSTOMER_RETURN})
"""Different documents of these kinds may pass each other: each only adds, or only takes."""


@dataclass(frozen=True)
class Group:
    site_id: UUID
    id: UUID
    reference: str
    kind: str
    state: str
    occurred_on: date
    erp_order: str | None
    erp_partner: str | None
    attempts: int
    failures: int
    failing_since: datetime | None


_GROUP = "site_id, id, reference, kind, state, occurred_on, erp_order, erp_partner, attempts, failures, failing_since"


@dataclass(frozen=True)
class _Candidate:
    site_id: UUID
    id: UUID
    item_id: UUID
    kind: str
    erp_from: str
    erp_to: str
    cause_kind: str
    cause_id: UUID | None
    evidence: dict[str, object]
    partner_id: UUID | None
    happened_on: date
    recorded_at: datetime


@dataclass
class _Open:
    """A group being formed."""

    key: tuple[object, ...]
    level: int
    first: _Candidate
    fulfils: Fulfils
    members: list[_Candidate] = field(default_factory=list)

    def ready(self, now: datetime) -> bool:
        newest = max(c.recorded_at for c in self.members)
        oldest = min(c.recorded_at for c in self.members)
        return len(self.members) >= MAX_LINES or newest <= now - QUIET or oldest <= now - LONGEST_WAIT


def next_groups(conn: Conn, now: datetime) -> list[Group]:
    """The groups to send now: first those already frozen whose time has come, else new ones, frozen here.

    Commit before sending."""
    with conn.cursor(row_factory=class_row(Group)) as cur:
        due = cur.execute(
            f"""select {_GROUP} from posting_group where state in ('frozen', 'sending', 'waiting') and next_try_at <= %s
                order by seq limit 50""".encode(),
            [now],
        ).fetchall()
    if due:
        return due
    for look_at in (LOOK_AT, 10 * LOOK_AT):
        candidates = _candidates(conn, look_at)
        formed = form(candidates, now)
        if formed or len(candidates) < look_at:
            break
    waiting_for_order = [c for c, what in candidates if what.wait]
    if waiting_for_order:
        conn.execute(
            """update posting set problem = 'order', words = 'Its order is not in the ERP yet; see the orders on their way there.'
               where id = any(%s) and state = 'waiting' and problem is null""",
            [[c.id for c in waiting_for_order]],
        )
    return [_freeze(conn, group) for group in formed]


def _candidates(conn: Conn, look_at: int) -> list[tuple[_Candidate, Fulfils]]:
    with conn.cursor(row_factory=class_row(_Candidate)) as cur:
        rows = cur.execute(
            """select p.site_id, p.id, p.item_id, p.kind, m.erp_from, m.erp_to, m.cause_kind, m.cause_id, m.evidence, p.partner_id,
                      coalesce(p.erp_date, (m.occurred_at at time zone s.time_zone)::date) as happened_on, p.recorded_at
               from posting p
               join movement m on m.site_id = p.site_id and m.id = p.id
               join site s on s.id = p.site_id
               where p.state = 'waiting' and not exists (
                   select 1 from posting e where e.item_id = p.item_id and e.seq < p.seq and e.state in ('sending', 'parked'))
               order by p.seq limit %s""",
            [look_at],
        ).fetchall()
    known: dict[tuple[object, ...], Fulfils] = {}
    found = []
    for row in rows:
        evidence = row.evidence | ({"partner_id": row.partner_id} if row.partner_id else {})
        of_item = None if row.kind == Kind.SHIPMENT else row.item_id
        key = (
            row.site_id,
            row.kind,
            row.cause_id,
            of_item,
            *(str(evidence.get(name)) for name in ledger.WHOSE),
        )
        if key not in known:
            known[key] = fulfils(conn, row.site_id, Kind(row.kind), row.cause_id, row.item_id, evidence)
        found.append((row, known[key]))
    return found


def form(candidates: Iterable[tuple[_Candidate, Fulfils]], now: datetime) -> list[_Open]:
    """The groups that can be sent now, in order. A candidate whose order the ERP does not have yet holds its item back."""
    groups: dict[tuple[object, ...], list[_Open]] = {}
    last: dict[UUID, tuple[int, tuple[object, ...]]] = {}
    held: set[UUID] = set()
    for candidate, what in candidates:
        if what.wait or candidate.item_id in held:
            held.add(candidate.item_id)
            continue
        key = _key(candidate, what)
        needed = 0
        if candidate.item_id in last:
            level, other = last[candidate.item_id]
            passes = other == key or (other[1] == key[1] and Kind(candidate.kind) in TOGETHER)
            needed = level if passes else level + 1
        group = next(
            (g for g in groups.get(key, []) if g.level >= needed and len(g.members) < MAX_LINES), None
        )
        if group is None:
            group = _Open(key, needed, candidate, what)
            groups.setdefault(key, []).append(group)
        group.members.append(candidate)
        last[candidate.item_id] = (group.level, key)
    return [g for same in groups.values() for g in same if g.level == 0 and g.ready(now)]


def _key(c: _Candidate, what: Fulfils) -> tuple[object, ...]:
    """What belongs together. The second part is the kind."""
    day = c.happened_on
    match Kind(c.kind):
        case Kind.RECEIPT:
            return (c.site_id, c.kind, c.erp_from, what.order, what.partner, c.cause_id, day)
        case Kind.SHIPMENT:
            return (c.site_id, c.kind, c.erp_to, what.order, what.partner, c.cause_id, day)
        case Kind.CUSTOMER_RETURN | Kind.SUPPLIER_RETURN:
            return (c.site_id, c.kind, c.erp_from, c.erp_to, what.partner, day)
        case Kind.COUNT:
            return (
                c.site_id,
                c.kind,
                *sorted((c.erp_from, c.erp_to)),
                c.cause_id if c.cause_kind == "count" else None,
                day,
            )
        case Kind.INTERNAL:
            return (c.site_id, c.kind, c.erp_from, c.erp_to, day)


def _freeze(conn: Conn, group: _Open) -> Group:
    group_id = new_id()
    first = group.first
    with conn.cursor(row_factory=class_row(Group)) as cur:
        frozen = cur.execute(
            f"""insert into posting_group (site_id, id, reference, kind, occurred_on, erp_order, erp_partner, cause_kind, cause_id)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_GROUP}""".encode(),
            [first.site_id, group_id, f"SW-{group_id.hex}", first.kind, first.happened_on, group.fulfils.order,
             group.fulfils.partner, first.cause_kind, first.cause_id],
        ).fetchone()  # fmt: skip
    assert frozen is not None
    conn.execute(
        """update posting set state = 'sending', group_id = %s, problem = null, words = null
           where site_id = %s and id = any(%s) and state = 'waiting'""",
        [group_id, first.site_id, [c.id for c in group.members]],
    )
    announce(conn, first.site_id, "postings", group_id)
    return frozen


@dataclass(frozen=True)
class _Member:
    id: UUID
    item: str
    quantity: Decimal
    erp_from: str
    erp_to: str
    lot: str | None
    serial: str | None


def document(conn: Conn, group: Group) -> Document:
    """The frozen group as the document that is sent. The same every time."""
    with conn.cursor(row_factory=class_row(_Member)) as cur:
        rows = cur.execute(
            """select p.id, coalesce(k.their_key, i.sku) as item, m.quantity, m.erp_from, m.erp_to, l.code as lot, m.serial
               from posting p
               join movement m on m.site_id = p.site_id and m.id = p.id
               join item i on i.id = p.item_id
               left join lot l on l.id = m.lot_id
               left join external_key k on k.system = 'erp' and k.kind = 'item' and k.our_id = p.item_id
               where p.site_id = %s and p.group_id = %s order by p.seq""",
            [group.site_id, group.id],
        ).fetchall()
    lines = tuple(Line(str(r.id), r.item, r.quantity, r.erp_from, r.erp_to, r.lot, r.serial) for r in rows)
    return Document(
        Kind(group.kind), group.reference, group.occurred_on, lines, group.erp_order, group.erp_partner
    )


def correlation_ids(conn: Conn, group: Group) -> list[str]:
    """The reads and commands that the group's lines come from."""
    rows = conn.execute(
        """select distinct m.correlation_id from posting p join movement m on m.site_id = p.site_id and m.id = p.id
           where p.site_id = %s and p.group_id = %s order by 1""",
        [group.site_id, group.id],
    ).fetchall()
    return [row[0] for row in rows]


def sending(conn: Conn, groups: Sequence[Group]) -> None:
    """Commit this before the first byte goes out."""
    conn.execute(
        "update posting_group set state = 'sending', attempts = attempts + 1 where id = any(%s)",
        [[g.id for g in groups]],
    )


def settle_posted(conn: Conn, group: Group, posted: Posted, now: datetime) -> None:
    conn.execute(
        """update posting_group set state = 'posted', erp_id = %s, erp_number = %s, settled_at = %s, problem = null, words = null,
               failures = 0, failing_since = null where site_id = %s and id = %s""",
        [posted.id, posted.number, now, group.site_id, group.id],
    )
    conn.execute(
        "update posting set state = 'posted', settled_at = %s, problem = null, words = null where site_id = %s and group_id = %s",
        [now, group.site_id, group.id],
    )
    announce(conn, group.site_id, "postings", group.id)


def settle_failed(conn: Conn, group: Group, error: ErpError, now: datetime, *, others_passed: bool) -> None:
    """The ERP failed over this document, or could not be asked: it stays frozen and is asked again.

    When it fails over this one again and again while others pass, a person must look."""
    failures = group.failures + (1 if others_passed else 0)
    parked = failures >= FAILURES_BEFORE_PARKING
    wait = timedelta(seconds=min(2 ** min(group.attempts, 9), 300)) if others_passed else timedelta(0)
    conn.execute(
        """update posting_group set state = %s, problem = %s, words = %s, failures = %s, failing_since = coalesce(failing_since, %s),
               next_try_at = %s where site_id = %s and id = %s""",
        [
            "parked" if parked else "waiting",
            error.kind,
            str(error),
            failures,
            now,
            now + wait,
            group.site_id,
            group.id,
        ],
    )
    conn.execute(
        "update posting set state = %s, problem = %s, words = %s where site_id = %s and group_id = %s",
        ["parked" if parked else "sending", error.kind, str(error), group.site_id, group.id],
    )
    announce(conn, group.site_id, "postings", group.id)


def settle_refused(conn: Conn, group: Group, refused: ErpRefused, now: datetime) -> None:
    """The lines it is about are parked; the others are free again and go into a new group, under a new reference.

    Where the ERP does not say which line, the group is halved until it does; a closed day parks the whole."""
    rows = conn.execute(
        "select id from posting where site_id = %s and group_id = %s order by seq", [group.site_id, group.id]
    ).fetchall()
    members = [row[0] for row in rows]
    guilty = [m for m in members if str(m) in refused.lines]
    if refused.remains or refused.kind == "closed_period" or len(members) == 1 or len(guilty) == len(members):
        _park(conn, group, members, refused)
    elif guilty:
        _free(conn, group, [m for m in members if m not in guilty])
        _park(conn, group, guilty, refused)
    else:
        half = len(members) // 2
        _split(conn, group, members[half:])
        conn.execute(
            "update posting_group set reference = %s, state = 'frozen', problem = %s, words = %s where site_id = %s and id = %s",
            [f"SW-{new_id().hex}", refused.kind, str(refused), group.site_id, group.id],
        )
    announce(conn, group.site_id, "postings", group.id)


def _park(conn: Conn, group: Group, members: list[UUID], refused: ErpRefused) -> None:
    conn.execute(
        "update posting set state = 'parked', problem = %s, words = %s where site_id = %s and id = any(%s)",
        [refused.kind, str(refused), group.site_id, members],
    )
    conn.execute(
        "update posting_group set state = 'parked', problem = %s, words = %s, failures = case when %s then -1 else 0 end where site_id = %s and id = %s",
        [refused.kind, str(refused), refused.remains, group.site_id, group.id],
    )


def _free(conn: Conn, group: Group, members: list[UUID]) -> None:
    conn.execute(
        "update posting set state = 'waiting', group_id = null where site_id = %s and id = any(%s)",
        [group.site_id, members],
    )


def _split(conn: Conn, group: Group, members: list[UUID]) -> None:
    other = new_id()
    conn.execute(
        """insert into posting_group (site_id, id, reference, kind, occurred_on, erp_order, erp_partner, cause_kind, cause_id)
           select site_id, %s, %s, kind, occurred_on, erp_order, erp_partner, cause_kind, cause_id
           from posting_group where site_id = %s and id = %s""",
        [other, f"SW-{other.hex}", group.site_id, group.id],
    )
    conn.execute(
        "update posting set group_id = %s where site_id = %s and id = any(%s)",
        [other, group.site_id, members],
    )


def retry(
    conn: Conn,
    site_id: UUID,
    posting_id: UUID,
    now: datetime,
    *,
    erp_date: date | None = None,
    partner_id: UUID | None = None,
) -> bool:
    """A person says: again, now. False when there is nothing to retry (it is posted, or on its way).

    A parked line leaves its group and is sent under a new reference. Where part of a document is booked in the ERP and
    stays there, the whole document goes again under its old reference."""
    row = conn.execute(
        """select p.state, p.group_id, g.state, coalesce(g.failures, 0) from posting p
           left join posting_group g on g.site_id = p.site_id and g.id = p.group_id
           where p.site_id = %s and p.id = %s for update of p""",
        [site_id, posting_id],
    ).fetchone()
    conn.execute("update erp_connection set next_try_at = %s where next_try_at > %s", [now, now])
    if row is None or row[0] == "posted":
        return False
    state, group_id, group_state, failures = row
    if state == "waiting":
        return False
    if group_state in ("waiting", "frozen", "sending"):
        conn.execute(
            "update posting_group set next_try_at = %s where site_id = %s and id = %s",
            [now, site_id, group_id],
        )
    elif failures:  # booked in part, or the ERP failed over it: only the same document may go again
        conn.execute(
            "update posting_group set state = 'waiting', failures = 0, next_try_at = %s where site_id = %s and id = %s",
            [now, site_id, group_id],
        )
        conn.execute(
            "update posting set state = 'sending' where site_id = %s and group_id = %s and state = 'parked'",
            [site_id, group_id],
        )
    else:
        conn.execute(
            """update posting set state = 'waiting', group_id = null, erp_date = coalesce(%s, erp_date),
                   partner_id = coalesce(%s, partner_id),
                   kind = coalesce(kind, (select posting_kind(f.kind, t.kind) from movement m join place f on f.id = m.from_place_id
                                          join place t on t.id = m.to_place_id where m.site_id = posting.site_id and m.id = posting.id))
               where site_id = %s and id = %s""",
            [erp_date, partner_id, site_id, posting_id],
        )
        conn.execute(
            """delete from posting_group g where site_id = %s and id = %s
               and not exists (select 1 from posting p where p.site_id = g.site_id and p.group_id = g.id)""",
            [site_id, group_id],
        )
    announce(conn, site_id, "postings", posting_id)
    return True
