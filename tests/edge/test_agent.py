"""The whole agent as a process of its own, on emulated devices and real brokers, killed again and again."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from device_drivers.emulator import Antenna, EmulatedReader, EmulatedScale, EmulatedScanner, Radio, Scene
from edge import messages
from edge.messages import (
    BarcodeScanned,
    Command,
    DeviceStateChanged,
    EventData,
    FrameRejected,
    TagsPassed,
    TagsSeen,
    Weighed,
)
from stowage.parts.child import spawn
from tests.edge.brokers import RunningBroker, find_mosquitto, wait_for
from tests.edge.consumer import Consumer
from tests.edge.told_device import ToldScannerDevice

ROOT = Path(__file__).parents[2]


class AgentProcess:
    """`python -m ...` with a configuration; start, kill -9, start again."""

    def __init__(self, folder: Path, broker_url: str, devices: str, module: str = "edge") -> None:
        self.config = folder / "agent.toml"
        self.config.write_text(
            f'[agent]\nsite = "hq"\ncode = "agent-1"\ndata_dir = "data"\n[broker]\nurl = "{broker_url}"\n{devices}'
        )
        self._module = module
        self._log = folder / "agent.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", self._module, str(self.config)]
        self.process = spawn(command, log=self._log, cwd=ROOT).process

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    broker = RunningBroker("mosquitto" if find_mosquitto() else "amqtt", tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def consumer(mosquitto: RunningBroker) -> Iterator[Consumer]:
    consumer = Consumer(mosquitto.port)
    consumer.start()
    yield consumer
    consumer.stop()


@pytest.fixture
def make_agent(tmp_path: Path, mosquitto: RunningBroker) -> Iterator[Callable[..., AgentProcess]]:
    agents: list[AgentProcess] = []

    def make(devices: str, module: str = "edge") -> AgentProcess:
        agents.append(AgentProcess(tmp_path, mosquitto.url, devices, module))
        return agents[-1]

    yield make
    for agent in agents:
        if agent.process is not None and agent.process.poll() is None:
            agent.kill()


def said(consumer: Consumer, device: str | None = None) -> list[EventData]:
    return [messages.decode_data(e) for e in consumer.events() if device in (None, e.device)]


def test_killed_twenty_times_it_loses_nothing_that_was_told_safe_and_doubles_nothing(
    consumer: Consumer, make_agent: Callable[..., AgentProcess], mosquitto: RunningBroker
) -> None:
    rng = random.Random(11)
    device = ToldScannerDevice()
    devices = f'[[device]]\ncode = "scanner"\ndriver = "told"\noptions = {{ port = {device.port} }}\n'
    agent = make_agent(devices, "tests.edge.told_device")
    for n in range(20):
        agent.start()
        before = len(device.safe)
        wait_for(lambda before=before: len(device.safe) > before + 2, "the scanner goes on")  # type: ignore[misc]
        time.sleep(rng.uniform(0, 0.15))
        if n % 6 == 3:
            mosquitto.kill()
        agent.kill()
        if n % 6 == 3:
            mosquitto.start()
    agent.start()
    before = len(device.safe)
    wait_for(lambda: len(device.safe) > before + 1, "the scanner goes on")
    device.close()
    safe = list(device.safe)

    def codes() -> Counter[str]:
        return Counter(d.text for d in said(consumer) if isinstance(d, BarcodeScanned))

    wait_for(lambda: set(safe) <= set(codes()), "everything that was told safe has arrived", 120)
    assert agent.stop() == 0
    assert len(safe) > 60
    found = codes()
    assert max(found.values()) == 1
    extra = set(found) - set(device.safe)  # it went on until the agent stopped
    assert len(extra) <= 21  # stored just before a kill, and not told: the worker scans again, as attempt + 1


def door(x: float) -> list[Antenna]:
    return [
        Antenna(1, (x - 1.5, -0.8), facing=(x, -1.6)),
        Antenna(2, (x + 1.5, -0.8), facing=(x, -1.6)),
        Antenna(3, (x - 1.5, 0.8), facing=(x, 1.6)),
        Antenna(4, (x + 1.5, 0.8), facing=(x, 1.6)),
    ]


def portal(code: str, port: int, neighbour: str) -> str:
    return f"""
[[device]]
code = "{code}"
driver = "llrp"
purpose = "portal"
options = {{ host = "127.0.0.1", port = {port} }}
portal = {{ outer = [1, 2], inner = [3, 4], neighbours = ["{neighbour}"] }}
"""


def test_pallets_pass_two_doors_once_each_while_the_agent_is_killed_in_the_middle(
    consumer: Consumer, make_agent: Callable[..., AgentProcess]
) -> None:
    rng = random.Random(4)
    scene = Scene()
    radio = Radio(4)
    readers = {
        "dock-1": EmulatedReader(door(0.0), radio, scene),
        "dock-2": EmulatedReader(door(6.0), radio, scene),
    }
    ports = {name: reader.serve()[1] for name, reader in readers.items()}
    for n in range(10):  # a parked pallet
        scene.place_tag(f"{0xE0000 + n:024X}", (2.6 + 0.1 * n, 2.5))
    agent = make_agent(
        portal("dock-1", ports["dock-1"], "dock-2") + portal("dock-2", ports["dock-2"], "dock-1")
    )
    agent.start()
    truth: dict[str, tuple[str, str]] = {}
    try:
        for reader in readers.values():
            wait_for(lambda reader=reader: reader.is_connected, "the reader is connected")  # type: ignore[misc]
        for pallet in range(10):
            name, x = rng.choice([("dock-1", 0.0), ("dock-2", 6.0)])
            sign = rng.choice((1, -1))
            epcs = [f"{pallet * 256 + n + 1:024X}" for n in range(12)]
            for n, epc in enumerate(epcs):
                scene.place_tag(epc, (x - 0.4 + n % 3 * 0.4, -5.0 * sign - 0.2 * (n // 3)))
                truth[epc] = (name, "in" if sign > 0 else "out")
            for n, epc in enumerate(epcs):
                scene.move([epc], (x - 0.4 + n % 3 * 0.4, 5.0 * sign - 0.2 * (n // 3)), speed_m_s=3.0)
            if pallet % 5 != 4:
                time.sleep(rng.uniform(0.3, 3.0))  # anywhere in the passage: 10 m at 3 m/s
                agent.kill()
                time.sleep(rng.uniform(0, 0.4))
                agent.start()
            wait_for(lambda epcs=epcs: set(epcs) <= passed(consumer).keys(), f"pallet {pallet} is told")  # type: ignore[misc]
            scene.remove(*epcs)
    finally:
        assert agent.process is not None
        if agent.process.poll() is None:
            assert agent.stop() == 0
        for reader in readers.values():
            reader.close()
    found = passed(consumer)
    assert {epc: places[0] for epc, places in found.items()} == truth
    assert all(len(places) == 1 for places in found.values())


def passed(consumer: Consumer) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for data in said(consumer):
        if isinstance(data, TagsPassed):
            for tag in data.tags:
                found.setdefault(tag.epc, []).append((data.portal, data.direction))
    return found


def test_scanner_scale_and_reader_work_beside_each_other_and_a_dead_one_harms_no_other(
    consumer: Consumer, make_agent: Callable[..., AgentProcess]
) -> None:
    scene = Scene()
    scene.place_tag("E2801160600002044BD2FA01", (0.0, 1.0))
    reader = EmulatedReader([Antenna(1, (0.0, 0.0))], Radio(1), scene)
    _, port = reader.serve()
    scanner, scale = EmulatedScanner(), EmulatedScale()
    scanner.plug_in()
    scale.plug_in()
    agent = make_agent(
        f"""
[[device]]
code = "table"
driver = "llrp"
options = {{ host = "127.0.0.1", port = {port} }}
[[device]]
code = "scanner"
driver = "serial_barcode"
options = {{ port = "{scanner.path}" }}
[[device]]
code = "scale"
driver = "mt_sics"
options = {{ port = "{scale.path}" }}
[[device]]
code = "nobody"
driver = "llrp"
options = {{ host = "127.0.0.1", port = 1 }}
"""
    )
    agent.start()

    def states() -> dict[str, str]:
        return {d.device: d.state for d in consumer.statuses[-1].devices} if consumer.statuses else {}

    try:
        wait_for(
            lambda: (
                states() == {"table": "online", "scanner": "online", "scale": "online", "nobody": "offline"}
            ),
            "the status shows who is there",
        )
        detail = {d.device: d.detail for d in consumer.statuses[-1].devices}
        assert detail["nobody"]
        scanner.scan("(01)09501101530003")
        scale.put(Decimal(1250))
        wait_for(
            lambda: any(isinstance(d, BarcodeScanned) for d in said(consumer, "scanner")), "the scan arrives"
        )

        def weights() -> list[Decimal]:
            return [d.weight_g for d in said(consumer, "scale") if isinstance(d, Weighed)]

        wait_for(lambda: Decimal(1250) in weights(), "the weight arrives")
        wait_for(
            lambda: any(isinstance(d, TagsSeen) for d in said(consumer, "table")), "the sighting arrives"
        )
        assert weights().count(Decimal(1250)) == 1  # told once while it stands there

        reader.unplug()  # one dies ...
        wait_for(lambda: states().get("table") == "offline", "it is shown")
        scanner.scan("still here")  # ... the others go on
        wait_for(
            lambda: len([d for d in said(consumer, "scanner") if isinstance(d, BarcodeScanned)]) == 2, "scan"
        )
        reader.plug_in()
        wait_for(lambda: states().get("table") == "online", "and it comes back by itself")

        def changes(device: str) -> list[str]:
            return [d.state for d in said(consumer, device) if isinstance(d, DeviceStateChanged)]

        # the status can overtake the event that tells the same
        wait_for(lambda: changes("table") == ["online", "offline", "online"], "each change is told once")
        assert changes("nobody") == ["offline"]

        before = len(consumer.statuses)
        expires = datetime.now(UTC) + timedelta(seconds=30)
        consumer.send(Command(v=1, id="1", device="table", command="restart_device", expires_at=expires))
        wait_for(lambda: "device_restarted" in agent.log(), "the device is restarted")
        consumer.send(Command(v=1, id="2", command="report_status", expires_at=expires))
        wait_for(lambda: len(consumer.statuses) > before, "the status comes")
    finally:
        assert agent.stop() == 0
        reader.close()
        scanner.close()
        scale.close()
    wait_for(lambda: consumer.statuses[-1].state == "offline", "a clean stop says offline")


def test_rejected_frames_are_counted_all_and_sent_some(
    consumer: Consumer, make_agent: Callable[..., AgentProcess]
) -> None:
    scanner = EmulatedScanner()
    scanner.plug_in()
    agent = make_agent(
        f'[[device]]\ncode = "scanner"\ndriver = "serial_barcode"\noptions = {{ port = "{scanner.path}" }}\n'
    )
    agent.start()
    try:
        wait_for(
            lambda: bool(consumer.statuses and consumer.statuses[-1].devices[0].state == "online"), "online"
        )
        for _ in range(100):
            scanner.scan_noise()
        wait_for(lambda: consumer.statuses[-1].devices[0].rejected_frames == 100, "they are counted")

        def rejected() -> list[FrameRejected]:
            return [d for d in said(consumer) if isinstance(d, FrameRejected)]

        wait_for(rejected, "some arrive")  # they are counted before they are stored
        wait_for(lambda: consumer.statuses[-1].spool_depth == 0, "all that was stored has arrived")
        sent = rejected()
        assert 1 <= len(sent) <= 30
        assert all(re.fullmatch(r"([0-9a-f]{2})+", d.frame_hex) for d in sent)
    finally:
        assert agent.stop() == 0
        scanner.close()


def test_a_bad_configuration_ends_the_program_with_all_problems_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('[agent]\nsiet = "hq"\n')
    done = subprocess.run(
        [sys.executable, "-m", "edge", str(tmp_path / "agent.toml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "agent.toml:2: unknown key 'siet'; did you mean 'site'?" in done.stderr
    assert "data_dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_agent_with_two_busy_readers_stays_below_its_memory_limit(
    consumer: Consumer, make_agent: Callable[..., AgentProcess]
) -> None:
    scene, radio = Scene(), Radio(2)
    for n in range(150):
        scene.place_tag(f"{n + 1:024X}", (n % 15 * 0.2 - 1.5, n // 15 * 0.2))
    readers = [EmulatedReader(door(x), radio, scene) for x in (0.0, 6.0)]
    ports = [reader.serve()[1] for reader in readers]
    agent = make_agent(portal("dock-1", ports[0], "dock-2") + portal("dock-2", ports[1], "dock-1"))
    agent.start()
    try:
        wait_for(lambda: sum(r.reads_made for r in readers) > 5000, "the readers read")
        assert agent.process is not None
        pid = agent.process.pid
        status = Path(f"/proc/{pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        rss_mb = int(found[1]) / 1024
        print(
            json.dumps(
                {"figure": "memory_edge_mb", "value": round(rss_mb, 1), "unit": "MB", "must": 150, "aim": 80}
            )
        )
        assert rss_mb < 150
        assert os.path.exists(f"/proc/{pid}")
    finally:
        assert agent.stop() == 0
        for reader in readers:
            reader.close()
