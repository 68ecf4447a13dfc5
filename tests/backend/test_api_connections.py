"""Connections, threads and the database's accidents below the API: nobody waits for ever, none is lost."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from backend import ledger
from backend.app import POOL_SIZE
from backend.db import Conn, connect
from backend.ledger import Move, Spot
from tests.conftest import Api, Warehouse, put_stock

ADJUST = "/api/v1/adjustments"
FOUND = {"item": "TEA-250", "place": "A-01-1", "change": "5", "reason": "found behind the rack"}


def test_many_more_reads_at_once_than_connections_hold_up_nobody(api: Api) -> None:
    """Reads that hold a connection must not wait for threads that are held by reads waiting for a connection."""
    with ThreadPoolExecutor(5 * POOL_SIZE) as people:
        reads = [people.submit(api.get, "/api/v1/items") for _ in range(4 * POOL_SIZE)]
        write = people.submit(api.post, ADJUST, json=FOUND)
        assert Counter(read.result().status_code for read in reads) == {200: len(reads)}
        assert (
            write.result().status_code == 201
        )  # who had waited for as long as the pool is patient would have got 503


def test_a_connection_that_the_database_ends_is_replaced(
    api: Api, conn: Conn, database_url: str, warehouse: Warehouse
) -> None:
    """Ended in the middle of a command, more often than there are connections."""
    with connect(database_url, as_owner=True, autocommit=True) as owner:
        owner.execute(
            """create function hang_up() returns trigger language plpgsql security definer as
               $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
               create trigger hang_up before insert on movement for each row when (new.reason = 'hang up') execute function hang_up()"""
        )
        try:
            for _ in range(POOL_SIZE + 4):
                assert api.post(ADJUST, json=FOUND | {"reason": "hang up"}).status_code == 503
            assert api.post(ADJUST, json=FOUND).status_code == 201
        finally:
            owner.execute("drop function hang_up() cascade")
    assert api.get(f"/api/v1/items/{warehouse.items['TEA-250']}/stock").json()["on_hand"] == "5"


def test_an_upload_that_met_a_deadlock_is_read_anew(api: Api, database_url: str) -> None:
    with connect(database_url, as_owner=True, autocommit=True) as owner:
        owner.execute(
            """create sequence tries; grant usage on sequence tries to public;
               create function deadlock_once() returns trigger language plpgsql as
               $$ begin if nextval('tries') = 1 then raise 'deadlock detected' using errcode = '40P01'; end if; return new; end $$;
               create trigger deadlock_once before insert on partner for each row execute function deadlock_once()"""
        )
        try:
            csv = b"code,name,is_customer\nP-1,Peter,yes\n"
            answer: Any = api.post(
                "/api/v1/imports", data={"kind": "partners"}, files={"file": ("p.csv", csv, "text/csv")}
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["created"] == 1
            assert owner.execute("select last_value from tries").fetchone() == (2,)
        finally:
            owner.execute("drop function deadlock_once() cascade; drop sequence tries")


def test_a_moment_with_the_farthest_offset_is_kept_as_the_moment_it_is(
    conn: Conn, warehouse: Warehouse
) -> None:
    at = datetime(2026, 11, 22, 12, 0, tzinfo=timezone(-timedelta(hours=23, minutes=59)))
    put_stock(conn, warehouse, "TEA-250", "A-01-1", "3")
    here, there = Spot(warehouse.places["A-01-1"]), Spot(warehouse.places["A-01-2"])
    move = Move(warehouse.items["TEA-250"], Decimal(1), here, there, "moved", "transfer", occurred_at=at)
    posted = ledger.post(conn, warehouse.ctx(), [move])
    row = conn.execute("select occurred_at from movement where id = %s", [posted[0].movement_id]).fetchone()
    assert row == (at,)
