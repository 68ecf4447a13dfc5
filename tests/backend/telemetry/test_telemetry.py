"""Telemetry in both forms: with TimescaleDB and on PostgreSQL alone. Nothing above can tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.db import Conn, connect
from backend.errors import Invalid
from backend.ingest import commit_batch
from backend.telemetry import positions, record, series, track, watch
from backend.telemetry.series import observations
from backend.telemetry.tasks import look, maintain, roll_up
from edge.messages import DeviceStatus, Event, Measured, PositionReported, Reading
from tests.backend.ingest.sender import EPC, Sender, new_sender, sightings
from tests.conftest import Warehouse, build_warehouse

HOUR = timedelta(hours=1)
TOP = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def sender(store: Conn, site: Warehouse) -> Sender:
    return new_sender(store, site)


def take(
    store: Conn, sender: Sender, values: Sequence[tuple[datetime, str]], channel: str = "temperature"
) -> None:
    events = [
        sender.event(
            Measured(readings=[Reading(channel=channel, value=Decimal(v), unit="Cel")]),
            "cold-1",
            occurred_at=at,
        )
        for at, v in values
    ]
    commit_batch(store, [sender.publish(events)])


def device(store: Conn, sender: Sender, code: str = "cold-1") -> Any:
    return store.execute(
        "select id from device where agent_id = %s and code = %s", [sender.agent_id, code]
    ).fetchall()[0][0]


def alerts(store: Conn, site: Warehouse) -> list[tuple[str, str]]:
    return [
        (k, s)
        for k, s in store.execute(
            "select kind, state from alert where site_id = %s order by id", [site.site_id]
        ).fetchall()
    ]


def test_a_series_has_even_buckets_and_gaps_stay_gaps(store: Conn, site: Warehouse, sender: Sender) -> None:
    start = TOP - 2 * HOUR
    take(
        store,
        sender,
        [(start + timedelta(minutes=m), v) for m, v in ((0, "4"), (1, "6"), (12, "5"), (14, "7.5"))],
    )
    found = series(
        store, site.site_id, device(store, sender), "temperature", start, start + timedelta(minutes=20), "5m"
    )
    assert found.bucket_s == 300
    assert [(p.at - start, p.average, p.minimum, p.maximum, p.samples) for p in found.points] == [
        (timedelta(0), Decimal(5), Decimal(4), Decimal(6), 2),
        (timedelta(minutes=5), None, None, None, 0),
        (timedelta(minutes=10), Decimal("6.25"), Decimal(5), Decimal("7.5"), 2),
        (timedelta(minutes=15), None, None, None, 0),
    ]


@pytest.mark.parametrize(("bucket", "points"), [("10s", 360), ("1m", 60), ("5m", 12), ("1h", 1), ("1d", 1)])
def test_every_bucket_width_sums_to_the_same(
    store: Conn, site: Warehouse, sender: Sender, bucket: str, points: int
) -> None:
    start = TOP - 2 * HOUR
    take(store, sender, [(start + timedelta(seconds=s), str(s % 7)) for s in range(0, 3600, 10)])
    found = series(store, site.site_id, device(store, sender), "temperature", start, start + HOUR, bucket)
    assert len(found.points) == points
    assert sum(p.samples for p in found.points) == 360
    total = sum((p.average * p.samples for p in found.points if p.average is not None), Decimal(0))
    assert abs(total - sum(s % 7 for s in range(0, 3600, 10))) < Decimal("0.001")


def test_roll_ups_and_live_values_are_one_series_also_when_late_values_come(
    store: Conn, site: Warehouse, sender: Sender, form: str, request: pytest.FixtureRequest
) -> None:
    start = TOP - 5 * HOUR

    def hourly() -> list[Any]:
        found = series(
            store, site.site_id, device(store, sender), "temperature", start, start + 3 * HOUR, "1h"
        )
        return [(p.average, p.samples) for p in found.points]

    take(store, sender, [(start, "2"), (start + HOUR, "4")])
    live = hourly()
    _roll_up(store, form, request)
    assert hourly() == live == [(2, 1), (4, 1), (None, 0)]
    take(store, sender, [(start + timedelta(minutes=30), "6"), (start + 2 * HOUR, "5")])  # an hour late
    _roll_up(store, form, request)
    assert hourly() == [(4, 2), (4, 1), (5, 1)]


def _roll_up(store: Conn, form: str, request: pytest.FixtureRequest) -> None:
    if form == "plain":
        roll_up(store)
        with connect(request.getfixturevalue("database_url"), as_owner=True) as owner:
            assert owner.execute("select count(*) from sensor_dirty").fetchall() == [(0,)]
        return
    store.execute("reset role")
    for view in ("sensor_5min", "sensor_hourly"):
        store.execute(
            f"call refresh_continuous_aggregate('{view}', now() - interval '31 days', now())".encode()
        )
    store.execute("set role stowage_app")


def test_a_series_of_too_many_points_is_refused(store: Conn, site: Warehouse, sender: Sender) -> None:
    for from_, to, bucket in ((TOP - 24 * HOUR, TOP, "10s"), (TOP, TOP, None), (TOP, TOP - HOUR, None)):
        with pytest.raises(Invalid):
            series(store, site.site_id, device(store, sender), "temperature", from_, to, bucket)


def test_the_default_bucket_fits_the_span(store: Conn, site: Warehouse, sender: Sender) -> None:
    for days, bucket_s in ((0.04, 10), (0.3, 60), (1, 300), (7, 3600), (90, 86400)):
        found = series(
            store, site.site_id, device(store, sender), "temperature", TOP - timedelta(days=days), TOP
        )
        assert found.bucket_s == bucket_s
        assert len(found.points) <= 520


def test_observations_are_found_by_epc_and_by_reader_page_by_page(
    store: Conn, site: Warehouse, sender: Sender
) -> None:
    commit_batch(store, [sender.batch(sightings(30))])
    now = datetime.now(UTC) + timedelta(minutes=1)
    found = []
    before = None
    while True:
        page = observations(
            store,
            site.site_id,
            epc=None,
            device_id=device(store, sender, "door-1"),
            from_=now - HOUR,
            to=now,
            before=before,
            limit=7,
        )
        found += page
        if len(page) < 7:
            break
        before = (page[-1].at, page[-1].epc)
    assert len({o.epc for o in found}) == len(found) == 30
    one = observations(
        store,
        site.site_id,
        epc=f"{EPC[:16]}00000003",
        device_id=None,
        from_=now - HOUR,
        to=now,
        before=None,
        limit=9,
    )
    assert [(o.device, o.place, o.antenna, o.reads, o.peak_rssi_cdbm) for o in one] == [
        ("door-1", "DOCK-1", 1, 3, -5100)
    ]


def test_days_old_and_recent_values_are_both_taken(
    store: Conn, site: Warehouse, sender: Sender, form: str, request: pytest.FixtureRequest
) -> None:
    old = TOP - timedelta(days=20)
    take(store, sender, [(old, "3"), (TOP - HOUR, "4")])
    _roll_up(store, form, request)  # TimescaleDB shows what is older than its last refresh after the next one
    found = series(store, site.site_id, device(store, sender), "temperature", old, old + HOUR, "1h")
    assert [(p.average, p.samples) for p in found.points] == [(Decimal(3), 1)]


def test_positions_are_kept_once_and_read_back_as_a_track(
    store: Conn, site: Warehouse, sender: Sender
) -> None:
    def at(minute: int, lat: float) -> Event:
        data = PositionReported(lat=lat, lon=24.9, speed_kmh=30.5, course_deg=90, hdop=0.9, satellites=9)
        return sender.event(data, "cold-1", occurred_at=TOP - HOUR + timedelta(minutes=minute))

    batch = sender.publish([at(2, 60.2), at(1, 60.1), at(3, 60.3)])
    commit_batch(store, [batch])
    commit_batch(store, [batch])
    ids = [device(store, sender)]
    found = track(store, site.site_id, ids, TOP - HOUR, TOP)
    assert [(p.lat, p.speed_kmh) for p in found] == [(60.1, 30.5), (60.2, 30.5), (60.3, 30.5)]
    assert track(store, site.site_id, ids, TOP - HOUR, TOP - HOUR + timedelta(minutes=2)) == found[:1]
    assert track(store, build_warehouse(store, "OTHER").site_id, ids, TOP - HOUR, TOP) == []
    with pytest.raises(Invalid, match="after"):
        track(store, site.site_id, ids, TOP, TOP)


def test_a_long_track_is_thinned_with_its_ends_kept(
    store: Conn, site: Warehouse, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "MOST_TRACK_POINTS", 10)
    events = [
        sender.event(
            PositionReported(lat=n / 10, lon=24.9), "cold-1", occurred_at=TOP - HOUR + timedelta(seconds=n)
        )
        for n in range(101)
    ]
    commit_batch(store, [sender.publish(events)])
    found = track(store, site.site_id, [device(store, sender)], TOP - HOUR, TOP)
    assert (found[0].lat, found[-1].lat) == (0.0, 10.0)
    assert 8 <= len(found) <= 12


def test_the_jobs_of_telemetry_run_in_both_forms(store: Conn, sender: Sender) -> None:
    take(store, sender, [(TOP, "4")])
    for task in (roll_up, maintain, look):
        with store.transaction():
            task(store)
    assert store.execute("select count(*) >= 1 from sensor_value").fetchall() == [(True,)]


# --- alerts -----------------------------------------------------------------------------------------------


def test_a_temperature_out_of_range_alarms_after_a_while_and_ends_with_hysteresis(
    store: Conn, site: Warehouse, sender: Sender
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=10)

    def then(minutes: float, value: str) -> list[tuple[str, str]]:
        take(store, sender, [(at + timedelta(minutes=minutes), value)])
        return alerts(store, site)

    assert then(0, "5") == []
    assert then(1, "8.4") == []  # a moment outside is no alarm
    assert then(1.5, "8.6") == []
    assert then(2.1, "9.25") == [("out_of_range", "open")]
    assert store.execute("select message from alert where site_id = %s", [site.site_id]).fetchall() == [
        ("Temperature at COLD is 9.25 °C; allowed is 2 to 8 (cold-1).",)
    ]
    assert then(3, "7.9") == [("out_of_range", "open")]  # back inside, not yet by the hysteresis
    assert then(4, "8.1") == [("out_of_range", "open")]
    assert then(5, "7.4") == [("out_of_range", "closed")]
    assert then(6, "9") == [("out_of_range", "closed")]


def test_late_values_do_not_flip_an_alert(store: Conn, site: Warehouse, sender: Sender) -> None:
    at = datetime.now(UTC) - timedelta(minutes=10)
    take(store, sender, [(at, "9"), (at + timedelta(minutes=2), "9")])
    # the first value of the batch is older than the last: only the newest is judged, from then on
    take(store, sender, [(at + timedelta(minutes=4), "9")])
    assert alerts(store, site) == [("out_of_range", "open")]
    take(store, sender, [(at + timedelta(minutes=1), "5")])
    assert alerts(store, site) == [("out_of_range", "open")]


def test_a_door_that_says_nothing_more_while_it_stands_open_still_alarms(
    store: Conn, site: Warehouse, sender: Sender
) -> None:
    opened = datetime.now(UTC)
    take(store, sender, [(opened, "1")], "door_open")
    watch.look(store, opened + timedelta(seconds=30))
    assert alerts(store, site) == []
    watch.look(store, opened + timedelta(seconds=61))
    assert alerts(store, site) == [("door_open", "open")]
    take(store, sender, [(opened + timedelta(seconds=90), "0")], "door_open")
    assert alerts(store, site) == [("door_open", "closed")]


def test_silence_is_told_once_and_ends(store: Conn, site: Warehouse, sender: Sender) -> None:
    status = sender.status(
        DeviceStatus(device="door-1", kind="llrp_reader", state="online", last_seen_at=datetime.now(UTC)),
        DeviceStatus(device="cold-1", kind="climate_sensor", state="online"),
        DeviceStatus(device="scanner-1", kind="barcode_scanner", state="online"),
    )
    now = datetime.now(UTC)
    take(store, sender, [(now, "4")])
    commit_batch(store, [status], now)

    def look_at(seconds: float) -> list[tuple[str, str]]:
        watch.look(store, now + timedelta(seconds=seconds))
        return alerts(store, site)

    assert look_at(30) == []
    commit_batch(
        store, [status], now + timedelta(seconds=140)
    )  # the agent lives, its devices repeat old stamps
    assert sorted(look_at(141)) == [("reader_silent", "open"), ("sensor_silent", "open")]
    assert len(look_at(142)) == 2
    assert sorted(look_at(300))[0] == ("agent_silent", "open")
    later = now + timedelta(seconds=310)
    events = [
        sender.event(sightings(1), "door-1"),
        sender.event(
            Measured(readings=[Reading(channel="temperature", value=Decimal(4), unit="Cel")]),
            "cold-1",
            occurred_at=later,
        ),
    ]
    commit_batch(store, [status, sender.publish(events)], later)
    assert {s for _, s in look_at(311)} == {"closed"}


def test_a_reader_that_broke_is_told_after_half_a_minute(
    store: Conn, site: Warehouse, sender: Sender
) -> None:
    now = datetime.now(UTC)
    broken = DeviceStatus(
        device="door-1", kind="llrp_reader", state="fault", detail="The cable is out.", last_seen_at=now
    )
    commit_batch(store, [sender.status(broken)], now)
    watch.look(store, now + timedelta(seconds=20))
    assert alerts(store, site) == []
    commit_batch(store, [sender.status(broken)], now + timedelta(seconds=35))
    watch.look(store, now + timedelta(seconds=36))
    assert alerts(store, site) == [("reader_silent", "open")]
    ((message,),) = store.execute("select message from alert where site_id = %s", [site.site_id]).fetchall()
    assert "The cable is out." in message


# --- the forms themselves ---------------------------------------------------------------------------------


def test_partitions_are_made_ahead_and_dropped_when_they_are_old(conn: Conn) -> None:
    def partitions() -> set[str]:
        return {
            r[0]
            for r in conn.execute("select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'observation'::regclass").fetchall()
        }  # fmt: skip

    today = datetime.now(UTC)
    future = today + timedelta(days=20)
    row = "insert into observation values (gen_random_uuid(), gen_random_uuid(), 'AAAA', 1, 1, null, %s, %s)"
    conn.execute(row, [future, future])  # a worker that was away: no partition yet
    conn.execute(row, [today, today])
    where = "select tableoid::regclass::text from observation order by at"
    assert conn.execute(where.encode()).fetchall() == [
        (f"observation_{today:%Y%m%d}",),
        ("observation_other",),
    ]
    with conn.transaction():
        conn.execute("select telemetry_maintain(%s, 5, 5, 5, 5)", [future])
    assert f"observation_{today:%Y%m%d}" not in partitions()
    assert f"observation_{future:%Y%m%d}" in partitions()
    assert f"observation_{future + timedelta(days=7):%Y%m%d}" in partitions()
    assert conn.execute(where.encode()).fetchall() == [(f"observation_{future:%Y%m%d}",)]


def test_the_application_cannot_drop_telemetry(store: Conn) -> None:
    for statement in (
        "drop table observation",
        "delete from observation",
        "truncate sensor_value",
        "update sensor_value set value = 0",
    ):
        with pytest.raises(Exception, match=r"must be owner|permission denied"):
            store.execute(statement.encode())


def test_timescale_has_its_policies(timescale_url: str) -> None:
    with connect(timescale_url, as_owner=True, autocommit=True) as owner:
        jobs = owner.execute(
            """select proc_name, coalesce(hypertable_name, '') from timescaledb_information.jobs
               where proc_name like 'policy%' and proc_name <> 'policy_job_stat_history_retention' and proc_name <> 'policy_telemetry' order by 1, 2"""
        ).fetchall()
        names = [j[0] for j in jobs]
        assert names.count("policy_compression") == 3
        assert names.count("policy_refresh_continuous_aggregate") == 2
        assert names.count("policy_retention") == 5
        hypertables = owner.execute(
            "select hypertable_name, compression_enabled from timescaledb_information.hypertables order by 1"
        ).fetchall()
        assert hypertables == [("observation", True), ("sensor_value", True), ("vehicle_position", True)]


def test_timescale_compresses_a_chunk_and_still_answers(timescale_url: str) -> None:
    with connect(timescale_url, autocommit=True) as app:
        site = build_warehouse(app, "COMPRESS")
        sender = new_sender(app, site)
        old = TOP - timedelta(days=18)  # a chunk is a week: all of this one is older than ten days
        take(app, sender, [(old + timedelta(minutes=m), str(m)) for m in range(30)])
        app.execute("reset role")
        app.execute(
            "select compress_chunk(c) from show_chunks('sensor_value', older_than => interval '10 days') c"
        )
        assert app.execute(
            "select is_compressed from timescaledb_information.chunks where hypertable_name = 'sensor_value' and range_start <= %s and range_end > %s",
            [old, old],
        ).fetchall() == [(True,)]
        app.execute("set role stowage_app")
        found = series(app, site.site_id, device(app, sender), "temperature", old, old + HOUR, "1m")
        assert sum(p.samples for p in found.points) == 30
        take(app, sender, [(old + timedelta(minutes=40), "7")])  # late, into the compressed chunk
        found = series(app, site.site_id, device(app, sender), "temperature", old, old + HOUR, "1m")
        assert sum(p.samples for p in found.points) == 31


def test_many_rows_go_as_a_copy(conn: Conn, warehouse: Warehouse) -> None:
    sender = new_sender(conn, warehouse)
    commit_batch(conn, [sender.batch(sightings(record.COPY_FROM * 3))])
    assert conn.execute("select count(*), sum(reads), min(peak_rssi_cdbm) from observation").fetchall() == [
        (record.COPY_FROM * 3, record.COPY_FROM * 9, -5100)
    ]
