"""The command line: answers for people in sentences, answers for programs in JSON."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import psycopg
import pytest

from backend.catalog.sites import create_site
from backend.db import connect
from backend.migrate import migrate
from stowage.config import Settings, markdown_table
from stowage.doctor import Finding, examine
from stowage.parts.broker import EmbeddedBroker
from stowage.parts.ports import free_port
from stowage.parts.postgres import EmbeddedPostgres

REPOSITORY = Path(__file__).parents[2]


def stowage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_")}
    return subprocess.run(
        [sys.executable, "-m", "stowage", *arguments],
        cwd=REPOSITORY,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def finding(settings: Settings, name: str) -> Finding:
    return next(f for f in examine(settings) if f.name == name)


def test_help_names_every_command() -> None:
    said = stowage("--help").stdout
    for command in (
        "run", "api", "ingest", "worker", "edge", "migrate", "verify", "doctor", "backup", "restore", "import",
        "settings", "schema",
    ):  # fmt: skip
        assert f" {command} " in said, command


def test_schema_is_a_json_schema_of_the_wire_contract() -> None:
    document = json.loads(stowage("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(document)
    assert "EventBatch" in document["$defs"]


def test_settings_prints_the_table_of_the_readme() -> None:
    assert stowage("settings").stdout.strip() == markdown_table()


@pytest.mark.parametrize("program", ["api", "ingest", "worker"])
def test_a_program_without_its_database_says_what_to_set(program: str, tmp_path: Path) -> None:
    done = stowage(program, STOWAGE_DATA_DIR=str(tmp_path))
    if "No module named" in done.stderr:
        pytest.skip(f"{program} is not there yet")
    assert done.returncode == 2
    assert "set STOWAGE_" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_verify_backup_and_restore_work_on_the_embedded_database_when_nothing_runs(
    tmp_path: Path,
) -> None:
    here = {"STOWAGE_DATA_DIR": str(tmp_path / "data")}
    there = {"STOWAGE_DATA_DIR": str(tmp_path / "other")}
    assert "migrations applied" in stowage("migrate", **here).stdout
    assert "up to date" in stowage("migrate", **here).stdout
    done = stowage("verify", **here)
    assert "every balance equals the sum of its movements" in done.stdout, done.stderr
    assert stowage("admin", "ada", **here).stdout.startswith("ada / ")
    assert stowage("admin", "Not a name", **here).returncode == 2
    done = stowage("backup", str(tmp_path / "b.stowage"), **here)
    assert done.returncode == 0, done.stderr
    done = stowage("restore", str(tmp_path / "b.stowage"), **there)
    assert "restored" in done.stdout, done.stderr
    done = stowage("restore", str(tmp_path / "b.stowage"), **there)
    assert done.returncode == 1
    assert done.stderr.startswith("stowage: the database is not empty")


def test_import_takes_all_of_a_file_or_says_every_error_with_its_row(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "db", durable=False) as url:
        migrate(url)
        here = {"STOWAGE_DATABASE_URL": url}
        good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
        good.write_text("sku,name,base_unit\nA-1,Bolt,each\nA-2,Nut,each\n")
        bad.write_text("sku,name,base_unit,gtin\nB-1,Washer,each,4006381333930\nB-2,,each,\n")
        assert "there is no site yet" in stowage("import", "items", str(good), **here).stderr
        with connect(url) as connection:
            create_site(connection, code="HEL1", name="Helsinki", time_zone="Europe/Helsinki")
        assert (
            "nothing was imported, as you asked"
            in stowage("import", "items", str(good), "--dry-run", **here).stdout
        )
        assert stowage("import", "items", str(good), **here).stdout == "imported 2 rows: 2 new, 0 changed\n"
        done = stowage("import", "items", str(bad), **here)
        assert done.returncode == 1
        assert f"{bad}:2: gtin: " in done.stdout
        assert f"{bad}:3: name: " in done.stdout
        assert "2 errors in 2 rows; nothing was imported" in done.stderr
        assert "There is no import of 'things'" in stowage("import", "things", str(good), **here).stderr
        with connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM item").fetchone() == (2,)


def test_verify_on_an_unreachable_database_is_a_sentence() -> None:
    done = stowage("verify", STOWAGE_DATABASE_URL="postgresql://me:secret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "the database does not answer" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_edge_without_a_configuration_says_where_the_sample_is(tmp_path: Path) -> None:
    done = stowage("edge", "--config", str(tmp_path / "none.toml"))
    if "No module named" in done.stderr:
        pytest.skip("the agent is not there yet")
    assert done.returncode == 2
    assert "edge/sample.toml" in done.stderr


def test_the_doctor_finds_a_fresh_machine_well(tmp_path: Path) -> None:
    done = stowage("doctor", STOWAGE_DATA_DIR=str(tmp_path / "data"), STOWAGE_HTTP_PORT=str(free_port()))
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout
    assert not (tmp_path / "data").exists()


def test_the_doctor_looks_into_the_database(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "db", durable=False) as url:
        settings = Settings(data_dir=tmp_path, database_url=url)
        assert finding(settings, "schema").mark == "FAIL"
        assert "stowage migrate" in finding(settings, "schema").text
        assert finding(settings, "role").mark == "FAIL"
        migrate(url)
        for name in ("database", "clock", "schema", "role", "telemetry"):
            assert finding(settings, name).mark == "ok  ", name
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ('9999_x', '')")
        assert "newer Stowage" in finding(settings, "schema").text


def test_the_doctor_says_which_part_does_not_answer(tmp_path: Path) -> None:
    nobody = free_port()
    settings = Settings(
        data_dir=tmp_path,
        database_url=f"postgresql://me:secret@127.0.0.1:{nobody}/x",
        mqtt_url=f"mqtt://me:secret@127.0.0.1:{nobody}",
        erp_url=f"tryton+http://me:secret@127.0.0.1:{nobody}/x",
        web_root=tmp_path,
    )
    for name in ("database", "broker", "erp", "screens"):
        assert finding(settings, name).mark == "FAIL", name
        assert "secret" not in finding(settings, name).text


def test_the_doctor_tells_a_wrong_password_of_the_broker_from_a_right_one(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker", tmp_path / "access") as url:
        assert finding(Settings(data_dir=tmp_path, mqtt_url=url), "broker").mark == "ok  "
        wrong = "mqtt://stowage:wrong@" + url.split("@")[1]
        assert (
            "refuses the account stowage"
            in finding(Settings(data_dir=tmp_path, mqtt_url=wrong), "broker").text
        )


def test_the_doctor_names_who_uses_the_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data_dir=tmp_path, http_port=taken.getsockname()[1])
        assert f"(process {os.getpid()})" in finding(settings, "http").text
