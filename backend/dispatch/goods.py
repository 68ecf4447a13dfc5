"""Goods that not every vehicle may carry: chilled, frozen and hazardous goods are skills that a delivery needs.

What a delivery needs is read from what is really in its cartons, whenever its cartons change: packed, joined, split, tried
again. A vehicle carries what it lists, exactly: one that lists `frozen` does not thereby take `chilled` (milk freezes in it),
and one that does both lists both. Ambient goods go with any. What is aboard already is brought by its van, whatever that
lists. Beside the classes a vehicle may list free words (a tail lift); to add a class: `item.storage_class`, and its words here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from backend.context import Context
from backend.db import Conn
from backend.errors import Conflict

CLASSES = {"chilled": "chilled", "frozen": "frozen", "hazard": "hazardous"}
"""A storage class and its word before "goods"."""


def read_needs(conn: Conn, ctx: Context, job_id: UUID) -> None:
    """The job's classes from its cartons' contents; its free skills stay. The caller holds the job."""
    conn.execute(
        """update delivery_job j set skills = array(
               select s from unnest(j.skills) s where s <> all(%s)
               union
               select i.storage_class from delivery_job_carton c
                      join carton_content n on n.site_id = c.site_id and n.carton_id = c.carton_id join item i on i.id = n.item_id
               where c.site_id = j.site_id and c.job_id = j.id and i.storage_class = any(%s) order by 1)
           where j.site_id = %s and j.id = %s""",
        [list(CLASSES), list(CLASSES), ctx.site_id, job_id],
    )


OF_CARTON = """array(select distinct i.storage_class from carton_content n join item i on i.id = n.item_id
    where n.site_id = c.site_id and n.carton_id = c.id and i.storage_class <> 'ambient' order by 1)"""
"""In a query over `carton c`: the classes that are in it."""


def refuse_unable(conn: Conn, site_id: UUID, carton_id: UUID) -> None:
    """A carton is not loaded onto its route's vehicle where that may not carry its delivery. Raises Conflict."""
    row = conn.execute(
        """select j.number, p.code, array(select unnest(j.skills) except select unnest(v.skills) order by 1)
           from delivery_job_carton c join delivery_job j on j.site_id = c.site_id and j.id = c.job_id and j.state = 'released'
                join delivery_stop s on s.site_id = j.site_id and s.job_id = j.id and s.kind = 'delivery' and s.state = 'planned'
                join delivery_route r on r.site_id = s.site_id and r.id = s.route_id
                join delivery_vehicle v on v.site_id = r.site_id and v.id = r.vehicle_id join place p on p.id = v.id
           where c.site_id = %s and c.carton_id = %s and not j.skills <@ v.skills limit 1""",
        [site_id, carton_id],
    ).fetchone()
    if row is None:
        return
    number, vehicle, missing = row
    raise Conflict(
        f"{cannot(vehicle, missing)}, and {number} needs that. {REMEDY}", field="code", delivery=number, missing=missing
    )  # fmt: skip


REMEDY = "Bring it with another vehicle, or say in the settings that this one can."


# --- in words ---------------------------------------------------------------------------------------------


def needs(skills: Collection[str]) -> str:
    """ "a vehicle for chilled and frozen goods with tail lift"."""
    goods, free = _goods(skills), _free(skills)
    if goods and free:
        return f"a vehicle for {goods} with {free}"
    return f"a vehicle for {goods}" if goods else f"a vehicle with {free}"


def cannot(vehicle: str, missing: Collection[str]) -> str:
    """ "VAN-2 is not for chilled goods"."""
    goods, free = _goods(missing), _free(missing)
    if goods and free:
        return f"{vehicle} is not for {goods} and has no {free}"
    return f"{vehicle} is not for {goods}" if goods else f"{vehicle} has no {free}"


def able(skills: Sequence[str]) -> str:
    """ "it may carry chilled goods", after an "if"."""
    goods, free = _goods(skills), _free(skills)
    if goods and free:
        return f"it may carry {goods} and has {free}"
    return f"it may carry {goods}" if goods else f"it has {free}"


def _goods(skills: Collection[str]) -> str:
    words = [word for name, word in CLASSES.items() if name in skills]
    return f"{_listed(words)} goods" if words else ""


def _free(skills: Collection[str]) -> str:
    return _listed(sorted(s for s in skills if s not in CLASSES))


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
