"""The floor and the day at a glance: one read over all slices, for the shift leader's screen. It writes nothing.

This is the one place that reads other slices' tables, because a glance that calls ten functions per bin would be slow.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from pydantic import BaseModel

from backend import api
from backend.api import Db, Quantity, Site

router = api.router(tags=["floor"])


class FloorPlace(BaseModel):
    id: UUID
    parent_id: UUID | None
    code: str
    name: str
    kind: str
    storage_class: str
    x_m: float | None
    y_m: float | None
    width_m: float | None
    depth_m: float | None
    on_hand: Quantity
    items: int
    max_units: Quantity | None


class Passage(BaseModel):
    place_id: UUID
    direction: str
    tags: int
    at: datetime


class PersonAtWork(BaseModel):
    actor: str
    doing: str
    label: str
    at: datetime
    place_id: UUID | None


class SensorNow(BaseModel):
    device_id: UUID
    device: str
    place_id: UUID | None
    channel: str
    value: Quantity
    unit: str
    at: datetime
    out_of_limits_since: datetime | None


class OpenAlert(BaseModel):
    id: UUID
    kind: str
    message: str
    place_id: UUID | None
    opened_at: datetime
    acknowledged: bool


class DayFlow(BaseModel):
    """Base units since midnight in the site's time zone; `plan` where there is one: what is due today or left today.
    Shipped is what left the doors, with a carrier or in a van of ours."""

    received: Quantity
    received_plan: Quantity
    put_away: Quantity
    picked: Quantity
    picked_plan: Quantity
    shipped: Quantity
    shipped_plan: Quantity
    orders_shipped: int
    orders_due: int
    open_receipts: int
    putaway_waiting: int
    picks_waiting: int
    discrepancies_open: int
    postings_waiting: int
    postings_parked: int


class Floor(BaseModel):
    site_id: UUID
    name: str
    time_zone: str
    now: datetime
    places: list[FloorPlace]
    passages: list[Passage]
    people: list[PersonAtWork]
    sensors: list[SensorNow]
    alerts: list[OpenAlert]
    today: DayFlow


def _rows(conn: Db, query: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(query.encode(), params).fetchall()


@router.get("/floor", response_model=Floor)
def get_floor(conn: Db, site: Site) -> Floor:
    """A plan of the building with what is in it, who works where, what is wrong, and the day's flow."""
    at = {"site": site}
    head = _rows(conn, "select name, time_zone, now() as now from site where id = %(site)s", at)[0]
    return Floor(
        site_id=site,
        **head,
        places=[FloorPlace(**r) for r in _rows(conn, _PLACES, at)],
        passages=[Passage(**r) for r in _rows(conn, _PASSAGES, at)],
        people=[PersonAtWork(**r) for r in _rows(conn, _PEOPLE, at)],
        sensors=[SensorNow(**r) for r in _rows(conn, _SENSORS, at)],
        alerts=[OpenAlert(**r) for r in _rows(conn, _ALERTS, at)],
        today=DayFlow(**_rows(conn, _TODAY, at | _rows(conn, _DAY, at)[0])[0]),
    )


_PLACES = """
    select p.id, p.parent_id, p.code, p.name, p.kind, p.storage_class, p.x_m, p.y_m, p.width_m, p.depth_m, p.max_units,
           coalesce(b.on_hand, 0) as on_hand, coalesce(b.items, 0) as items
    from place p left join (select place_id, sum(on_hand) as on_hand, count(distinct item_id) as items from balance
                            where site_id = %(site)s and on_hand > 0 group by place_id) b on b.place_id = p.id
    where p.site_id = %(site)s and p.is_physical and p.active order by p.code limit 5000"""

_PASSAGES = """
    select d.place_id, e.data ->> 'direction' as direction, jsonb_array_length(e.data -> 'tags') as tags, e.recorded_at as at
    from device_event e join device d on d.id = e.device_id
    where e.site_id = %(site)s and e.type = 'tags_passed' and d.place_id is not null and e.recorded_at > now() - interval '10 minutes'
    order by e.recorded_at desc limit 100"""

_PEOPLE = """
    select distinct on (actor) actor, kind as doing, label, done_at as at, (undo ->> 'place_id')::uuid as place_id
    from handheld_step where site_id = %(site)s and done_at > now() - interval '15 minutes' and undone_at is null
    order by actor, id desc"""

_SENSORS = """
    select s.device_id, d.code as device, d.place_id, s.channel, round(s.value, 3) as value, s.unit, s.at, s.out_since as out_of_limits_since
    from sensor_state s join device d on d.id = s.device_id where s.site_id = %(site)s and d.active order by d.code, s.channel"""

_ALERTS = """
    select id, kind, message, place_id, opened_at, acknowledged_at is not null as acknowledged from alert
    where site_id = %(site)s and closed_at is null order by opened_at desc limit 100"""

_DAY = """
    select date_trunc('day', here) at time zone time_zone as midnight, (date_trunc('day', here) + interval '1 day') at time zone time_zone as tomorrow
    from site, lateral (select now() at time zone time_zone as here) t where id = %(site)s"""

_TODAY = """
    with moved as (
        select fp.kind as from_kind, tp.kind as to_kind, fp.is_physical as from_physical, tp.is_physical as to_physical,
               m.cause_kind, sum(m.quantity) as quantity
        from movement m join place fp on fp.id = m.from_place_id join place tp on tp.id = m.to_place_id
        where m.site_id = %(site)s and m.recorded_at >= %(midnight)s and m.reverses_id is null
          and not exists (select 1 from movement r where r.site_id = m.site_id and r.reverses_id = m.id)
        group by 1, 2, 3, 4, 5),
    due as (
        select id from sales_order where site_id = %(site)s and state not in ('shipped', 'cancelled') and due_at < %(tomorrow)s
        union all
        select id from sales_order where site_id = %(site)s and state = 'shipped' and shipped_at >= %(midnight)s)
    select coalesce((select sum(quantity) from moved where from_kind = 'supplier' and to_physical), 0) as received,
           coalesce((select sum(l.quantity) from asn_line l join asn a on a.id = l.asn_id where a.site_id = %(site)s and a.state <> 'cancelled'
                     and coalesce(a.expected_at, a.created_at) >= %(midnight)s
                     and coalesce(a.expected_at, a.created_at) < %(tomorrow)s), 0) as received_plan,
           coalesce((select sum(quantity) from moved where cause_kind = 'putaway'), 0) as put_away,
           coalesce((select sum(quantity) from moved where cause_kind = 'pick'), 0) as picked,
           coalesce((select sum(quantity) from moved where cause_kind = 'pick'), 0) + coalesce((
                     select sum(quantity - picked) from pick_task where site_id = %(site)s and state in ('open', 'claimed')), 0) as picked_plan,
           coalesce((select sum(quantity) from moved where from_physical and (
                     to_kind = 'customer' or to_kind = 'in_transit' and cause_kind = 'shipment')), 0) as shipped,
           coalesce((select sum(l.quantity) from due join sales_order_line l on l.site_id = %(site)s and l.order_id = due.id), 0) as shipped_plan,
           (select count(*) from sales_order where site_id = %(site)s and shipped_at >= %(midnight)s) as orders_shipped,
           (select count(*) from sales_order where site_id = %(site)s and state not in ('shipped', 'cancelled')
               and due_at < %(tomorrow)s) as orders_due,
           (select count(*) from receipt where site_id = %(site)s and state = 'open') as open_receipts,
           (select count(*) from putaway_task where site_id = %(site)s and state in ('open', 'claimed')) as putaway_waiting,
           (select count(*) from pick_task where site_id = %(site)s and state in ('open', 'claimed')) as picks_waiting,
           (select count(*) from discrepancy where site_id = %(site)s and state = 'open') as discrepancies_open,
           (select count(*) from posting where site_id = %(site)s and state in ('waiting', 'sending')) as postings_waiting,
           (select count(*) from posting where site_id = %(site)s and state = 'parked') as postings_parked"""


class Kpi(BaseModel):
    """A figure of the last `days` days; `of` is the number of cases it was made of (0: nothing to say yet)."""

    name: str
    value: Quantity | None
    unit: str
    of: int


class Overview(BaseModel):
    days: int
    kpis: list[Kpi]


@router.get("/overview", response_model=Overview)
def get_overview(conn: Db, site: Site) -> Overview:
    """How well the warehouse does: accuracy, punctuality, speed."""
    found = _rows(conn, _KPIS, {"site": site, "days": 30})[0]
    kpis = [Kpi(name=name, unit=unit, value=None if found[name] is None else Decimal(found[name]).quantize(Decimal("0.1")), of=found[f"{name}_of"])
            for name, unit in _KPI_UNITS.items()]  # fmt: skip
    return Overview(days=30, kpis=kpis)


_KPI_UNITS = {
    "stock_accuracy": "%",
    "orders_on_time": "%",
    "receiving_to_shelf": "min",
    "counts_right_first_time": "%",
}

_KPIS = """
    with counted as (select t.id, t.round from count_task t where t.site_id = %(site)s and t.state = 'done' and t.closed_at > now() - make_interval(days => %(days)s)),
    shipped as (select due_at, shipped_at from sales_order where site_id = %(site)s and shipped_at > now() - make_interval(days => %(days)s)),
    shelved as (select p.done_at - r.opened_at as took from putaway_task p join receipt r on r.id = p.cause_id
                where p.site_id = %(site)s and p.state = 'done' and p.done_at > now() - make_interval(days => %(days)s)),
    moved as (select count(*) as n from movement where site_id = %(site)s and recorded_at > now() - make_interval(days => %(days)s)),
    wrong as (select count(*) as n from discrepancy where site_id = %(site)s and raised_at > now() - make_interval(days => %(days)s))
    select case when moved.n > 0 then 100.0 * greatest(moved.n - wrong.n, 0) / moved.n end as stock_accuracy, moved.n as stock_accuracy_of,
           (select 100.0 * count(*) filter (where shipped_at <= due_at) / nullif(count(*), 0) from shipped) as orders_on_time,
           (select count(*) from shipped) as orders_on_time_of,
           (select percentile_cont(0.5) within group (order by extract(epoch from took)) / 60 from shelved) as receiving_to_shelf,
           (select count(*) from shelved) as receiving_to_shelf_of,
           (select 100.0 * count(*) filter (where round = 1) / nullif(count(*), 0) from counted) as counts_right_first_time,
           (select count(*) from counted) as counts_right_first_time_of
    from moved, wrong"""
