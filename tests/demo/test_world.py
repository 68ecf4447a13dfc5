"""The demo's world against the real system: what it moved is what the ledger says. No ERP; everything else is real."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stowage.demo.seed import ACCOUNTS
from stowage.demo.shops import FEAST, HURRY, ISLAND, NOWHERE
from stowage.demo.truth import Fact, read
from stowage.parts.broker import free_port
from tests.demo import delivery_truth as deliveries

REPOSITORY = Path(__file__).parents[2]
SPEED = "20"


class Warehouse:
    """`stowage run` with the demo in it, as a process of its own."""

    def __init__(self, folder: Path, speed: str = SPEED) -> None:
        self.data_dir, self.port = folder / "data", free_port()
        (folder / "screens" / "assets").mkdir(parents=True)
        (folder / "screens" / "index.html").write_text("<!doctype html><title>Stowage</title>")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STOWAGE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stowage", "run"],
            cwd=REPOSITORY,
            env=clean
            | {
                "STOWAGE_DATA_DIR": str(self.data_dir),
                "STOWAGE_HTTP_PORT": str(self.port),
                "STOWAGE_ERP_URL": "none",
                "STOWAGE_WEB_ROOT": str(folder / "screens"),
                "STOWAGE_DEMO_SPEED": speed,
            },
            stdout=(folder / "said.txt").open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.said = folder / "said.txt"
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=20)

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
            return self.http.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def log_in(self) -> None:
        lena = next(a for a in ACCOUNTS if a.username == "lena")
        body = {"username": lena.username, "password": lena.password}
        answer = self.http.post("/auth/login", json=body, headers={"Idempotency-Key": os.urandom(8).hex()})
        self.http.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
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
        one.until(one.answers, 60, "the API answers")
        one.log_in()
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
    w.until(w.answers, 30, "the API is back")
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
    (job,) = w.until(jobs, 15, "it is proved")
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
    # somebody is always handing something over: wait for a moment in which every hand is empty
    w.until(lambda: deliveries.all_agree(w), 60, "world truth = ledger = proofs of delivery")
    assert deliveries.by_world(w)["delivered"]


def test_who_cannot_be_served_stands_in_a_tray(warehouse: Warehouse) -> None:
    w = warehouse

    def in_trays() -> set[str]:
        trays = w.get("/delivery-board")["trays"]
        return {j["customer_name"] for name in ("review", "unroutable", "unplanned") for j in trays[name]}

    w.until(lambda: {c["name"] for c in (NOWHERE, ISLAND, HURRY, FEAST)} & in_trays(), 60, "a hopeless order")


def test_no_log_has_a_traceback(warehouse: Warehouse) -> None:
    for log in (warehouse.data_dir / "logs").glob("*.log"):
        if log.stem in ("postgres", "broker"):
            continue
        text = log.read_text()
        assert not re.search(r"Traceback \(most recent call last\)", text), f"{log.name}:\n{text[-3000:]}"
