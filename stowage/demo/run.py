"""The demo's world: it drives the emulated devices, and its people, suppliers and customers live in it until told to stop.

Each actor is a thread that does one step after another. The API or the ERP going away only makes them wait; what the
world remembers over its own restart is physical (`truth`), everything else it asks for again. To add an actor: one line
in `_actors`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import structlog

from stowage.config import NO_ERP, Settings
from stowage.demo.api import Account, Refused
from stowage.demo.bench import Bench
from stowage.demo.cold_room import ColdRoom
from stowage.demo.crm import Crm
from stowage.demo.customers import CrmCustomers, PhoneCustomers
from stowage.demo.devices import Devices, one_mishap
from stowage.demo.dispatcher import Dispatcher
from stowage.demo.doors import Doors
from stowage.demo.drivers import Driver
from stowage.demo.lead import Lead
from stowage.demo.pace import Pace, Stopped
from stowage.demo.seed import ACCOUNTS, read_world
from stowage.demo.shops import VANS
from stowage.demo.suppliers import INBOUND, Suppliers, Trucks, unload_at
from stowage.demo.truth import Truth
from stowage.demo.workers import Hall, Worker

log = structlog.get_logger(__name__)

Step = Callable[[], None]


def run(settings: Settings, stop: threading.Event) -> None:
    """Returns when `stop` is set."""
    world = read_world(settings)
    home = settings.data_dir / "demo"
    with ExitStack() as stack:
        truth = Truth(home / "truth.jsonl")
        stack.callback(truth.close)
        devices = stack.enter_context(Devices(settings, world))
        crm = stack.enter_context(Crm(world.webhook_port, world.webhook_secret, home / "crm.jsonl"))
        log.info("demo_crm", address=f"http://127.0.0.1:{world.webhook_port}/")
        pace = Pace(settings.demo_speed, stop)
        seed = f"{world.seed}/{len(truth.facts)}"  # after a restart the world goes on, it does not begin anew
        threads = [
            threading.Thread(target=_live, args=[name, step, pace], name=name, daemon=True)
            for name, step in _actors(settings, devices, crm, truth, pace, seed)
        ]
        for thread in threads:
            thread.start()
        stop.wait()
        deadline = time.monotonic() + 5
        for thread in threads:
            thread.join(timeout=max(0.0, deadline - time.monotonic()))


def _actors(
    settings: Settings, devices: Devices, crm: Crm, truth: Truth, pace: Pace, seed: str
) -> Iterator[tuple[str, Step]]:
    def chance(name: str) -> random.Random:
        return random.Random(f"{seed}/{name}")

    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"
    passwords = {a.username: a.password for a in ACCOUNTS}

    def account(username: str) -> Account:
        return Account(address, username, passwords[username], pace)

    doors = Doors(devices, pace, chance("doors"))
    bench = Bench(devices, truth, pace, chance("bench"))
    cold = ColdRoom(devices, pace, truth, chance("cold room"))
    hall, trucks = Hall(), Trucks(truth)
    lena = account("lena")

    yield (
        "suppliers",
        Suppliers(
            account("ivan"),
            lena,
            trucks,
            truth,
            pace,
            chance("suppliers"),
            has_erp=settings.erp_url != NO_ERP,
        ).plan,
    )
    for door in INBOUND:
        yield door, unload_at(door, trucks, doors, truth, pace)
    for name, duties in (
        ("wendy", "count load_several pack load pick putaway"),
        ("walter", "count putaway pick load_several pack load"),
    ):
        yield name, Worker(account(name), duties, hall, bench, doors, cold, truth, pace, chance(name)).work
    yield "lena", Lead(lena, trucks, doors, truth, pace, chance("lena")).work
    yield "dora", Dispatcher(account("dora"), lena, pace).work
    for van in VANS:
        yield (
            van.driver,
            Driver(account(van.driver), van, devices.gps[van.code], truth, pace, chance(van.driver)).work,
        )
    yield "crm customers", CrmCustomers(account("ivan"), crm, truth, pace, chance("crm")).buy
    erp_url = None if settings.erp_url == NO_ERP else settings.erp_url
    phones = PhoneCustomers(lena, erp_url, crm, truth, pace, chance("phone"))
    yield "phone customers", phones.buy
    yield "cold room", cold.breathe
    mishaps = chance("mishaps")
    yield "mishaps", lambda: one_mishap(devices, mishaps, pace)


def _live(name: str, step: Step, pace: Pace) -> None:
    """Step after step. What goes wrong is said once and tried again: the world does not end."""
    pause_s = 1.0
    while True:
        try:
            step()
            pause_s = 1.0
            continue
        except Stopped:
            return
        except Refused as refused:
            log.info("refused", actor=name, why=str(refused))
        except Exception:
            log.exception("actor_failed", actor=name)
        try:
            pace.really(pause_s)
        except Stopped:
            return
        pause_s = min(pause_s * 2, 30)
