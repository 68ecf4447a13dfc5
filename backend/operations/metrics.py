"""`/metrics` in Prometheus' text form: what the database knows of the whole installation, and this process.

Reading them costs a few counting queries; scrape every 15 s or slower. To add a figure: a line in `FIGURES`.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from backend.db import Conn

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FIGURES: list[tuple[str, str, str, tuple[str, ...], str]] = [
    # kind, name, help, labels, query: one column a label, then the value
    ("gauge", "stowage_agent_online", "1 while the agent's status is fresh", ("site", "agent"),
     """select t.code, a.code, coalesce(s.online and s.received_at > now() - interval '45 seconds', false)::int
        from agent a join site t on t.id = a.site_id left join agent_status s on s.agent_id = a.id where a.state = 'active'"""),
    ("gauge", "stowage_agent_spool_depth", "Events that wait at the agent", ("site", "agent"),
     """select t.code, a.code, s.spool_depth from agent a join site t on t.id = a.site_id join agent_status s on s.agent_id = a.id"""),
    ("counter", "stowage_agent_events_lost", "Losses the agent declared", ("site", "agent"),
     """select t.code, a.code, s.events_lost from agent a join site t on t.id = a.site_id join agent_status s on s.agent_id = a.id"""),
    ("counter", "stowage_ingest_events", "Events committed", ("site", "agent"),
     """select t.code, a.code, sum(r.events) from event_receipt r join agent a on a.id = r.agent_id join site t on t.id = a.site_id group by 1, 2"""),
    ("counter", "stowage_ingest_duplicates", "Events received again", ("site", "agent"),
     """select t.code, a.code, sum(r.duplicates) from event_receipt r join agent a on a.id = r.agent_id join site t on t.id = a.site_id group by 1, 2"""),
    ("gauge", "stowage_devices", "Devices by state", ("site", "state"),
     """select t.code, s.state, count(*) from device_status s join site t on t.id = s.site_id group by 1, 2"""),
    ("gauge", "stowage_device_readings_per_second", "As the agent last said", ("site", "agent", "device"),
     """select t.code, a.code, d.code, s.readings_per_s from device_status s join device d on d.id = s.device_id
        join agent a on a.id = d.agent_id join site t on t.id = d.site_id"""),
    ("gauge", "stowage_dead_letters_open", "Messages nobody could take", ("kind",),
     "select kind, count(*) from dead_letter where state = 'open' group by 1"),
    ("gauge", "stowage_alerts_open", "Alerts that are not over", ("site", "kind"),
     "select t.code, l.kind, count(*) from alert l join site t on t.id = l.site_id where l.state <> 'closed' group by 1, 2"),
    ("gauge", "stowage_jobs", "Jobs by state, the finished ones left out", ("task", "state"),
     "select task_name, status::text, count(*) from procrastinate_jobs where status in ('todo', 'doing', 'failed') group by 1, 2"),
    ("gauge", "stowage_oldest_job_age_seconds", "How long the oldest due job has waited", (),
     """select coalesce(extract(epoch from now() - min(coalesce(j.scheduled_at, e.at))), 0)::float from procrastinate_jobs j
        left join lateral (select min(at) as at from procrastinate_events e where e.job_id = j.id and e.type = 'deferred') e on true
        where j.status = 'todo' and (j.scheduled_at is null or j.scheduled_at <= now())"""),
    ("gauge", "stowage_postings", "Postings to the ERP by state", ("state",),
     "select state, count(*) from posting group by 1"),
    ("counter", "stowage_movements", "Movements in the ledger", (),
     "select coalesce(max(seq), 0) from movement"),
    ("gauge", "stowage_database_bytes", "Size of the database", (),
     "select pg_database_size(current_database())"),
]  # fmt: skip

_process = CollectorRegistry()
ProcessCollector(registry=_process)
PlatformCollector(registry=_process)
GCCollector(registry=_process)


class _FromDatabase(Collector):
    def __init__(self, conn: Conn) -> None:
        self.conn = conn

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        there = {
            r[0]
            for r in self.conn.execute(
                "select relname from pg_class where relkind in ('r', 'p', 'v')"
            ).fetchall()
        }
        for kind, name, text, labels, query in FIGURES:
            if name == "stowage_postings" and "posting" not in there:
                continue
            family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
                name, text, labels=labels
            )
            for *values, figure in self.conn.execute(query.encode()).fetchall():
                family.add_metric([str(v) for v in values], float(figure or 0))
            yield family


def render(conn: Conn) -> bytes:
    """The whole page. `conn` may be read only."""
    registry = CollectorRegistry()
    registry.register(_FromDatabase(conn))
    return generate_latest(registry) + generate_latest(_process)
