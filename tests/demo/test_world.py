"""The demo's world against the real system, from one door to the customer's: in one run with a real database, broker, ERP,
roads and browser, what the world moved is what the ledger says, what the ERP has on hand, and what the proofs of delivery name.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from stowage.demo.seed import ACCOUNTS
from stowage.demo.shops import FEAST, HURRY, ISLAND, NOWHERE, VANS
from stowage.demo.truth import Fact, read
from stowage.parts import PartFailed, tryton
from stowage.parts.node import build_screens
from stowage.parts.ports import free_port
from tests.conftest import missing
from tests.demo import delivery_truth as deliveries
from tests.demo import erp_truth as erp

pytestmark = pytest.mark.timeout(600)

REPOSITORY = Path(__file__).parents[2]
SPEED = "20"
SERVED = 4
"""So many deliveries at least are compared at the end."""
KEPT = ("STOWAGE_TRYTON_CACHE",)
WITHOUT = "<!doctype html><title>Stowage</title>"


class Warehouse:
    """`stowage run` with the demo in it, as a process of its own. `no_erp`, `no_screens`: why it must do without."""

    def __init__(self, folder: Path, speed: str = SPEED) -> None:
        self.data_dir, self.port = folder / "data", free_port()
        self.no_erp = self.no_screens = ""
        try:
            tryton.prepare(tryton.default_cache_dir(self.data_dir))
        except PartFailed as e:
            self.no_erp = str(e)
        try:
            screens = build_screens(REPOSITORY / "dashboards", folder / "npm.log")
        except PartFailed as e:
            self.no_screens = str(e)
            screens = folder / "screens"
            (screens / "assets").mkdir(parents=True)
            (screens / "index.html").write_text(WITHOUT)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_") or k in KEPT}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stowage", "run"],
            cwd=REPOSITORY,
            env=clean
            | {
                "STOWAGE_DATA_DIR": str(self.data_dir),
                "STOWAGE_HTTP_PORT": str(self.port),
                "STOWAGE_WEB_ROOT": str(screens),
                "STOWAGE_DEMO_SPEED": speed,
            }
            | ({"STOWAGE_ERP_URL": "none"} if self.no_erp else {}),
            stdout=(folder / "said.txt").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.said = folder / "said.txt"
        self.address = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=f"{self.address}/api/v1", timeout=20)

    def until(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended:\n{self.said.read_text()}"
            if found := condition():
                return found
            time.sleep(0.25)
        pytest.fail(f"{what}: not within {timeout_s:g} s\n{self.log('demo')[-3000:]}")

    def answers(self) -> bool:
        try:
            return self.http.get(f"{self.address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def erp_is_reachable(self) -> bool:
        return bool(self.get("/erp/status")["state"] == "reachable")

    def session(self, username: str) -> dict[str, Any]:
        account = next(a for a in ACCOUNTS if a.username == username)
        return dict(self.post("/auth/login", username=username, password=account.password))

    def keep_the_day(self) -> None:
        """Boards, lists and figures are of a day: where it would end while we look, the site's clock is told to be hours behind."""
        if datetime.now(ZoneInfo("Europe/Helsinki")).hour == 23:
            with psycopg.connect(self.told("-m stowage api", "STOWAGE_DATABASE_URL")) as conn:
                conn.execute("update site set time_zone = 'Etc/GMT+1'")

    def log_in(self) -> None:
        self.http.headers["Authorization"] = f"Bearer {self.session('lena')['token']}"

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", path, params=query)

    def post(self, path: str, **body: Any) -> Any:
        return self._ask("POST", path, json=body, headers={"Idempotency-Key": os.urandom(8).hex()})

    def _ask(self, method: str, path: str, **what: Any) -> Any:
        """Asked again while the API is being started anew."""
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = self.http.request(method, path, **what)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, (
                    f"{path}: the API does not answer\n{self.log('api')[-2000:]}"
                )
                assert self.process.poll() is None, f"it ended:\n{self.said.read_text()}"
                time.sleep(0.3)
        assert answer.is_success, answer.text
        return answer.json()

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def truth(self, what: str) -> list[Fact]:
        return [f for f in read(self.data_dir / "demo" / "truth.jsonl") if f["what"] == what]

    def log(self, name: str) -> str:
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def process_of(self, words: str) -> int:
        """One program of this run, by its command line and environment."""
        mark = f"STOWAGE_DATA_DIR={self.data_dir}".encode()
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if entry.name.isdigit() and words in command and mark in (entry / "environ").read_bytes():
                    return int(entry.name)
            except OSError:
                continue
        raise AssertionError(f"no process {words!r}")

    def told(self, words: str, name: str) -> str:
        """What a program of this run was told in its environment."""
        environment = Path(f"/proc/{self.process_of(words)}/environ").read_text().split("\0")
        return next(value for key, _, value in (entry.partition("=") for entry in environment) if key == name)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """People, vans and devices stop where they are; the system goes on."""
        demo = self.process_of("-m stowage demo")
        os.kill(demo, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(demo, signal.SIGCONT)

    def close(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    one = Warehouse(tmp_path_factory.mktemp("demo"))
    try:
        one.until(one.answers, 180, "the API answers")
        one.keep_the_day()
        one.log_in()
        if not one.no_erp:
            one.until(one.erp_is_reachable, 180, "the ERP is up")
        yield one
    finally:
        one.close()


def received_by_truth(w: Warehouse, delivery: str) -> Counter[str]:
    sums: Counter[str] = Counter()
    for fact in w.truth("carried_in"):
        if fact["delivery"] == delivery:
            sums.update(fact["goods"])
    return sums


def on_hand(w: Warehouse) -> Counter[str]:
    sums: Counter[str] = Counter()
    for balance in w.pages("/balances"):
        sums[balance["sku"]] += int(balance["on_hand"])
    return +sums


def on_hand_by_truth(w: Warehouse) -> Counter[str]:
    """What was there at first, and came in, less what left and what was found missing."""
    sums: Counter[str] = Counter()
    for movement in w.pages("/movements", cause_kind="opening"):
        sums[movement["sku"]] += int(movement["quantity"])
    for fact in w.truth("carried_in"):
        sums.update(fact["goods"])
    packed = {f["sscc"]: f["goods"] for f in w.truth("packed")}
    for fact in w.truth("departed"):
        for sscc in fact["cartons"] if "route" not in fact else []:
            for goods in packed[sscc]:
                sums[goods["sku"]] -= goods["quantity"]
    vans = deliveries.by_world(w)
    for sign, goods_of in ((-1, vans["left"]), (1, vans["back"])):
        for (sku, _, _), quantity in goods_of.items():
            sums[sku] += sign * quantity
    for fact in w.truth("written_off"):
        sums[fact["sku"]] -= fact["quantity"]
    return +sums


def test_goods_come_in_through_the_portal_are_put_away_sold_packed_and_leave(warehouse: Warehouse) -> None:
    w = warehouse
    closed = w.until(lambda: w.truth("receipt_closed"), 90, "a delivery is received")
    for fact in closed:
        notice = w.get("/asns", q=fact["delivery"])["items"][0]
        receipts = [w.get(f"/receipts/{r['id']}") for r in w.get("/receipts", asn_id=notice["id"])["items"]]
        by_ledger: Counter[str] = Counter()
        for receipt in receipts:
            by_ledger.update({line["sku"]: int(line["received"]) for line in receipt["lines"]})
        assert +by_ledger == received_by_truth(w, fact["delivery"])
        assert [r["origin"] for r in receipts] == ["portal"]
        assert sum(p["reads"] for p in receipts[0]["passages"]) > 20, "the portal heard nothing"

    w.until(lambda: w.truth("put_away"), 60, "something is put away")
    left = w.until(
        lambda: [f for f in w.truth("departed") if "route" not in f], 90, "an order leaves with a carrier"
    )
    packed = {f["sscc"]: f for f in w.truth("packed")}
    for fact in left:
        shipment = next(
            s for s in w.get("/shipments", state="departed")["items"] if s["number"] == fact["shipment"]
        )
        for carton in shipment["cartons"]:
            inside = w.get(f"/cartons/{carton['carton_id']}")
            truth = packed[carton["sscc"]]
            by_ledger = Counter(
                {(c["sku"], c["lot_code"], c["serial"]): int(c["quantity"]) for c in inside["contents"]}
            )
            assert by_ledger == Counter(
                {(g["sku"], g["lot"], g["serial"]): g["quantity"] for g in truth["goods"]}
            )
            assert (inside["weighed_by"], inside["weight_g"]) == ("bench-1-scale", truth["weight_g"])
            assert inside["weight_check"] == "good"
            assert w.get(f"/license-plates/{carton['sscc']}")["state"] == "shipped"
    events = w.get("/shipment-events", limit=200)["items"]
    confirmed = {
        e["code"] for e in events if e["actor"].endswith("dock-3") and e["what"] in ("confirmed", "loaded")
    }
    assert confirmed & {sscc for f in left for sscc in f["cartons"]}, "the outbound portal confirmed nothing"


def test_the_ledger_agrees_with_itself_and_to_the_piece_with_what_was_moved(warehouse: Warehouse) -> None:
    w = warehouse
    assert w.get("/ledger/verification")["mismatches"] == []
    # somebody always carries something: wait for a moment in which every hand is empty
    w.until(lambda: on_hand(w) == on_hand_by_truth(w), 60, "the ledger has what the world has")


def test_a_killed_world_and_a_killed_api_go_on_where_they_stood(warehouse: Warehouse) -> None:
    w = warehouse
    before = len(w.truth("departed"))
    os.kill(w.process_of("-m stowage demo"), signal.SIGKILL)
    os.kill(w.process_of("-m stowage api"), signal.SIGKILL)
    w.until(lambda: len(w.truth("departed")) > before, 120, "another order leaves")
    w.until(w.answers, 90, "the API is back")
    assert w.get("/ledger/verification")["mismatches"] == []
    numbers = [f["load"]["number"] for f in w.truth("truck_loaded")]
    assert len(numbers) == len(set(numbers))


def test_the_crm_shows_signed_events(warehouse: Warehouse) -> None:
    port = json.loads((warehouse.data_dir / "demo" / "world.json").read_text())["webhook_port"]
    page = httpx.get(f"http://127.0.0.1:{port}/").text
    assert "order.accepted" in page
    assert "not verified" not in page
    refused = httpx.post(
        f"http://127.0.0.1:{port}/events",
        content=b'{"type": "forged", "subject": "<script>"}',
        headers={
            "webhook-id": "1",
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": "v1,AAAA",
        },
    )
    assert refused.status_code == 401
    page = httpx.get(f"http://127.0.0.1:{port}/").text
    assert "not verified" in page
    assert "<script>" not in page


def test_the_cold_room_is_measured(warehouse: Warehouse) -> None:
    cold = next(d for d in warehouse.get("/devices")["items"] if d["code"] == "cold-1")
    channels = {c["channel"]: c for c in cold["channels"]}
    assert 2 < channels["temperature"]["value"] < 9
    assert "door_open" in channels


# --- to the customer's door -------------------------------------------------------------------------------


def test_vans_leave_with_what_their_route_says_and_hand_it_over_with_a_proof(warehouse: Warehouse) -> None:
    w = warehouse
    left = w.until(lambda: deliveries.carried_by_van(w), 120, "a van leaves")[0]
    (route,) = [r for r in w.get("/delivery-board")["routes"] if r["number"] == left["route"]]
    assert route["vehicle"]["code"] == left["van"]
    loaded = [c["sscc"] for c in w.get(f"/delivery-routes/{route['id']}/manifest")["cartons"]]
    assert sorted(loaded) == sorted(left["cartons"])
    first = w.until(lambda: deliveries.delivered(w), 120, "the first customer is served")[0]
    jobs = lambda: [j for j in w.get("/delivery-jobs", q=first["job"])["items"] if j["finished_at"]]  # noqa: E731
    (job,) = w.until(jobs, 60, "it is proved")
    (proof,) = w.get("/delivery-proofs", job_id=job["id"])["items"]
    assert job["state"] == proof["outcome"] == first["outcome"]
    if first["goods"]:
        assert proof["receiver_name"]
        assert "<path" in proof["signature_svg"]
    assert max(Counter(f["job"] for f in deliveries.delivered(w)).values()) == 1, "one delivery, one time"


def test_the_vans_are_where_their_receivers_say(warehouse: Warehouse) -> None:
    w = warehouse
    receivers = [d["code"] for d in w.get("/devices")["items"] if d["kind"] == "gps_receiver"]
    assert sorted(receivers) == ["van-1-gps", "van-2-gps", "van-3-gps"]
    seen = w.until(lambda: w.get("/delivery-board")["vehicles"], 30, "positions arrive")
    assert all(60.14 < v["lat"] < 60.19 and 24.90 < v["lon"] < 25.0 for v in seen)
    number = deliveries.carried_by_van(w)[0]["route"]
    (route_id,) = [r["id"] for r in w.get("/delivery-board")["routes"] if r["number"] == number]
    track = lambda: {(p["lat"], p["lon"]) for p in w.get("/vehicle-tracks", route_id=route_id)["driven"]}  # noqa: E731
    w.until(lambda: len(track()) > 3, 30, "the track of a driven route")


def test_a_van_comes_home_and_its_route_is_finished(warehouse: Warehouse) -> None:
    w = warehouse
    finished = w.until(
        lambda: [r for r in w.get("/delivery-board")["routes"] if r["state"] == "finished"],
        150,
        "a van is home",
    )
    for route in finished:
        assert {s["state"] for s in route["stops"] if s["kind"] == "delivery"} <= {
            "done",
            "failed",
            "skipped",
        }


def test_everything_that_left_is_delivered_back_or_aboard_to_the_piece(warehouse: Warehouse) -> None:
    w = warehouse
    assert w.get("/ledger/verification")["mismatches"] == []
    w.until(lambda: deliveries.by_world(w)["delivered"], 180, "something is delivered")
    # somebody is always handing something over: wait for a moment in which every hand is empty
    w.until(lambda: deliveries.all_agree(w), 60, "world truth = ledger = proofs of delivery")
    assert deliveries.by_world(w)["delivered"]


def test_who_cannot_be_served_stands_in_a_tray(warehouse: Warehouse) -> None:
    w = warehouse

    def in_trays() -> set[str]:
        trays = w.get("/delivery-board")["trays"]
        return {j["customer_name"] for name in ("review", "unroutable", "unplanned") for j in trays[name]}

    w.until(
        lambda: {c["name"] for c in (NOWHERE, ISLAND, HURRY, FEAST)} & in_trays(), 120, "a hopeless order"
    )


# --- on the screens, while it lives --------------------------------------------------------------------------


class Watched:
    """A page that remembers everything that went wrong on it."""

    PATIENCE_S = 90

    def __init__(self, w: Warehouse, browser: Browser, username: str | None, *, phone: bool = False) -> None:
        size = (390, 844) if phone else (1440, 900)
        self.base, self.wrong = w.address, list[str]()
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="en-GB", timezone_id="Europe/Helsinki"
        )
        self.context.set_default_timeout(30_000)
        if username is not None:
            session = json.dumps(json.dumps(w.session(username)))
            self.context.add_init_script(f"localStorage.setItem('stowage.session', {session})")
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.wrong.append(str(e)))
        self.page.on(
            "response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None
        )
        self.page.on(
            "requestfailed",  # who leaves a page ends its requests
            lambda r: self.wrong.append(f"{r.failure} {r.url}") if r.failure != "net::ERR_ABORTED" else None,
        )

    def shows(self, path: str, words: str, where: str = "#content") -> re.Match[str]:
        """The words are there, once the page has settled."""
        self.page.goto(self.base + path)
        # a machine that is busy with two suites draws a map in software for as long as it takes
        place, deadline = self.page.locator(where).first, time.monotonic() + self.PATIENCE_S
        try:
            place.wait_for(timeout=self.PATIENCE_S * 1000)
        except PlaywrightError as e:
            shown = self.page.inner_text("body")[:1500]
            raise AssertionError(f"{path} has no {where}: {e}\n{shown}\n{self.wrong}") from e
        while (found := re.search(words, text := place.inner_text())) is None:
            assert time.monotonic() < deadline, f"{path} does not show {words!r}:\n{text[:1500]}"
            self.page.wait_for_timeout(200)
        return found


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_screens_show_what_happens_without_a_fault(warehouse: Warehouse, browser: Browser) -> None:
    w = warehouse
    if w.no_screens:
        missing("the built screens", w.no_screens)
    received = sum(sum(f["goods"].values()) for f in w.truth("receipt_closed"))
    office = Watched(w, browser, "lena")
    floor = office.shows("/floor", r"Received\s+([\d,]+) / [\d,]+(?s:.*)Shipped\s+([\d,]+) / [\d,]+")
    assert number(floor[1]) >= received
    assert number(floor[2]) > 0
    closed = w.truth("receipt_closed")[-1]
    came = f"{sum(closed['goods'].values()):,} / [\\d,]+"
    office.shows("/receipts", rf"{closed['receipt']}\s+{closed['delivery']}\s[^\n]*\s+{came}")
    shown = office.shows("/orders", r"SO-\d{6}")[0]
    assert w.get("/sales-orders", q=shown)["items"], shown
    if not w.no_erp:
        posted = office.shows("/outbox", r"reachable(?s:.*)Posted, last hour\s+([\d,]+)")
        assert number(posted[1]) > 0
    done = office.shows("/dispatch", r"([\d,]+)\s+routes\s+([\d,]+)/([\d,]+)\s+stops")
    assert number(done[1]) >= len({f["route"] for f in deliveries.carried_by_van(w)})
    assert 0 < number(done[2]) <= number(done[3])
    assert not office.wrong
    office.context.close()

    trip = deliveries.carried_by_van(w)[-1]
    driver = Watched(w, browser, next(v.driver for v in VANS if v.code == trip["van"]), phone=True)
    driver.shows("/driver", rf"{trip['van']}\s[^\n]*{trip['route']}\s", "main")
    assert not driver.wrong
    driver.context.close()


def test_a_customer_follows_a_delivery_without_a_fault(warehouse: Warehouse, browser: Browser) -> None:
    w = warehouse
    if w.no_screens:
        missing("the built screens", w.no_screens)

    def aboard() -> list[dict[str, Any]]:
        return list(w.get("/delivery-jobs", state="aboard")["items"])

    while True:
        w.until(aboard, 120, "a delivery is aboard a van")
        with w.standing_still():  # else it may be over before the page is open
            if not (jobs := aboard()):
                continue
            token = w.post(f"/delivery-jobs/{jobs[-1]['id']}/tracking-link")["token"]
            customer = Watched(w, browser, None, phone=True)
            customer.shows(f"/track/{token}", r"\w", "[data-testid=state]")
            state = customer.page.get_by_test_id("state").get_attribute("data-state")
            assert state in ("on_the_way", "next", "arrived")
            if state != "arrived":  # who stands at the door is not announced
                window = customer.page.get_by_test_id("eta").inner_text()
                assert re.fullmatch(r"\d{1,2}:\d{2}\s*–\s*\d{1,2}:\d{2}", window)
            assert not customer.wrong
            customer.context.close()
            if state != "arrived":
                return


# --- the end: all books agree --------------------------------------------------------------------------------


def world_and_ledger_agree(w: Warehouse) -> bool:
    return on_hand(w) == on_hand_by_truth(w) and deliveries.all_agree(w)


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def all_is_posted(w: Warehouse) -> bool:
    """Nothing is on its way to the ERP; nothing may be parked."""
    status = w.get("/erp/status")
    parked = [
        *((p["sku"], p["problem"], p["words"]) for p in w.pages("/postings", state="parked")),
        *((o["reference"], o["problem"], o["words"]) for o in w.pages("/erp/orders", state="parked")),
    ]
    assert not parked
    return not any(status[state] for state in ("waiting", "sending", "orders_waiting"))


def test_world_ledger_erp_and_proofs_agree_to_the_piece(warehouse: Warehouse) -> None:
    """Stopped in the middle of the day, with goods on the shelves, in totes, at the doors and aboard vans."""
    w = warehouse
    if w.no_erp:
        missing("the ERP", w.no_erp)
    w.until(lambda: len(deliveries.delivered(w)) >= SERVED, 180, f"{SERVED} customers are served")
    for _ in range(8):  # somebody always carries something: it is stopped until every hand is empty
        w.until(lambda: world_and_ledger_agree(w), 60, "the ledger has what the world has")
        with w.standing_still():
            if not within(3, lambda: world_and_ledger_agree(w)):
                continue
            assert within(90, lambda: all_is_posted(w)), w.get("/erp/status")
            moves = erp.done_moves(w.told("-m stowage api", "STOWAGE_ERP_URL"))
            ledger = erp.in_the_ledger(w, deliveries.by_ledger(w)["aboard"])
            if not (all_is_posted(w) and world_and_ledger_agree(w)):
                continue  # a device told something late
            compare_with_the_erp(w, moves, ledger)
            return
    pytest.fail("every time it was stopped, somebody had something in his hands")


def compare_with_the_erp(w: Warehouse, moves: list[erp.Move], ledger: erp.Stock) -> None:
    world, inside = deliveries.by_world(w), erp.on_hand(moves)

    # location by location with the ledger, in the warehouse with the world, and aboard the vans
    assert inside == ledger
    aboard = Counter({sku: n for (sku, location), n in inside.items() if location == "IN_TRANSIT"})
    assert aboard == erp.by_sku(world["aboard"])
    assert erp.by_sku(inside) - aboard == on_hand_by_truth(w)

    # what came in at one door, and what customers got: by van with a proof, or with a carrier
    came: Counter[str] = Counter()
    for fact in w.truth("carried_in"):
        came.update(fact["goods"])
    assert erp.by_sku(erp.over_the_border(moves, "supplier")) == Counter({s: -n for s, n in came.items()})
    packed = {f["sscc"]: f["goods"] for f in w.truth("packed")}
    by_carrier: deliveries.Goods = Counter()
    for fact in w.truth("departed"):
        for sscc in fact["cartons"] if "route" not in fact else []:
            by_carrier += deliveries.goods_of(packed[sscc])
    given = erp.over_the_border(moves, "customer")
    assert given == erp.by_lot(world["delivered"] + by_carrier)
    assert given == erp.by_lot(deliveries.by_proofs(w) + by_carrier)
    assert world["delivered"], "nothing was delivered: it proves nothing"
    assert by_carrier, "nothing left with a carrier: it proves nothing"

    # and the backend's own comparison comes to the same
    asked = w.post("/erp/reconciliations")["id"]

    def finished() -> list[dict[str, Any]]:
        rows = w.get("/erp/reconciliations")["items"]
        return [r for r in rows if r["id"] == asked and r["state"] != "requested"]

    (found,) = w.until(finished, 60, "it is compared")
    assert (found["state"], found["drifts"]) == ("done", [])
    assert found["compared"] >= len(inside)


def test_nothing_had_to_be_started_again(warehouse: Warehouse) -> None:
    """But what was killed: not for the ERP or the roads either, which come up later than the rest."""
    again = [
        line.split()[-3] for line in warehouse.said.read_text().splitlines() if line.endswith("up again")
    ]
    assert sorted(again) == ["api", "demo"]


def test_no_log_has_a_traceback(warehouse: Warehouse) -> None:
    for log in (warehouse.data_dir / "logs").glob("*.log"):
        if log.stem in ("postgres", "broker"):
            continue
        text = log.read_text()
        assert not re.search(r"Traceback \(most recent call last\)", text), f"{log.name}:\n{text[-3000:]}"
