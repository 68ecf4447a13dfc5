"""The demo lays its warehouse into an empty database, once, and keeps its hands off everybody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.auth.administrator import make_administrator
from backend.db import Conn
from edge.config import load
from stowage import config
from stowage.config import Settings
from stowage.demo import seed
from stowage.demo.seed import ACCOUNTS, NotOurWarehouse, prepare
from stowage.demo.shops import VANS
from tests.conftest import build_warehouse


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return replace(config.load({}, tmp_path), database_url=database_url, mqtt_url="mqtt://127.0.0.1:1", data_dir=tmp_path / "a")  # fmt: skip


def users(conn: Conn) -> set[str]:
    return {row[0] for row in conn.execute("select username from app_user").fetchall()}


def test_the_warehouse_is_laid_once_and_the_next_start_finds_it(settings: Settings, conn: Conn) -> None:
    prepare(settings)
    first = conn.execute("select count(*) from place").fetchone()
    prepare(settings)
    assert conn.execute("select count(*) from place").fetchone() == first
    assert users(conn) >= {a.username for a in ACCOUNTS}


def test_a_warehouse_of_an_older_demo_gets_what_is_new_and_keeps_the_rest(
    settings: Settings, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(seed, "ACCOUNTS", tuple(a for a in ACCOUNTS if a.roles != ("driver",)))
        before.setattr(seed, "AGENTS", tuple(a for a in seed.AGENTS if a.code != "vans"))
        before.setattr(seed, "_fleet", lambda *_: None)
        prepare(settings)
    assert "dieter" not in users(conn)
    old = seed.read_world(settings)
    prepare(settings)
    assert users(conn) >= {a.username for a in ACCOUNTS}
    rows = conn.execute(
        "select p.code, v.gps_agent, v.gps_device, d.place_id = p.id from delivery_vehicle v join place p on p.id = v.id"
        " join device d on d.code = v.gps_device order by 1"
    ).fetchall()
    assert rows == [(v.code, "vans", v.gps, True) for v in VANS]
    new = seed.read_world(settings)
    assert {k: v for k, v in new.agent_secrets.items() if k != "vans"} == old.agent_secrets
    agent = load(settings.data_dir / "edge" / "vans.toml")
    assert [(d.code, d.driver) for d in agent.devices] == [(v.gps, "nmea_gps") for v in VANS]


def test_vans_of_an_older_demo_learn_to_cool_unless_somebody_has_changed_them(
    settings: Settings, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(seed, "VANS", tuple(replace(v, skills=()) for v in VANS))
        prepare(settings)
    conn.execute(
        "update delivery_vehicle set version = version + 1 where id = (select id from place where code = 'VAN-2')"
    )
    prepare(settings)
    rows = conn.execute(
        "select p.code, v.skills from delivery_vehicle v join place p on p.id = v.id order by 1"
    ).fetchall()
    assert rows == [("VAN-1", ["chilled"]), ("VAN-2", []), ("VAN-3", [])]
    assert any(not v.skills for v in VANS)  # so that the rule is seen


def test_a_warehouse_laid_from_another_data_folder_is_said_in_words(
    settings: Settings, conn: Conn, tmp_path: Path
) -> None:
    prepare(settings)
    with pytest.raises(NotOurWarehouse, match=r"STOWAGE_DATA_DIR.*run --empty"):
        prepare(replace(settings, data_dir=tmp_path / "b"))


def test_accounts_with_known_passwords_never_come_into_a_system_in_use(
    settings: Settings, conn: Conn
) -> None:
    build_warehouse(conn, "OWN1")
    with pytest.raises(NotOurWarehouse, match="in use"):
        prepare(settings)
    assert users(conn) == set()
    assert conn.execute("select array_agg(code) from site").fetchone() == (["OWN1"],)


def test_a_system_that_was_begun_empty_stays_without_the_demo(settings: Settings, conn: Conn) -> None:
    with conn.transaction():
        make_administrator(conn, "admin")
    with pytest.raises(NotOurWarehouse, match="run --empty"):
        prepare(settings)
    assert users(conn) == {"admin"}
