"""Kill -9 of agent, broker, ingest or database at any moment loses nothing and doubles nothing.

A seeded world moves tagged pallets through two doors (real LLRP bytes, real radio faults) and a scanner scans, while
fifty kills hit the processes of the way: agent, broker, ingest, database. At the end the ledger is held against
what the world knows to have passed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from backend import ledger, receiving
from backend.db import connect
from backend.devices import agents, registry
from backend.migrate import migrate
from backend.receiving.asn import AsnContent, AsnPlate, AsnTag, NewAsn
from device_drivers.emulator import Antenna, EmulatedReader, Radio, Scene
from device_drivers.gs1 import sgtin96_hex, sscc96_hex, sscc_with_check_digit
from stowage.parts.child import spawn
from stowage.parts.postgres import EmbeddedPostgres
from tests.conftest import Warehouse, build_warehouse
from tests.edge.brokers import RunningBroker, find_mosquitto, wait_for
from tests.edge.test_agent import AgentProcess
from tests.edge.told_device import ToldScannerDevice

ROOT = Path(__file__).parents[2]
PREFIX = "6412345"
CASE_GTIN, CASES, PER_CASE = "16412345000019", 6, 12
DOORS = {"dock-1": 0.0, "dock-2": 6.0}


def antennas(x: float) -> list[Antenna]:
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


@dataclass(frozen=True)
class Pallet:
    door: str
    sscc: str
    tag: str
    cases: list[str]


@dataclass
class World:
    """The truth: what really passed, in order."""

    scene: Scene
    passed: list[Pallet] = field(default_factory=list)

    def pass_through(self, pallet: Pallet) -> None:
        x = DOORS[pallet.door]
        epcs = [pallet.tag, *pallet.cases]
        for n, epc in enumerate(epcs):
            self.scene.place_tag(epc, (x - 0.4 + n % 3 * 0.4, -5.0 - 0.2 * (n // 3)))
        arrival = 0.0
        for n, epc in enumerate(epcs):
            arrival = max(
                arrival, self.scene.move([epc], (x - 0.4 + n % 3 * 0.4, 5.0 - 0.2 * (n // 3)), speed_m_s=3.0)
            )
        self.passed.append(pallet)
        time.sleep(4.0)
        self.scene.remove(*epcs)


def pallets(count: int, chance: random.Random) -> list[Pallet]:
    made = []
    for n in range(count):
        sscc = sscc_with_check_digit(3, PREFIX, n + 1)
        cases = [sgtin96_hex(CASE_GTIN, len(PREFIX), 1000 + n * CASES + c) for c in range(CASES)]
        made.append(Pallet(chance.choice(list(DOORS)), sscc, sscc96_hex(sscc, len(PREFIX)), cases))
    return made


@dataclass
class Way:
    """The processes between the doors and the ledger; each can be killed and comes back."""

    database: EmbeddedPostgres
    broker: RunningBroker
    agent: AgentProcess
    environment: dict[str, str]
    log: Path
    ingest: subprocess.Popen[bytes] | None = None

    def start_ingest(self) -> None:
        command = [sys.executable, "-m", "stowage", "ingest"]
        self.ingest = spawn(command, log=self.log, cwd=ROOT, env=self.environment).process

    def kill(self, victim: str) -> None:
        if victim == "agent":
            self.agent.kill()
            self.agent.start()
        elif victim == "broker":
            self.broker.kill()
            self.broker.start()
        elif victim == "ingest":
            assert self.ingest is not None
            self.ingest.kill()
            self.ingest.wait()
            self.start_ingest()
        else:
            assert self.database.pid is not None
            os.kill(self.database.pid, signal.SIGKILL)
            wait_for(lambda: not self.database.running(), "the database is dead")
            self.database.start()


@pytest.mark.parametrize("seed", [20261122])
@pytest.mark.timeout(600)
def test_fifty_kills_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    run_with_kills(tmp_path, seed, kills=50)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.timeout(1800)
def test_two_hundred_kills_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    run_with_kills(tmp_path, seed, kills=200)


def run_with_kills(folder: Path, seed: int, *, kills: int) -> None:
    chance = random.Random(seed)
    scene = Scene()
    for n in range(8):  # a pallet parked beside door 1: heard all the time, never passing
        scene.place_tag(f"{0xE0000 + n:024X}", (2.6 + 0.1 * n, 2.5))
    radio = Radio(seed)
    readers = {code: EmulatedReader(antennas(x), radio, scene) for code, x in DOORS.items()}
    ports = {code: reader.serve()[1] for code, reader in readers.items()}
    scanner = ToldScannerDevice(pause_s=0.02)
    database = EmbeddedPostgres(folder / "database")
    broker = RunningBroker("mosquitto" if find_mosquitto() else "amqtt", folder)
    devices = portal("dock-1", ports["dock-1"], "dock-2") + portal("dock-2", ports["dock-2"], "dock-1")
    devices += f'[[device]]\ncode = "scanner"\ndriver = "told"\noptions = {{ port = {scanner.port} }}\n'
    world = World(scene)
    stock = pallets(kills * 3, chance)
    way: Way | None = None
    try:
        url = database.start()
        migrate(url)
        warehouse = lay(url, stock)
        broker.start()
        agent = AgentProcess(folder, broker.url, devices, "tests.edge.told_device")
        environment = {
            **os.environ,
            "STOWAGE_DATABASE_URL": url,
            "STOWAGE_MQTT_URL": broker.url,
            "STOWAGE_DATA_DIR": str(folder / "stowage"),
        }
        way = Way(database, broker, agent, environment, folder / "ingest.log")
        way.start_ingest()
        agent.start()
        for reader in readers.values():
            wait_for(lambda reader=reader: reader.is_connected, "the reader is connected")  # type: ignore[misc]

        ended = threading.Event()
        moving = threading.Thread(target=move_pallets, args=(world, stock, ended))
        moving.start()
        died = Counter[str]()
        for _ in range(kills):
            victim = chance.choices(["agent", "ingest", "broker", "database"], [18, 12, 10, 10])[0]
            time.sleep(chance.uniform(0.2, 1.6))
            way.kill(victim)
            died[victim] += 1
        ended.set()
        moving.join()
        print(
            f"seed {seed}: killed {dict(died)}; {len(world.passed)} pallets passed; {len(scanner.safe)} scans told safe"
        )
        assert min(died.values()) >= kills // 15, "every victim died several times"

        expected = {p.sscc for p in world.passed}
        wait_while_it_gets_on(url, lambda: received(url, warehouse) >= expected)
        assert received(url, warehouse) >= expected, what_is_missing(url, warehouse, world)
        scanner.close()
        safe = list(scanner.safe)
        wait_while_it_gets_on(url, lambda: set(safe) <= set(scans(url)))
        compare(url, warehouse, world, safe)
    finally:
        scanner.close()
        if way is not None:
            if way.agent.process is not None and way.agent.process.poll() is None:
                way.agent.stop()
            if way.ingest is not None:
                way.ingest.terminate()
                way.ingest.wait(60)
        broker.kill()
        database.stop()
        for reader in readers.values():
            reader.close()


def wait_while_it_gets_on(url: str, is_done: Callable[[], bool], patience_s: float = 60) -> None:
    """Until `is_done`, or nothing more has been committed for so long: on a busy machine a backlog takes its time."""
    newest, since = -1, time.monotonic()
    while not is_done() and time.monotonic() - since < patience_s:
        with connect(url) as conn:
            row = conn.execute("select count(*) from device_event").fetchone()
        if row is not None and row[0] != newest:
            newest, since = row[0], time.monotonic()
        time.sleep(0.2)


def move_pallets(world: World, stock: list[Pallet], ended: threading.Event) -> None:
    for pallet in stock:
        if ended.is_set():
            return
        world.pass_through(pallet)


def lay(url: str, stock: list[Pallet]) -> Warehouse:
    """The warehouse, a delivery notice for each door, and an agent with its devices."""
    with connect(url) as conn, conn.transaction():
        warehouse = build_warehouse(conn, "hq")
        ctx = warehouse.ctx()
        tea = warehouse.items["TEA-250"]
        for door in DOORS:
            mine = [p for p in stock if p.door == door]
            receiving.expect(conn, ctx, NewAsn(
                f"ASN-{door}", warehouse.supplier_id,
                plates=tuple(AsnPlate(p.sscc, contents=(AsnContent(tea, Decimal(CASES * PER_CASE)),)) for p in mine),
                tags=tuple(AsnTag(epc, p.sscc) for p in mine for epc in p.cases)))  # fmt: skip
        created = agents.create_agent(conn, ctx, "agent-1")
        agents.enrol(conn, created.enrol_code, ctx.now)
        for code, door in (("dock-1", "DOCK-1"), ("dock-2", "DOCK-2")):
            registry.register_device(
                conn, ctx, created.id, code, "llrp_reader", place_id=warehouse.places[door], purpose="inbound"
            )
        registry.register_device(
            conn,
            ctx,
            created.id,
            "scanner",
            "barcode_scanner",
            place_id=warehouse.places["BENCH-1"],
            purpose="none",
        )
    return warehouse


def received(url: str, warehouse: Warehouse) -> set[str]:
    """The pallets that are there whole."""
    with connect(url) as conn:
        rows = conn.execute(
            """select lp.code from balance b join license_plate lp on lp.id = b.license_plate_id
               where b.site_id = %s and b.on_hand = %s""",
            [warehouse.site_id, CASES * PER_CASE],
        ).fetchall()
    return {code for (code,) in rows}


def what_is_missing(url: str, warehouse: Warehouse, world: World) -> str:
    """Of each pallet that is not there whole: what the books have of it, and what the doors said of its tags."""
    lines = []
    there = received(url, warehouse)
    with connect(url) as conn:
        for pallet in (p for p in world.passed if p.sscc not in there):
            held = conn.execute(
                """select lp.code, p.code, b.on_hand from balance b join license_plate lp on lp.id = b.license_plate_id
                   join place p on p.id = b.place_id where lp.code = %s""",
                [pallet.sscc],
            ).fetchall()
            lines.append(f"{pallet.sscc} at {pallet.door}: {held}")
            for epc in (pallet.tag, *pallet.cases):
                told = conn.execute(
                    """select e.seq, e.type, e.occurred_at, e.data ->> 'portal', e.data ->> 'direction', e.data ->> 'passage_id',
                              x.value from device_event e, jsonb_array_elements((e.data -> 'tags') || coalesce(e.data -> 'strays', '[]')) x
                       where e.type = 'tags_passed' and x.value ->> 'epc' = %s order by e.occurred_at""",
                    [epc],
                ).fetchall()
                lines.append(f"  {epc}: {told}")
        for row in conn.execute(
            "select kind, reason from dead_letter union all select kind, evidence::text from discrepancy"
        ).fetchall():
            lines.append(f"  {row}")
    return "\n".join(lines)


def scans(url: str) -> list[str]:
    with connect(url) as conn:
        return [
            text
            for (text,) in conn.execute(
                "select data ->> 'text' from device_event where type = 'barcode_scanned'"
            ).fetchall()
        ]


def compare(url: str, warehouse: Warehouse, world: World, safe: list[str]) -> None:
    """The ledger against the world's truth."""
    with connect(url) as conn:
        assert ledger.verify(conn) == []
        rows = conn.execute(
            """select lp.code, p.code, b.on_hand from balance b join license_plate lp on lp.id = b.license_plate_id
               join place p on p.id = b.place_id where b.on_hand > 0"""
        ).fetchall()
        found = {sscc: (place, int(quantity)) for sscc, place, quantity in rows}
        truth = {p.sscc: (p.door.upper(), CASES * PER_CASE) for p in world.passed}
        assert found == truth
        assert len(rows) == len(found)
        moved = conn.execute("select count(*), sum(quantity) from movement").fetchone()
        assert moved is not None
        assert int(moved[1]) == len(truth) * CASES * PER_CASE, "nothing was received twice and corrected"
        dead = conn.execute("select kind, reason from dead_letter").fetchall()
        assert dead == []
        texts = Counter(
            text
            for (text,) in conn.execute(
                "select data ->> 'text' from device_event where type = 'barcode_scanned'"
            ).fetchall()
        )
        assert max(texts.values()) == 1
        assert set(safe) <= set(texts)
