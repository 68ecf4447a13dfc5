"""Customers: the CRM sends orders over the API with a token of its own; others phone, and are typed into the ERP."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from backend.integration.erp.connect import connect
from backend.integration.erp.connector import ErpError, NewLine, NewOrder
from stowage.demo.api import Account, Refused
from stowage.demo.catalog import Item, catalog
from stowage.demo.crm import Crm
from stowage.demo.loads import partner_of
from stowage.demo.pace import Pace
from stowage.demo.shops import FAR_AWAY, FEAST, HEAVIEST_VAN_G, HURRY, ISLAND, NOWHERE, shop_of
from stowage.demo.truth import Truth

log = structlog.get_logger(__name__)

LIKED = {"A": 6, "B": 3, "C": 1}
BUYS = {
    "C-MARKT": ("grocery", "supplies"),
    "C-CLINIC": ("cold chain", "medical"),
    "C-BIKES": ("parts", "tools"),
    "C-CAFE": ("grocery", "cold chain"),
    "C-WEB": ("grocery", "medical", "parts", "tools"),
}
IN_FASHION = "COLD-INS-3"
"""Everybody wants it until the CRM is told to stop recommending it: it runs low within minutes."""
ENOUGH_ORDERS = 7
"""With so many still to pick, customers wait: two people pick them."""
HEAVIEST_ORDER_G = Decimal(20_000)
FIRST_ORDERS = 4
WATER = "GRC-WATER-6"
SHARE_BY_CARRIER = 0.5
"""Of the web shop's orders: those from another town."""
SHARE_WITH_WINDOW = 0.4
TROUBLE_AFTER, TROUBLE_EVERY = 3, 5
"""So many orders, and then each so many, one that no van can serve; of each kind one waits at a time."""
TROUBLE_AGAIN_S = 1800.0


def basket(chance: random.Random, customer: str, recommends: Callable[[str], bool]) -> list[tuple[Item, int]]:
    """One to three items, not heavier than a person carries."""
    goods = [i for i in catalog().items if i.category in BUYS[customer] and recommends(i.sku)]
    found: dict[str, tuple[Item, int]] = {}
    left_g = HEAVIEST_ORDER_G
    for _ in range(chance.choice((1, 2, 2, 3))):
        if not goods:
            break
        item = chance.choices(goods, [LIKED[i.velocity] * (3 if i.sku == IN_FASHION else 1) for i in goods])[
            0
        ]
        most = min(
            int(left_g // item.weight_g), 10 if item.sku == IN_FASHION else 1 if item.serial_tracked else 8
        )
        if item.sku not in found and most >= 1:
            quantity = (
                chance.randint(6, most) if item.sku == IN_FASHION and most >= 6 else chance.randint(1, most)
            )
            found[item.sku] = (item, quantity)
            left_g -= item.weight_g * quantity
    return list(found.values())


def enough_to_do(api: Account) -> bool:
    """So many orders wait to be picked that customers wait, too: of those who click and those who phone."""
    waiting = (len(api.get("/sales-orders", state=s, limit=30)["items"]) for s in ("allocated", "picking"))
    return sum(waiting) >= ENOUGH_ORDERS


class CrmCustomers:
    """Orders as a CRM sends them: with its own number, over an API token that may only integrate."""

    def __init__(
        self, integrator: Account, crm: Crm, truth: Truth, pace: Pace, chance: random.Random
    ) -> None:
        self._api, self._crm, self._truth, self._pace, self._chance = integrator, crm, truth, pace, chance
        self._has_token = False
        self._made = 0
        self._trouble = 0
        self._trouble_at: dict[str, float] = {}

    def buy(self) -> None:
        if not self._has_token:
            issued = self._api.post(
                "/api-tokens", {"name": "Demo CRM", "roles": ["integrator"], "valid_days": 1}
            )
            self._api.use_token(issued["token"])
            self._has_token = True
        if not enough_to_do(self._api):
            self._order()
        self._pace.wait(4 if self._made < FIRST_ORDERS else self._chance.uniform(12, 25))

    def _order(self) -> None:
        customer = "C-CLINIC" if self._chance.random() < 0.35 else self._chance.choice(list(BUYS))
        ship_to, due_at = self._where(customer)
        goods = basket(self._chance, customer, self._crm.recommends)
        if self._made >= TROUBLE_AFTER and (self._made - TROUBLE_AFTER) % TROUBLE_EVERY == 0:
            customer, ship_to, goods = self._in_trouble(customer, ship_to, goods)
        if not goods:
            return
        number = f"CRM-{self._chance.randrange(10**7):07d}"
        body: dict[str, Any] = {
            "source": "crm", "external_number": number, "customer_code": customer, "due_at": due_at.isoformat(),
            "priority": self._chance.choice((3, 5, 5, 5, 7)), "ship_to": {k: str(v) for k, v in ship_to.items()},
            "lines": [{"sku": i.sku, "quantity": str(n)} for i, n in goods],
        }  # fmt: skip
        try:
            made = self._api.post("/sales-orders", body)
        except Refused as refused:
            log.info("order_refused", number=number, why=str(refused))
            return
        self._made += 1
        self._truth.note(
            "ordered", order=made["number"], customer=customer, by="crm", goods={i.sku: n for i, n in goods}
        )

    def _where(self, customer: str) -> tuple[dict[str, Any], datetime]:
        """One of the customer's shops, sometimes with the hours in which somebody is there; the first order and web orders from
        afar go with a carrier."""
        now = datetime.now(UTC)
        due_at = now + timedelta(hours=self._chance.choice((4, 6, 8, 24)))
        far = customer == "C-WEB" and self._chance.random() < SHARE_BY_CARRIER
        if far or self._made == 0:
            who = partner_of(customer)
            return {"name": who.name, "city": self._chance.choice(FAR_AWAY), "method": "carrier"}, due_at
        ship_to: dict[str, Any] = dict(shop_of(customer, self._chance).ship_to)
        ship_to["service_min"] = self._chance.choice((2, 3, 3, 5))
        if self._chance.random() < SHARE_WITH_WINDOW:
            opens = now + timedelta(minutes=self._chance.choice((0, 0, 5, 15)) / self._pace.speed)
            ship_to["window_from"] = opens.isoformat()
            ship_to["window_until"] = (opens + timedelta(hours=self._chance.choice((3, 4, 6)))).isoformat()
        return ship_to, due_at

    def _in_trouble(
        self, customer: str, ship_to: dict[str, Any], goods: list[tuple[Item, int]]
    ) -> tuple[str, dict[str, Any], list[tuple[Item, int]]]:
        """The next kind of trouble of which none is waiting; else the order as it is."""
        kinds: list[dict[str, Any]] = [NOWHERE, HURRY, ISLAND, FEAST]
        self._trouble += 1
        trouble = kinds[(self._trouble - 1) % len(kinds)]
        waits = self._api.get("/delivery-jobs", q=trouble["name"], state=["to_review", "ready"], limit=1)[
            "items"
        ]
        if waits or time.monotonic() < self._trouble_at.get(trouble["name"], 0.0):
            return customer, ship_to, goods
        self._trouble_at[trouble["name"]] = time.monotonic() + TROUBLE_AGAIN_S / self._pace.speed
        if trouble is FEAST:
            water = next(i for i in catalog().items if i.sku == WATER)
            return "C-MARKT", dict(FEAST), [(water, int(HEAVIEST_VAN_G // water.weight_g) + 1)]
        if trouble is HURRY:
            now = datetime.now(UTC)
            soon = {"window_from": now.isoformat(), "window_until": (now + timedelta(minutes=2)).isoformat()}
            return customer, {**HURRY, **soon}, goods
        return customer, dict(trouble), goods


class PhoneCustomers:
    """Orders typed into the ERP by its own users; the backend finds them there. The ERP may be away."""

    EVERY_S, PATIENCE_S = 120.0, 15.0

    def __init__(
        self,
        lead: Account,
        erp_url: str | None,
        crm: Crm,
        truth: Truth,
        pace: Pace,
        chance: random.Random,
    ) -> None:
        """`lead` knows how much there is to do."""
        self._lead = lead
        self._erp = None if erp_url is None else connect(erp_url)
        self._crm, self._truth, self._pace, self._chance = crm, truth, pace, chance
        self._next_at = time.monotonic() + 20 / pace.speed

    def buy(self) -> None:
        self._pace.wait(3)
        if time.monotonic() < self._next_at or enough_to_do(self._lead):
            return
        if self._erp is None:
            return
        customer = self._chance.choice(list(BUYS))
        goods = basket(self._chance, customer, self._crm.recommends)
        self._next_at = time.monotonic() + self.EVERY_S / self._pace.speed
        if not goods:
            return
        number = f"TEL-{self._chance.randrange(10**7):07d}"
        lines = tuple(NewLine(i.sku, Decimal(n)) for i, n in goods)
        try:
            sale = self._erp.create_sale(
                NewOrder(number, customer, lines, datetime.now(UTC).date(), "by telephone")
            )
        except ErpError as e:
            log.info("sale_not_made", why=str(e))
            self._next_at = time.monotonic() + self.PATIENCE_S
            return
        self._truth.note(
            "ordered", order=sale.number, customer=customer, by="erp", goods={i.sku: n for i, n in goods}
        )
