"""Configuration: the sample is complete, and every mistake is told with its line, all at once."""

from __future__ import annotations

import os
import re
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from edge import config
from edge.cleaning.portal import PortalSettings
from edge.cleaning.presence import PresenceSettings
from edge.cleaning.track import TrackSettings
from edge.cleaning.zones import ZoneSettings
from edge.config import BadConfig, load
from edge.enrol import Enrolment, EnrolmentFailed, enrol, read_enrolment, write_enrolment

SAMPLE = Path(config.__file__).with_name("sample.toml")

GOOD = """
[agent]
site = "hq"
code = "agent-1"
data_dir = "data"
[broker]
url = "mqtt://someone:se%20cret@broker.example:1884"
[[device]]
code = "dock-1"
driver = "llrp"
purpose = "portal"
[device.options]
host = "192.0.2.1"
[device.portal]
inner = [1, 2]
outer = [3, 4]
"""


def problems(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "agent.toml").write_text(text)
    with pytest.raises(BadConfig) as caught:
        load(tmp_path / "agent.toml")
    return [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]


def test_the_sample_is_a_working_configuration_and_names_every_setting() -> None:
    loaded = load(SAMPLE)
    assert [d.code for d in loaded.devices] == ["dock-1", "bench-1-scanner", "bench-1-scale", "van-1-gps"]
    words = set(re.findall(r"[a-z_]+", SAMPLE.read_text()))
    for section in (
        config.AgentSection,
        config.BrokerSection,
        config.SpoolSection,
        config.DeviceSection,
        config.PortalSection,
        PortalSettings,
        ZoneSettings,
        PresenceSettings,
        TrackSettings,
    ):
        assert {f.name for f in msgspec.structs.fields(section)} <= words


def test_a_good_file_gives_everything(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(GOOD)
    loaded = load(tmp_path / "agent.toml")
    assert (loaded.site, loaded.code, loaded.data_dir) == ("hq", "agent-1", tmp_path / "data")
    broker = loaded.broker
    assert (broker.host, broker.port, broker.username, broker.password) == (
        "broker.example",
        1884,
        "someone",
        "se cret",
    )
    assert loaded.devices[0].portal is not None
    assert loaded.devices[0].portal.inner == {1, 2}


def test_all_problems_are_listed_with_their_lines(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """[agent]
site = "hq"
code = "not a code"
data_dir = "data"
data_dri = "typo"

[spool]
max_mb = "much"

[[device]]
code = "dock-1"
driver = "llrp"
purpose = "portal"
[device.options]
hots = "192.0.2.1"

[[device]]
code = "dock-1"
driver = "nonsense"
purpose = "window"
""",
    )
    assert len(found) >= 4
    text = "\n".join(found)
    assert "agent.toml:3: code:" in text
    assert "agent.toml:5: unknown key 'data_dri'; did you mean 'data_dir'?" in text
    assert "agent.toml:8: max_mb: Expected `int`" in text
    assert "agent.toml:20: purpose: Invalid enum value 'window'" in text


def test_what_only_makes_sense_together_is_checked_too(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        GOOD.replace("host =", "hots =").replace("outer = [3, 4]", 'outer = [2, 4]\nneighbours = ["dock-9"]')
        + '[[device]]\ncode = "dock-1"\ndriver = "nonsense"\npurpose = "portal"\n',
    )
    text = "\n".join(found)
    assert re.search(r"agent.toml:13: unknown key 'hots'", text)
    assert re.search(r"agent.toml:12: key 'host' is missing", text)
    assert re.search(r"agent.toml:16: antenna 2 cannot be inner and outer", text)
    assert re.search(r"agent.toml:17: 'dock-9' is no other portal", text)
    assert re.search(r"agent.toml:19: two devices are called 'dock-1'", text)
    assert re.search(r"agent.toml:20: no driver 'nonsense'; there are: llrp", text)
    assert re.search(r"agent.toml:18: 'dock-1' is a portal: add \[device.portal\]", text)


def test_a_missing_broken_or_unreadable_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"sample\.toml"):
        load(tmp_path / "nowhere.toml")
    assert "line 1" in problems(tmp_path, "= nonsense")[0]
    assert "mqtt://host:1883" in problems(tmp_path, GOOD.replace("mqtt://someone", "http://someone"))[0]
    missing = problems(tmp_path, '[agent]\ndata_dir = "data"\n')
    assert len(missing) == 3
    assert all("enrol this agent" in m for m in missing)


def test_secrets_come_from_a_file_or_from_the_enrolment(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from file\n")
    text = GOOD.replace("mqtt://someone:se%20cret@broker.example:1884", "mqtt://broker.example")
    (tmp_path / "agent.toml").write_text(
        text.replace("[[device]]", 'username = "me"\npassword_file = "secret"\n[[device]]')
    )
    assert load(tmp_path / "agent.toml").broker.password == "from file"
    write_enrolment(tmp_path / "data", Enrolment("hq", "dock-agent", "s3cret", "mqtts://broker.example"))
    (tmp_path / "agent.toml").write_text('[agent]\ndata_dir = "data"\n')
    loaded = load(tmp_path / "agent.toml")
    assert (loaded.site, loaded.code) == ("hq", "dock-agent")
    assert (loaded.broker.username, loaded.broker.password) == ("dock-agent", "s3cret")
    assert (loaded.broker.port, loaded.broker.tls) == (8883, True)


class Backend(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/agents/enrol" and body == {"code": "good-code"}:
            self.send_response(200)
            answer = {
                "site": "hq",
                "agent": "dock-agent",
                "secret": "s3cret",
                "mqtt_url": "mqtt://b:1883",
                "more": 1,
            }
        else:
            self.send_response(422)
            answer = {
                "type": "x",
                "title": "Unknown code",
                "detail": "This code was used already. Make a new one.",
            }
        self.end_headers()
        self.wfile.write(msgspec.json.encode(answer))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_enrolment_keeps_the_secret_for_its_owner_only_and_repeats_the_backends_words(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api = f"http://127.0.0.1:{server.server_port}"
    try:
        enrol(api, "good-code", tmp_path / "data")
        kept = read_enrolment(tmp_path / "data")
        assert kept == Enrolment("hq", "dock-agent", "s3cret", "mqtt://b:1883")
        assert stat.S_IMODE(os.stat(tmp_path / "data" / "enrolment.json").st_mode) == 0o600
        with pytest.raises(EnrolmentFailed, match="This code was used already"):
            enrol(api, "used-code", tmp_path / "data")
        assert read_enrolment(tmp_path / "data") == kept
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(EnrolmentFailed, match="Check the address"):
        enrol(api, "good-code", tmp_path / "data")
