"""Lays the demo's warehouse into an empty database, once: site, places, goods, people, fleet, agents and their devices.

`prepare` runs at every start: what is there stays, people, vans and agents that a newer demo has are added, and the agents'
configuration files are written anew, because the broker's address may have changed. What the world needs to know about
itself stands in `demo/world.json`.
"""

from __future__ import annotations

import base64
import random
import secrets
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg.types.json import Jsonb

from backend import ledger
from backend.auth.principals import hash_password
from backend.catalog import create_site, lot_of
from backend.context import Context, system_context
from backend.db import Conn, connect
from backend.devices import agents, registry
from backend.dispatch import depots, vehicles
from backend.ids import new_id
from backend.ledger import Move, Spot
from backend.private import write_private
from stowage.config import Settings
from stowage.demo.catalog import Item, catalog
from stowage.demo.layout import places
from stowage.demo.shops import DEPOT, VANS, VANS_AGENT, shops
from stowage.parts.ports import free_port

SITE = "HEL1"
SEED = 20261122


@dataclass(frozen=True)
class Account:
    username: str
    password: str
    role: str
    name: str
    roles: tuple[str, ...]


ACCOUNTS = (
    Account("wendy", "wendy-demo", "worker", "Wendy Virtanen", ("worker",)),
    Account("walter", "walter-demo", "worker", "Walter Korhonen", ("worker",)),
    Account("lena", "lena-demo", "shift leader", "Lena Niemi", ("lead",)),
    Account("ivan", "ivan-demo", "integrator", "Ivan Laine", ("integrator",)),
    Account("dora", "dora-demo", "dispatcher", "Dora Heikkinen", ("dispatcher",)),
    Account("dieter", "dieter-demo", "driver", "Dieter Salo", ("driver",)),
    Account("daria", "daria-demo", "driver", "Daria Lehto", ("driver",)),
    Account("dimitri", "dimitri-demo", "driver", "Dimitri Aalto", ("driver",)),
    Account("admin", "admin-demo", "administrator", "Demo administrator", ("admin",)),
)
"""Printed at the start of the demo. `world` is the demo's own account (the people in it) and has its own secret."""


class World(Struct, kw_only=True):
    """What the demo's processes agree on: where its devices are, and its secrets. Kept from run to run."""

    reader_ports: dict[str, int]
    modbus_port: int
    webhook_port: int
    webhook_secret: str
    agent_secrets: dict[str, str]
    seed: int = SEED


class NotOurWarehouse(RuntimeError):
    """The database holds a site of the demo's name that this data folder knows nothing of. The message says what to do."""


@dataclass(frozen=True)
class DemoAgent:
    code: str
    name: str
    devices: tuple[DemoDevice, ...]


@dataclass(frozen=True)
class DemoDevice:
    code: str
    name: str
    kind: str
    place: str
    purpose: str = "none"


AGENTS = (
    DemoAgent("dock", "Doors", (
        DemoDevice("dock-1", "Portal at door 1", "llrp_reader", "DOCK-1", "inbound"),
        DemoDevice("dock-2", "Portal at door 2", "llrp_reader", "DOCK-2", "inbound"),
        DemoDevice("dock-3", "Portal at door 3", "llrp_reader", "DOCK-3", "outbound"),
    )),
    DemoAgent("bench", "Packing bench 1", (
        DemoDevice("bench-1-scanner", "Scanner at bench 1", "barcode_scanner", "BENCH-1"),
        DemoDevice("bench-1-scale", "Scale at bench 1", "scale", "BENCH-1"),
    )),
    DemoAgent("cold", "Cold room", (DemoDevice("cold-1", "Cold room sensor", "climate_sensor", "COLD"),)),
    DemoAgent(VANS_AGENT, "Vans", tuple(DemoDevice(v.gps, f"GPS of {v.code}", "gps_receiver", v.code) for v in VANS)),
)  # fmt: skip


def prepare(settings: Settings) -> None:
    """Raises what the database raises; safe to call again."""
    assert settings.database_url is not None
    home = settings.data_dir / "demo"
    home.mkdir(parents=True, exist_ok=True)
    file = home / "world.json"
    with connect(settings.database_url) as conn, conn.transaction():
        conn.execute("select set_config('stowage.actor', 'job:demo_seed', true)")
        site = conn.execute("select id from site where code = %s", [SITE]).fetchone()
        if site is None:
            _refuse_what_is_in_use(conn)
            world = _new_world()
            site_id = _lay(conn, world)
        elif file.is_file():
            world, site_id = read_world(settings), site[0]
        else:
            raise NotOurWarehouse(
                f"the database has a site {SITE} already, but {file} is missing: it was laid by a run with another data folder, or"
                " it is a warehouse of your own. Use that data folder again (STOWAGE_DATA_DIR), an empty database, or `stowage run --empty`"
            )
        ctx = system_context("job:demo_seed", site_id)
        _people(conn, site_id)
        _fleet(conn, ctx)
        _agents(conn, ctx, world)
        text = msgspec.json.encode(world).decode()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            write_private(file, text)
    _write_agents(settings, world)


def _refuse_what_is_in_use(conn: Conn) -> None:
    """The demo's accounts have passwords that everybody knows: they never come into somebody's own system."""
    if conn.execute("select exists (select from site) or exists (select from app_user)").fetchone() != (
        False,
    ):
        raise NotOurWarehouse(
            "the database is in use: it has sites or users that the demo did not make. The demo needs an empty database;"
            " to work with yours, start `stowage run --empty` (make run ARGS=--empty)"
        )


def read_world(settings: Settings) -> World:
    return msgspec.json.decode((settings.data_dir / "demo" / "world.json").read_bytes(), type=World)


def device_path(settings: Settings, device: str) -> Path:
    """Where the demo's serial devices appear, as udev links would."""
    return settings.data_dir.absolute() / "demo" / "devices" / device


# --- what is in the database ------------------------------------------------------------------------------


def _new_world() -> World:
    ports: set[int] = set()
    while len(ports) < 5:
        ports.add(free_port())
    *readers, modbus_port, webhook_port = ports
    return World(
        reader_ports=dict(zip(("dock-1", "dock-2", "dock-3"), readers, strict=True)),
        modbus_port=modbus_port,
        webhook_port=webhook_port,
        webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        agent_secrets={},
    )


def _lay(conn: Conn, world: World) -> UUID:
    goods = catalog()
    site_id = create_site(
        conn,
        code=SITE,
        name="Helsinki",
        time_zone="Europe/Helsinki",
        gs1_company_prefix=goods.gs1_company_prefix,
    )
    ctx = system_context("job:demo_seed", site_id)
    place_ids = _places(conn, ctx)
    partners = _partners(conn)
    items = {item.sku: _item(conn, ctx, item, partners) for item in goods.items}
    _opening_stock(conn, ctx, items, place_ids, random.Random(world.seed))
    conn.execute(
        "insert into webhook_subscription (id, site_id, name, url, secret, types, created_by) values (%s, %s, 'Demo CRM', %s, %s, '{}', %s)",
        [new_id(), site_id, f"http://127.0.0.1:{world.webhook_port}/events", world.webhook_secret, ctx.actor],
    )
    return site_id


def _people(conn: Conn, site_id: UUID) -> None:
    for account in ACCOUNTS:
        if conn.execute("select 1 from app_user where username = %s", [account.username]).fetchone() is None:
            conn.execute(
                "insert into app_user (id, username, name, password_hash, roles, site_id) values (%s, %s, %s, %s, %s, %s)",
                [new_id(), account.username, account.name, hash_password(account.password), list(account.roles),
                 None if account.username == "admin" else site_id],
            )  # fmt: skip


def _fleet(conn: Conn, ctx: Context) -> None:
    """The depot and its vans; those that nobody has touched learn what newer ones carry. Their shifts are the dispatcher's to make."""
    depot = next((d for d in depots.depots(conn, ctx.site_id) if d.code == DEPOT.code), None)
    if depot is None:
        depot = depots.create(conn, ctx, code=DEPOT.code, name=DEPOT.name, address=DEPOT.address, lat=DEPOT.lat, lon=DEPOT.lon,
                              load_s=120)  # fmt: skip
    present = {v.code: v for v in vehicles.vehicles(conn, ctx.site_id)}
    for van in VANS:
        known = present.get(van.code)
        if known is None:
            vehicles.create(
                conn, ctx, code=van.code, name=van.name, depot_id=depot.id, plate=van.plate, max_weight_g=van.max_weight_g,
                max_volume_ml=van.max_volume_ml, fixed_cost_cents=900, gps_agent=VANS_AGENT, gps_device=van.gps, skills=list(van.skills),
            )  # fmt: skip
        elif known.version == 1 and known.skills != list(van.skills):
            vehicles.change(conn, ctx, known.id, known.version, {"skills": list(van.skills)})


def _agents(conn: Conn, ctx: Context, world: World) -> None:
    for agent in AGENTS:
        if agent.code in world.agent_secrets:
            continue
        created = agents.create_agent(conn, ctx, agent.code, agent.name)
        world.agent_secrets[agent.code] = agents.enrol(conn, created.enrol_code, ctx.now).secret
        for device in agent.devices:
            place = conn.execute(
                "select id from place where site_id = %s and code = %s", [ctx.site_id, device.place]
            ).fetchone()
            registry.register_device(conn, ctx, created.id, device.code, device.kind, place_id=place[0] if place else None,
                                     purpose=device.purpose, name=device.name)  # fmt: skip


def _places(conn: Conn, ctx: Context) -> dict[str, UUID]:
    ids: dict[str, UUID] = {}
    for p in places():
        ids[p.code] = new_id()
        conn.execute(
            """insert into place (id, site_id, parent_id, code, name, kind, storage_class, erp_location, holds_stock, max_units,
                                  pick_sequence, x_m, y_m, width_m, depth_m)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [ids[p.code], ctx.site_id, ids[p.parent] if p.parent else None, p.code, p.name, p.kind, p.storage_class, p.erp_location,
             p.holds_stock, p.max_units, p.pick_sequence, p.x_m, p.y_m, p.width_m, p.depth_m],
        )  # fmt: skip
    return ids


def _partners(conn: Conn) -> dict[str, UUID]:
    ids: dict[str, UUID] = {}
    goods = catalog()
    for partner, supplies in [(p, True) for p in goods.suppliers] + [(p, False) for p in goods.customers]:
        ids[partner.code] = new_id()
        conn.execute(
            "insert into partner (id, code, name, is_supplier, is_customer, gln, email, address) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                ids[partner.code],
                partner.code,
                partner.name,
                supplies,
                not supplies,
                partner.gln,
                partner.email or None,
                partner.city if supplies else shops()[partner.code][0].address,
            ],
        )
    return ids


def _item(conn: Conn, ctx: Context, item: Item, partners: dict[str, UUID]) -> UUID:
    item_id = new_id()
    conn.execute(
        """insert into item (id, sku, name, name_i18n, base_unit, tracking, has_expiry, storage_class, weight_g)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [item_id, item.sku, item.name, Jsonb({"zh": item.name_zh}), item.unit, item.tracking, item.shelf_life_days is not None,
         "chilled" if item.chilled else "ambient", item.weight_g],
    )  # fmt: skip
    packs = [
        (item.unit, 1, item.gtin, item.weight_g),
        ("case", item.case_quantity, item.case_gtin, item.case_weight_g),
    ]
    packs.append(("pallet", item.pallet_quantity, None, None))
    for name, units, gtin, weight in packs:
        if name == item.unit or units > 1:
            conn.execute(
                "insert into item_pack (id, item_id, name, units, gtin, weight_g) values (%s, %s, %s, %s, %s, %s)",
                [new_id(), item_id, name, units, gtin.zfill(14) if gtin else None, weight],
            )
    for i, offer in enumerate(item.suppliers):
        conn.execute(
            """insert into supplier_item (supplier_id, item_id, unit_price, currency, lead_time_d, min_order_qty, pack_multiple, preferred)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [partners[offer.supplier], item_id, offer.price, catalog().currency, offer.lead_time_days, offer.min_order,
             offer.pack_multiple, i == 0],
        )  # fmt: skip
    conn.execute(
        """insert into reorder_rule (site_id, item_id, reorder_point, target_level, safety_stock, approve_above) values (%s, %s, %s, %s, %s, %s)""",
        [ctx.site_id, item_id, item.reorder_point, item.order_up_to, Decimal(item.reorder_point) // 2, 2500],
    )
    return item_id


def _opening_stock(
    conn: Conn, ctx: Context, items: dict[str, UUID], place_ids: dict[str, UUID], chance: random.Random
) -> None:
    """Each item in one or two bins of its zone, a little above its reorder point, so that selling soon starts an order."""
    books = ledger.virtual_place(conn, ctx.site_id, "adjustment")
    free = {
        chilled: [c for c in place_ids if "-" in c and c[0] in ("K" if chilled else "ABCD") and c[1] == "-"]
        for chilled in (True, False)
    }
    moves: list[tuple[Item, str, int, UUID | None, str | None]] = []
    for item in catalog().items:
        bins = free[item.chilled]
        total = int(item.reorder_point * chance.uniform(1.05, 1.6))
        if item.serial_tracked:
            target = bins.pop(0)
            for n in range(total):
                moves.append((item, target, 1, None, f"{item.sku}-{n + 1:05d}"))
            continue
        parts = [total] if not item.lot_tracked else [total // 3, total - total // 3]
        for n, part in enumerate(parts):
            lot = None
            if item.lot_tracked:
                age = item.shelf_life_days or 365
                lot = lot_of(conn, items[item.sku], f"L{2600 + chance.randrange(10, 99)}{n}",
                             (ctx.now + timedelta(days=int(age * (0.3 + 0.4 * n)))).date() if item.shelf_life_days else None)  # fmt: skip
            moves.append((item, bins.pop(0), part, lot, None))
    ledger.post(conn, ctx, [
        Move(items[item.sku], Decimal(quantity), Spot(books), Spot(place_ids[code]), "opening stock", "opening", None, lot, serial)
        for item, code, quantity, lot, serial in moves
    ])  # fmt: skip


# --- the agents' files ------------------------------------------------------------------------------------


def _write_agents(settings: Settings, world: World) -> None:
    """`edge/*.toml`, one agent each; written only when it says something new, because a change restarts the agent."""
    assert settings.mqtt_url is not None
    url = urlsplit(settings.mqtt_url)
    address = urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))
    folder = settings.data_dir / "edge"
    folder.mkdir(parents=True, exist_ok=True)
    devices = {
        "dock": "".join(_portal(d, world.reader_ports[d], neighbour) for d, neighbour in _NEIGHBOURS.items()),
        "bench": _bench(settings),
        "cold": _cold(world),
        VANS_AGENT: _vans(settings),
    }
    for agent in AGENTS:
        text = _AGENT.format(
            code=agent.code, site=SITE, url=address, username=agents.username(SITE, agent.code),
            password=world.agent_secrets[agent.code], data_dir=f"{agent.code}-data",
        ) + devices[agent.code]  # fmt: skip
        path = folder / f"{agent.code}.toml"
        if not path.exists() or path.read_text() != text:
            write_private(path, text)


_NEIGHBOURS = {"dock-1": "dock-2", "dock-2": "dock-1", "dock-3": None}

_AGENT = """# Written by the demo at every start; changes here are lost.
[agent]
data_dir = "{data_dir}"
site = "{site}"
code = "{code}"

[broker]
url = "{url}"
username = "{username}"
password = "{password}"
"""


def _portal(device: str, port: int, neighbour: str | None) -> str:
    return f"""
[[device]]
code = "{device}"
driver = "llrp"
purpose = "portal"
[device.options]
host = "127.0.0.1"
port = {port}
[device.portal]
outer = [1, 2]
inner = [3, 4]
neighbours = [{f'"{neighbour}"' if neighbour else ""}]
"""


def _bench(settings: Settings) -> str:
    return f"""
[[device]]
code = "bench-1-scanner"
driver = "serial_barcode"
[device.options]
port = "{device_path(settings, "bench-1-scanner")}"

[[device]]
code = "bench-1-scale"
driver = "mt_sics"
[device.options]
port = "{device_path(settings, "bench-1-scale")}"
"""


def _cold(world: World) -> str:
    return f"""
[[device]]
code = "cold-1"
driver = "modbus"
[device.options]
host = "127.0.0.1"
tcp_port = {world.modbus_port}
slaves = [{{ unit = 1, kind = "climate" }}, {{ unit = 2, kind = "door" }}]
"""


def _vans(settings: Settings) -> str:
    """In a world that runs faster, vans are faster, too: what is a jump follows."""
    return "".join(
        f"""
[[device]]
code = "{van.gps}"
driver = "nmea_gps"
[device.options]
port = "{device_path(settings, van.gps)}"
baudrate = 9600
max_speed_kmh = {max(200.0, 150.0 * settings.demo_speed):.0f}.0
"""
        for van in VANS
    )
