"""`list_ms`: every list of the API over three years of a busy warehouse: a million movements and postings, 200,000 orders, 50,000
items. Each GET address without a part to fill in is asked for its first page, as an administrator; the slowest counts, and
the five slowest are named."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg

from backend.app import create_app
from backend.auth.principals import issue_token
from backend.db import Conn, connect
from backend.ids import new_id
from backend.migrate import migrate
from stowage.parts.postgres import EmbeddedPostgres
from tests.bench.figure import Figure, figure
from tests.conftest import Warehouse, build_warehouse
from tests.served import served

ASKED = 5
ELSEWHERE = (
    "/map/",
    "/erp",
    "/ledger/verification",
)  # tiles; what the ERP itself is asked; a recount of everything

BUSY_YEARS = """
create temporary table n_item as select row_number() over () as n, uuidv7() as id from generate_series(1, 50000);
insert into item (id, sku, name) select id, 'SKU-' || n, 'Item number ' || n from n_item;
insert into item_pack (id, item_id, name, units, gtin)
    select uuidv7(), id, 'each', 1, lpad((40000000000000 + n)::text, 14, '0') from n_item;
create temporary table n_bin as select row_number() over () as n, uuidv7() as id from generate_series(1, 10000);
insert into place (id, site_id, parent_id, code, kind, pick_sequence)
    select id, %(site)s, %(zone)s, 'B-' || n, 'bin', n from n_bin;
insert into balance (site_id, place_id, item_id, status, on_hand)
    select %(site)s, b.id, i.id, 'available', 10 + i.n %% 90 from n_item i join n_bin b on b.n in (1 + i.n %% 10000, 1 + (i.n * 7) %% 10000);
insert into movement (site_id, id, item_id, quantity, from_place_id, from_status, to_place_id, to_status, reason, occurred_at,
                      recorded_at, actor, cause_kind, cause_id, correlation_id, posting)
    select %(site)s, uuidv7(), i.id, 1, a.id, 'available', b.id, 'available', 'moved', at, at, 'user:wilma', 'move', uuidv7(), 'c', 'to_post'
    from generate_series(1, 1000000) k join n_item i on i.n = 1 + k %% 50000 join n_bin a on a.n = 1 + k %% 10000
         join n_bin b on b.n = 1 + (k * 3 + 1) %% 10000, lateral (select now() - (1000000 - k) * interval '90 s' as at) t
    order by k;
create temporary table n_group as select row_number() over () as n, uuidv7() as id from generate_series(1, 250000);
insert into posting_group (site_id, id, reference, kind, state, occurred_on, cause_kind, created_at, settled_at, erp_number)
    select %(site)s, id, 'STW-' || n, 'internal', case when n > 249950 then 'parked' else 'posted' end, current_date, 'move', now(),
           case when n > 249950 then null else now() end, n
    from n_group;
insert into posting (site_id, id, seq, item_id, kind, state, group_id, settled_at)
    select m.site_id, m.id, m.seq, m.item_id, 'internal', 'posted', g.id, now() from movement m join n_group g on g.n = 1 + m.seq / 4;
create temporary table n_order as select row_number() over () as n, uuidv7() as id, uuidv7() as line, uuidv7() as carton from generate_series(1, 200000);
insert into sales_order (site_id, id, number, source, external_number, customer_id, state, due_at, received_at, shipped_at)
    select %(site)s, id, 'SO-' || lpad(n::text, 6, '0'), 'api', n, %(customer)s, case when n > 199000 then 'open' else 'shipped' end,
           at + interval '1 d', at, case when n > 199000 then null else at + interval '1 d' end
    from n_order, lateral (select now() - (200000 - n) * interval '8 min' as at) t;
insert into sales_order_line (site_id, id, order_id, position, item_id, quantity, shipped)
    select %(site)s, o.line, o.id, 1, i.id, 2, case when o.n > 199000 then 0 else 2 end from n_order o join n_item i on i.n = 1 + o.n %% 50000;
insert into license_plate (id, site_id, code, kind, place_id) select carton, %(site)s, 'CT-' || n, 'carton', %(zone)s from n_order where n <= 199000;
insert into carton (site_id, id, order_id, position, bench_id, state, tare_g, opened_at, opened_by, closed_at, closed_by)
    select %(site)s, carton, id, 1, %(zone)s, 'shipped', 100, at, 'user:w', at, 'user:w'
    from n_order, lateral (select now() - (200000 - n) * interval '8 min' as at) t where n <= 199000;
insert into pick_task (site_id, id, order_id, line_id, reservation_id, place_id, item_id, quantity, picked, state, created_at, done_at)
    select %(site)s, uuidv7(), o.id, o.line, uuidv7(), b.id, i.id, 2, 2, 'done', at, at
    from n_order o join n_item i on i.n = 1 + o.n %% 50000 join n_bin b on b.n = 1 + o.n %% 10000,
         lateral (select now() - (200000 - o.n) * interval '8 min' as at) t;
insert into pick_mismatch (site_id, id, task_id, at, actor, what, expected, seen)
    select site_id, uuidv7(), id, done_at, 'user:w', 'place', 'A', 'B' from pick_task limit 50000;
create temporary table n_asn as select row_number() over () as n, uuidv7() as id, uuidv7() as receipt from generate_series(1, 40000);
insert into asn (id, site_id, number, supplier_id, state, created_by, created_at)
    select id, %(site)s, 'ASN-' || n, %(supplier)s, case when n > 39950 then 'expected' else 'received' end, 'x',
           now() - (40000 - n) * interval '40 min' from n_asn;
insert into asn_line (site_id, id, asn_id, line_no, item_id, quantity) select %(site)s, uuidv7(), a.id, 1, i.id, 10 from n_asn a join n_item i on i.n = a.n;
insert into receipt (id, site_id, number, asn_id, supplier_id, dock_door_id, origin, state, opened_at, opened_by, last_activity_at, closed_at)
    select receipt, %(site)s, 'REC-' || n, id, %(supplier)s, %(door)s, 'handheld', case when n > 39980 then 'open' else 'closed' end, at, 'x', at,
           case when n > 39980 then null else at end from n_asn, lateral (select now() - (40000 - n) * interval '40 min' as at) t;
insert into receipt_line (site_id, id, receipt_id, line_no, item_id, expected) select %(site)s, uuidv7(), a.receipt, 1, i.id, 10 from n_asn a join n_item i on i.n = a.n;
insert into putaway_task (id, site_id, cause_kind, cause_id, item_id, quantity, from_place_id, state, done_at)
    select uuidv7(), %(site)s, 'receipt', a.receipt, i.id, 10, %(door)s, 'done', now() - (40000 - a.n) * interval '40 min' from n_asn a join n_item i on i.n = a.n, generate_series(1, 5);
insert into tag (id, epc, item_id, serial, commissioned_by, origin)
    select uuidv7(), upper(lpad(to_hex(k), 24, '0')), i.id, k, 'x', 'commissioned' from generate_series(1, 300000) k join n_item i on i.n = 1 + k %% 50000;
insert into unknown_tag (id, site_id, epc, meaning, reason, reads, first_seen_at, last_seen_at, state)
    select uuidv7(), %(site)s, to_hex(n), 'x', 'unregistered', 1, now(), now(), case when n > 49900 then 'open' else 'dismissed' end from generate_series(1, 50000) n;
insert into discrepancy (site_id, id, kind, item_id, place_id, expected, observed, state, resolution, raised_at, raised_by, correlation_id)
    select %(site)s, uuidv7(), 'count', i.id, %(zone)s, 1, 2, case when i.n > 49900 then 'open' else 'resolved' end,
           case when i.n > 49900 then null else 'counted' end, now() - (50000 - i.n) * interval '32 min', 'x', 'c' from n_item i;
insert into alert (id, site_id, kind, subject, message, state, opened_at, closed_at)
    select uuidv7(), %(site)s, 'reader_silent', n, 'A reader is silent', case when n > 99990 then 'open' else 'closed' end, now(),
           case when n > 99990 then null else now() end from generate_series(1, 100000) n;
insert into audit_entry (at, actor, action, table_name, subject) select now(), 'user:ada', 'update', 'item', n from generate_series(1, 300000) n;
insert into webhook_event (site_id, id, type, subject, data, occurred_at, correlation_id)
    select %(site)s, uuidv7(), 'stock.changed', n, '{}', now(), 'c' from generate_series(1, 200000) n;
insert into label (id, site_id, kind, subject_id, title, zpl, state, printed, created_by)
    select uuidv7(), %(site)s, 'sscc', uuidv7(), 'Carton ' || n, '^XA^XZ', 'printed', 1, 'x' from generate_series(1, 200000) n;
insert into handheld_step (site_id, id, actor, kind, label, undo, done_at)
    select %(site)s, uuidv7(), 'user:' || n %% 20, 'pick', 'x', '{}', now() - (200000 - n) * interval '2 min' from generate_series(1, 200000) n;
insert into customer_return (id, site_id, number, customer_id, created_at, created_by) select uuidv7(), %(site)s, 'RET-' || n, %(customer)s, now(), 'x' from generate_series(1, 20000) n;
insert into delivery_job (site_id, id, number, order_id, state, customer_name, address, lat, lon, window_from, window_until, service_s, weight_g, volume_ml, created_at, finished_at)
    select %(site)s, uuidv7(), 'DJ-' || n, id, 'delivered', 'Somebody', 'Street 1', 60.1, 24.9, now() - interval '9 d', now() - interval '9 d', 300, 1, 1, now(), now() from n_order where n <= 100000;
"""


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg", durable=False) as url:
        migrate(url)
        with connect(url, autocommit=True) as conn:
            warehouse = build_warehouse(conn)
            with psycopg.connect(url, autocommit=True) as owner:
                _years(owner, warehouse)
            admin = new_id()
            conn.execute(
                "insert into app_user (id, username, name, password_hash, roles) values (%s, 'ada', 'Ada', '-', array['admin'])",
                [admin],
            )
            token = issue_token(conn, admin, ["admin"], kind="api", name="bench", expires_at=None).secret
            app = create_app(url)
            with (
                served(app) as base,
                httpx.Client(
                    base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60
                ) as client,
            ):
                item = conn.execute("select id from item where sku = 'SKU-77'").fetchone()
                place = conn.execute("select id from place where code = 'B-77'").fetchone()
                assert item is not None
                assert place is not None
                took = {path: _ask(client, path) for path in _lists(app.openapi(), item[0], place[0])}
    slowest = sorted(took, key=lambda path: -took[path])[:5]
    yield figure(
        "list_ms", took[slowest[0]], "ms, the slowest of all lists, first page", must=500, aim=100, lower_is_better=True,
        lists=len(took), median=round(statistics.median(took.values()), 1), slowest={path: round(took[path], 1) for path in slowest},
    )  # fmt: skip


def _years(conn: Conn, w: Warehouse) -> None:
    """By SQL alone: nothing is judged here but how long it takes to find something in it."""
    values = {
        "site": w.site_id,
        "zone": w.places["AMBIENT"],
        "door": w.places["DOCK-1"],
        "customer": w.customer_id,
        "supplier": w.supplier_id,
    }
    conn.execute("set session_replication_role = replica")
    for statement in BUSY_YEARS.split(";\n"):
        if statement.strip():
            conn.execute(statement.encode(), values)
    conn.execute("reset session_replication_role")
    conn.execute("vacuum analyze")


def _lists(document: dict[str, object], item_id: object, place_id: object) -> list[str]:
    paths = document["paths"]
    assert isinstance(paths, dict)
    addresses = []
    for path, operations in paths.items():
        if "get" not in operations or "{" in path or any(part in path for part in ELSEWHERE):
            continue
        needed = [p["name"] for p in operations["get"].get("parameters", []) if p.get("required") and p["in"] == "query"]  # fmt: skip
        values = {"q": "Item number 77", "query": "Item number 77", "code": "SKU-77"}
        if all(name in values for name in needed):
            addresses.append(
                path + ("?" + "&".join(f"{name}={values[name]}" for name in needed) if needed else "")
            )
    return [
        *addresses,
        f"/api/v1/movements?item_id={item_id}",
        f"/api/v1/movements?place_id={place_id}",
        f"/api/v1/balances?item_id={item_id}",
        f"/api/v1/balances?place_id={place_id}",
        f"/api/v1/items/{item_id}",
        f"/api/v1/items/{item_id}/stock",
    ]


def _ask(client: httpx.Client, path: str) -> float:
    """The median of a few, ms; the first, which fills caches, is not among them."""
    took = []
    for _ in range(ASKED + 1):
        began = time.perf_counter()
        answer = client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code < 500, f"{path}: {answer.text}"
    return statistics.median(took[1:])
