"""docker-compose: the file parses, names what is there, and its broker script does what the embedded broker does."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from stowage.config import PREFIX, Settings
from stowage.parts.broker import can_log_in, find_mosquitto, password_hash, password_matches
from stowage.parts.ports import free_port

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"


def until(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def composers() -> list[list[str]]:
    """Every compose that this machine has: the plugin (v2) and the program (v1)."""
    found = [["docker-compose"]] if shutil.which("docker-compose") else []
    plugin = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    return [*found, ["docker", "compose"]] if plugin and plugin.returncode == 0 else found


@pytest.fixture(scope="module")
def composition() -> dict[str, Any]:
    if not composers():
        pytest.skip("neither docker-compose nor docker compose is installed")
    texts = []
    for composer in composers():
        done = subprocess.run(
            [*composer, "config"], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    return _yaml(texts[0])


def _yaml(text: str) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped]

    return dict(yaml.safe_load(text))


def test_every_service_of_the_system_is_there_and_has_a_health_check(composition: dict[str, Any]) -> None:
    services = composition["services"]
    once = {"secrets", "migrate"}
    assert {"timescaledb", "mosquitto", "tryton", "api", "ingest", "worker", "edge", "web", "roads"} <= set(
        services
    )
    for name, service in services.items():
        assert ("healthcheck" in service) is (name not in once), name


def test_every_setting_that_a_service_is_given_exists(composition: dict[str, Any]) -> None:
    known = {PREFIX + f.name.upper() for f in fields(Settings)}
    for name, service in composition["services"].items():
        given = {key for key in service.get("environment", {}) if key.startswith(PREFIX)}
        assert given <= known, name
    said = set(re.findall(r"export (STOWAGE_[A-Z_]+)", (DEPLOY / "entrypoint.sh").read_text()))
    assert said <= known


def test_only_the_web_server_is_reachable_from_outside(composition: dict[str, Any]) -> None:
    published = [name for name, service in composition["services"].items() if service.get("ports")]
    assert published == ["web"]
    assert "127.0.0.1" in json.dumps(composition["services"]["web"]["ports"])


def test_no_password_stands_in_the_composition(composition: dict[str, Any]) -> None:
    for service in composition["services"].values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or key.endswith("_FILE"), key
            assert not re.search(r"://[^/]*:[^/]*@", str(value))


def test_what_the_dockerfile_copies_is_in_the_repository() -> None:
    for line in (REPOSITORY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                if source == "README.md" and not (REPOSITORY / source).exists():
                    continue
                assert (REPOSITORY / source).exists(), line


def test_every_room_of_the_house_is_in_the_image() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    rooms = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = {
        line.split()[1]
        for line in (REPOSITORY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
    }
    assert rooms <= copied


def test_the_web_server_s_targets_and_the_composition_s_agree(composition: dict[str, Any]) -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    for service in composition["services"].values():
        if "build" in service:
            assert service["build"]["target"] in stages


def make_secrets(folder: Path) -> None:
    script = [sys.executable, str(DEPLOY / "make_secrets.py"), str(folder)]
    subprocess.run(script, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=True)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    before = {f.name: f.read_text() for f in tmp_path.iterdir() if f.name != "mqtt_passwd"}
    assert len(set(before.values())) == 3
    make_secrets(tmp_path)
    assert {f.name: f.read_text() for f in tmp_path.iterdir() if f.name != "mqtt_passwd"} == before
    hashed = (tmp_path / "mqtt_passwd").read_text().strip().split(":", 1)[1]
    assert password_matches(before["mqtt_password"], hashed)


def test_the_entrypoint_makes_the_urls_of_the_secrets_and_leaves_given_ones(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    command = [
        "sh",
        str(DEPLOY / "entrypoint.sh"),
        "sh",
        "-c",
        'echo "$STOWAGE_DATABASE_URL $STOWAGE_ERP_URL"',
    ]
    environment = {"PATH": os.environ["PATH"], "SECRETS_DIR": str(tmp_path), "STOWAGE_ERP_URL": "none"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert said == [
        f"postgresql://stowage:{(tmp_path / 'db_password').read_text()}@timescaledb:5432/stowage",
        "none",
    ]


def test_the_broker_s_script_takes_over_new_agents_and_stops_cleanly(tmp_path: Path) -> None:
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed")
    port, access, agents = free_port(), tmp_path / "access", tmp_path / "agents"
    agents.mkdir()
    make_secrets(tmp_path / "secrets")
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    text = text.replace("listener 1883", f"listener {port} 127.0.0.1").replace(
        "/mosquitto/access", str(access)
    )
    text = text.replace("/mosquitto/data/", f"{tmp_path}/") + ("user root\n" if os.geteuid() == 0 else "")
    (tmp_path / "mosquitto.conf").write_text(text)
    folders = [str(tmp_path / "mosquitto.conf"), str(tmp_path / "secrets"), str(agents), str(access)]
    process = subprocess.Popen(
        ["sh", str(DEPLOY / "mosquitto" / "start.sh"), *folders],
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        stderr=subprocess.DEVNULL,
    )
    try:
        password = (tmp_path / "secrets" / "mqtt_password").read_text()
        assert until(lambda: can_log_in("127.0.0.1", port, "stowage", password))
        assert not can_log_in("127.0.0.1", port, "north/dock", "new")
        (agents / "agents.passwd").write_text(f"north/dock:{password_hash('new')}\n")
        (agents / "agents.acl").write_text("user north/dock\ntopic write stowage/v1/north/dock/events\n")
        assert until(lambda: can_log_in("127.0.0.1", port, "north/dock", "new"))
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert not can_log_in("127.0.0.1", port, "stowage", password)
