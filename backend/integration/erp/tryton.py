"""Tryton 8.0 as an ERP connector: receipts, shipments, internal moves, counts, returns, orders, master data.

Each kind of document is one function that finds it by reference, makes it if it is not there, and takes it on from
the `state` it is in, so it can be called again after any lost answer. Tryton keeps no key unique; what makes it once is
that `do` moves stock, is refused a second time, and only ever happens to the one document the reference names.
Counts are posted as differences on what Tryton expects at that moment, never as absolute figures that went stale.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from backend.integration.erp.connector import (
    Document,
    ErpClosedPeriod,
    ErpRefused,
    ErpShortage,
    ErpUnknownItem,
    Kind,
    Line,
    Location,
    NewOrder,
    Offer,
    OnHand,
    Order,
    OrderLine,
    Partner,
    Posted,
    Product,
)
from backend.integration.erp.tryton_rpc import TrytonRpc

_T = TypeVar("_T")
Row = dict[str, Any]
Stock = tuple[int, int | None, int]
"""Product, lot and location, by Tryton's ids."""

IN = "stock.shipment.in"
OUT = "stock.shipment.out"
INTERNAL = "stock.shipment.internal"
INVENTORY = "stock.inventory"
IN_RETURN = "stock.shipment.in.return"
OUT_RETURN = "stock.shipment.out.return"

ORDER_STATES = {"draft": "draft", "quotation": "draft", "confirmed": "confirmed", "processing": "confirmed",
                "done": "done", "cancelled": "cancelled"}  # fmt: skip
OTHER_SIDES = {
    "SUPPLIER": "supplier",
    "CUSTOMER": "customer",
    "LOST_FOUND": "lost_found",
    "PRODUCTION": "production",
}
OVERLAP = timedelta(seconds=60)
"""A change is stamped when its transaction begins and seen when it ends: look this much further back."""
PAGE = 500
PRICE_DECIMALS = 4
"""Tryton's own default; it refuses a price with more digits, zeros too."""
FORGET_AFTER = timedelta(minutes=10)


_MOVE = ["product", "lot", "unit", "quantity", "from_location", "to_location", "state", "shipment", "origin", "planned_date",
         "unit_price", "currency"]  # fmt: skip
_STATE = ("state", "number")
_SHIPMENT = ["state", "number", "reference", "moves", "inventory_moves", "outgoing_moves", "warehouse_storage", "warehouse_output",
             "effective_date"]  # fmt: skip


@dataclass(frozen=True)
class _Product:
    id: int
    code: str
    unit: int
    tracks_lots: bool
    cost_price: Decimal
    list_price: Decimal


@dataclass(frozen=True)
class _Place:
    id: int
    kind: str
    parent: int | None
    input: int | None
    output: int | None
    storage: int | None


@dataclass(frozen=True)
class _Party:
    id: int
    address: int | None


class TrytonConnector:
    """A connector over one session. Remembers products, parties and locations for ten minutes."""

    def __init__(self, rpc: TrytonRpc, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._rpc = rpc
        self._now = now
        self._forget()

    @classmethod
    def from_url(cls, erp_url: str) -> TrytonConnector:
        """`tryton+http://user:password@host:port/database`"""
        parts = urlsplit(erp_url)
        scheme = parts.scheme.removeprefix("tryton+")
        host = f"{parts.hostname}:{parts.port or 8000}"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(TrytonRpc(f"{scheme}://{host}", parts.path.strip("/"), user, password))

    def close(self) -> None:
        self._rpc.close()

    def identify(self) -> str:
        (company,) = self._read("company.company", [self._rpc.company], ["rec_name"])
        return f"Tryton, database {self._rpc.database}, company {company['rec_name']}"

    # --- documents ---------------------------------------------------------------------------------------------

    def post(self, document: Document) -> Posted:
        (outcome,) = self.post_together([document])
        if isinstance(outcome, ErpRefused):
            raise outcome
        return outcome

    def post_together(self, documents: Sequence[Document]) -> list[Posted | ErpRefused]:
        if self._now() - self._remembered_at > FORGET_AFTER:
            self._forget()
        self._remember(documents)
        outcomes: dict[str, Posted | ErpRefused] = {}
        able: list[Document] = []
        for document in documents:
            try:
                self._check_lines(document)
                able.append(document)
            except ErpRefused as refused:
                outcomes[document.reference] = refused
        shipments = [d for d in able if d.kind is Kind.SHIPMENT]
        if shipments:
            outcomes |= self._ship(shipments)
        one_by_one: dict[Kind, Callable[[Document], Posted]] = {
            Kind.RECEIPT: self._receive,
            Kind.INTERNAL: self._move_inside,
            Kind.COUNT: self._count,
            Kind.CUSTOMER_RETURN: self._take_back,
            Kind.SUPPLIER_RETURN: self._send_back,
        }
        for document in able:
            if document.kind in one_by_one:
                try:
                    outcomes[document.reference] = one_by_one[document.kind](document)
                except ErpRefused as refused:
                    outcomes[document.reference] = _about(document, refused)
        return [outcomes[document.reference] for document in documents]

    # receipt: supplier -> input zone -> where the lines say

    def _receive(self, document: Document) -> Posted:
        warehouse = self._warehouse_of(document.lines[0].to_location)
        found = self._find(IN, document.reference)
        if found is None:
            found = self._one(IN, self._create(IN, self._new_receipt(document, warehouse)))
        try:
            if found["state"] == "draft":
                self._call(IN, "receive", [found["id"]])
                found = self._one(IN, found["id"])
            if found["state"] == "received":
                self._put_away(IN, found["id"], document, warehouse)
                self._call(IN, "do", [found["id"]])
        except ErpRefused as refused:
            raise self._take_out(IN, found["id"], refused, order=document.order) from refused
        return self._done(IN, found["id"])

    def _new_receipt(self, document: Document, warehouse: _Place) -> Row:
        on = self._day(document.on)
        supplier, currency, moves = None, self._currency, []
        wanted = Counter[tuple[int, int | None]]()
        for line in document.lines:
            wanted[(self._product(line).id, self._lot(line))] += line.quantity  # type: ignore[assignment]
        into = self._into(document, warehouse)
        if document.order:
            purchase = self._purchase(document)
            supplier, currency = purchase["party"], purchase["currency"]
            expected = [
                m
                for m in self._read("stock.move", purchase["moves"], _MOVE)
                if m["state"] == "draft" and not m["shipment"]
            ]
            moves = _fulfil(wanted, expected, on)
        else:
            supplier = self._party(document.partner, "supplier").id
        supplier_place = self._place(document.lines[0].from_location).id
        by_id = {p.id: p for p in self._products.values()}
        for (product, lot), quantity in wanted.items():
            if quantity > 0:  # nobody ordered it, and it came
                known = by_id[product]
                moves.append(("create", [{
                    "company": self._rpc.company, "product": product, "unit": known.unit, "quantity": float(quantity), "lot": lot,
                    "from_location": supplier_place, "to_location": into, "planned_date": on, "effective_date": on,
                    "unit_price": known.cost_price, "currency": currency}]))  # fmt: skip
        return {
            "company": self._rpc.company, "reference": document.reference, "supplier": supplier,
            "contact_address": self._address_of(supplier), "warehouse": warehouse.id, "warehouse_input": into,
            "warehouse_storage": into if into != warehouse.input else warehouse.storage,
            "planned_date": on, "effective_date": on, "incoming_moves": moves,
        }  # fmt: skip

    def _into(self, document: Document, warehouse: _Place) -> int:
        """Where goods come in: the warehouse's input zone. (Input and storage may be one and the same there.)"""
        assert warehouse.input is not None
        return warehouse.input

    def _put_away(self, model: str, shipment: int, document: Document, warehouse: _Place) -> None:
        """Second half of a receipt or return: from the input zone to the lines' own locations."""
        record = self._one(model, shipment, ["incoming_moves", "inventory_moves"])
        wanted = self._stock_of(document.lines, to=True)
        inside = self._read("stock.move", record["inventory_moves"], _MOVE)
        if not inside or _sums(inside, "to_location") == wanted:
            return
        incoming = self._read("stock.move", record["incoming_moves"], _MOVE)
        moves = []
        for (product, lot, place), quantity in wanted.items():
            origin = next((m for m in incoming if m["product"] == product and m["lot"] == lot), None)
            for piece, of in _over(
                [m for m in incoming if m["product"] == product and m["lot"] == lot], quantity
            ):
                origin = of or origin
                if origin is not None:
                    moves.append({
                        "company": self._rpc.company, "product": product, "lot": lot, "unit": origin["unit"],
                        "quantity": float(piece), "from_location": origin["to_location"], "to_location": place,
                        "planned_date": origin["planned_date"], "origin": f"stock.move,{origin['id']}"})  # fmt: skip
        self._write(model, [shipment], {"moves": [("delete", [m["id"] for m in inside]), ("create", moves)]})

    # shipment: storage -> output zone -> customer

    def _ship(self, documents: Sequence[Document]) -> dict[str, Posted | ErpRefused]:
        """Shipments of one sale go one after the other (the second fulfils what the first left), all others together."""
        outcomes: dict[str, Posted | ErpRefused] = {}
        rest = list(documents)
        while rest:
            together: dict[str, Document] = {}
            for document in rest:
                together.setdefault(document.order or document.reference, document)
            outcomes |= self._ship_together(list(together.values()))
            rest = [document for document in rest if document.reference not in outcomes]
        return outcomes

    def _ship_together(self, documents: Sequence[Document]) -> dict[str, Posted | ErpRefused]:
        outcomes: dict[str, Posted | ErpRefused] = {}
        by_reference = {d.reference: d for d in documents}

        def running(names: Sequence[str] = _STATE) -> dict[str, list[Row]]:
            found = self._find_all(OUT, [r for r in by_reference if r not in outcomes], names=names)
            return {reference: found[reference] for reference in by_reference if reference in found}

        def refuse(reference: str, refused: ErpRefused) -> None:
            rows = self._find_all(OUT, [reference], names=_SHIPMENT).get(reference, [])
            outcomes[reference] = self._let_go(rows, _about(by_reference[reference], refused))

        found = running()
        new = {d.reference: d for d in documents if d.reference not in found}
        self._each_or_all({r: d for r, d in new.items() if d.order}, self._claim_shipments, refuse)
        self._each_or_all(
            {r: d for r, d in new.items() if not d.order},
            lambda work: self._rpc.call(
                f"model.{OUT}.create", [self._new_shipment(document) for document in work]
            ),
            refuse,
        )
        self._together(running(), "draft", "wait", refuse)
        waiting = {
            reference: (by_reference[reference], [row for row in rows if row["state"] == "waiting"])
            for reference, rows in running(_SHIPMENT).items()
        }
        self._each_or_all({r: work for r, work in waiting.items() if work[1]}, self._fill_shipments, refuse)
        self._together(running(), "waiting", "assign_try", refuse)
        self._try_short_ones_alone(running(_SHIPMENT), by_reference, refuse)
        for state, button in (("assigned", "pick"), ("picked", "pack"), ("packed", "do"), ("shipped", "do")):
            self._together(running(), state, button, refuse)
        for reference, rows in running().items():
            undone = [row for row in rows if row["state"] != "done"]
            if undone:
                outcomes[reference] = ErpRefused(
                    f"Tryton left shipment {undone[0]['number']} in state {undone[0]['state']}", remains=True
                )
            else:
                outcomes[reference] = Posted(
                    str(rows[0]["id"]), ", ".join(row["number"] or str(row["id"]) for row in rows)
                )
        for reference in by_reference:
            outcomes.setdefault(
                reference, ErpRefused("Tryton's shipment vanished while it was being posted", remains=True)
            )
        return outcomes

    def _each_or_all(
        self, work: dict[str, _T], do: Callable[[list[_T]], None], refuse: Callable[[str, ErpRefused], None]
    ) -> None:
        """All in as few calls as it takes; where something is refused, each alone, to know which."""
        if not work:
            return
        try:
            do(list(work.values()))
        except ErpRefused as refused:
            if len(work) == 1:
                refuse(next(iter(work)), refused)
                return
            for reference, one in work.items():
                try:
                    do([one])
                except ErpRefused as refused_:
                    refuse(reference, refused_)

    def _together(
        self,
        running: dict[str, list[Row]],
        state: str,
        button: str,
        refuse: Callable[[str, ErpRefused], None],
    ) -> None:
        """Press the button on all shipments that are in that state."""
        ids = {
            reference: [row["id"] for row in rows if row["state"] == state]
            for reference, rows in running.items()
        }
        self._each_or_all(
            {reference: rows for reference, rows in ids.items() if rows},
            lambda work: self._call(OUT, button, sorted(i for rows in work for i in rows)),
            refuse,
        )

    def _claim_shipments(self, documents: Sequence[Document]) -> None:
        """Put our reference on the open shipments of each sale that have its products."""
        sales = {document.reference: self._order_id(document) for document in documents}
        names = ["state", "number", "shipments"]
        rows = {row["id"]: row for row in self._read_existing("sale.sale", list(sales.values()), names)}
        if unprocessed := [i for i, row in rows.items() if row["state"] == "confirmed"]:
            self._call("sale.sale", "process", unprocessed)
            rows |= {row["id"]: row for row in self._read("sale.sale", unprocessed, names)}
        shipments = {
            row["id"]: row
            for row in self._read(OUT, [i for row in rows.values() for i in row["shipments"]], _SHIPMENT)
        }
        outgoing = self._read(
            "stock.move",
            [m for s in shipments.values() for m in s["outgoing_moves"]],
            ["product", "shipment"],
        )
        having: dict[str, set[int]] = defaultdict(set)
        for move in outgoing:
            having[move["shipment"]].add(move["product"])
        pairs: list[Any] = []
        for document in documents:
            sale = rows.get(sales[document.reference])
            if sale is None:
                raise ErpRefused(f"Tryton has no sale with id {document.order}")
            mine = [
                s for s in (shipments[i] for i in sale["shipments"])
                if s["state"] in ("draft", "waiting", "assigned") and not (s["reference"] or "").startswith("SW-")
            ]  # fmt: skip
            if not mine:
                raise ErpRefused(
                    f"sale {sale['number']} has nothing left to ship in Tryton (it is {sale['state']})"
                )
            products = {self._product(line).id for line in document.lines}
            claimed = [s for s in mine if having[f"{OUT},{s['id']}"] & products] or mine[:1]
            if assigned := [s["id"] for s in claimed if s["state"] == "assigned"]:
                self._call(OUT, "wait", assigned)
            pairs += [[s["id"] for s in claimed], {"reference": document.reference}]
        self._rpc.call(f"model.{OUT}.write", *pairs)

    def _new_shipment(self, document: Document) -> Row:
        warehouse = self._warehouse_of(document.lines[0].from_location)
        party, on = self._party(document.partner, "customer"), self._day(document.on)
        wanted = Counter[_Product]()
        for line in document.lines:
            wanted[self._product(line)] += line.quantity  # type: ignore[assignment]
        return {
            "company": self._rpc.company, "reference": document.reference, "customer": party.id,
            "delivery_address": party.address, "warehouse": warehouse.id, "warehouse_storage": warehouse.storage,
            "warehouse_output": warehouse.output, "planned_date": on, "effective_date": on,
            "outgoing_moves": [("create", [{
                "company": self._rpc.company, "product": product.id, "unit": product.unit, "quantity": float(quantity),
                "from_location": warehouse.output, "to_location": self._place(document.lines[0].to_location).id,
                "planned_date": on, "unit_price": product.list_price, "currency": self._currency}
                for product, quantity in wanted.items()])],
        }  # fmt: skip

    def _fill_shipments(self, work: Sequence[tuple[Document, list[Row]]]) -> None:
        """Make the picking moves of these waiting shipments exactly their document's lines; the rest stays on order."""
        read = self._read(
            "stock.move", [m for _, shipments in work for s in shipments for m in s["moves"]], _MOVE
        )
        moves = {move["id"]: move for move in read}
        pairs: list[Any] = []
        for document, shipments in work:
            pairs += self._filling(document, shipments, [moves[i] for s in shipments for i in s["moves"]])
        if pairs:
            self._rpc.call(f"model.{OUT}.write", *pairs)

    def _filling(self, document: Document, shipments: list[Row], rows: list[Row]) -> list[Any]:
        wanted = self._stock_of(document.lines, to=False)
        inside = [m for m in rows if m["id"] in {i for s in shipments for i in s["inventory_moves"]}]
        direct = all(s["warehouse_output"] == s["warehouse_storage"] for s in shipments)
        picking = [m for m in rows if m["quantity"]] if direct else inside
        on = self._day(document.on)
        if _sums(picking, "from_location") == wanted and all(s["effective_date"] == on for s in shipments):
            return []
        outgoing = [m for m in rows if m["id"] in {i for s in shipments for i in s["outgoing_moves"]}]
        by_id = {p.id: p for p in self._products.values()}
        commands: dict[int, list[Any]] = {
            s["id"]: [] if direct or not s["inventory_moves"] else [("delete", s["inventory_moves"])]
            for s in shipments
        }
        room = {m["id"]: Decimal(str(m["quantity"])) for m in outgoing}
        used: set[int] = set()
        for (product, lot, place), quantity in wanted.items():
            candidates = [m for m in outgoing if m["product"] == product]
            for piece, of in _over(candidates, quantity, room):
                at = int(of["shipment"].split(",")[1]) if of else shipments[0]["id"]
                values: Row = {
                    "product": product,
                    "lot": lot,
                    "quantity": float(piece),
                    "from_location": place,
                }
                if not direct:
                    output = next(s["warehouse_output"] for s in shipments if s["id"] == at)
                    values |= {"company": self._rpc.company, "unit": of["unit"] if of else by_id[product].unit, "to_location": output,
                               "planned_date": on, "origin": f"stock.move,{of['id']}" if of else None}  # fmt: skip
                    commands[at].append(("create", [values]))
                elif of and of["id"] not in used:
                    used.add(of["id"])
                    commands[at].append(("write", [of["id"]], values))
                else:
                    like = of or (candidates or outgoing)[0]
                    values |= {"company": self._rpc.company, "unit": by_id[product].unit, "to_location": like["to_location"],
                               "planned_date": on, "unit_price": like["unit_price"], "currency": like["currency"],
                               "origin": of["origin"] if of else None}  # fmt: skip
                    commands[at].append(("create", [values]))
        if direct:
            for m in outgoing:
                if m["id"] not in used:
                    commands[int(m["shipment"].split(",")[1])].append(("write", [m["id"]], {"quantity": 0}))
        return [x for s in shipments for x in ([s["id"]], {"effective_date": on, "moves": commands[s["id"]]})]

    def _try_short_ones_alone(
        self,
        running: dict[str, list[Row]],
        by_reference: dict[str, Document],
        refuse: Callable[[str, ErpRefused], None],
    ) -> None:
        """A shipment that asks for too much took what the ones behind it needed: free them all, then each in its turn."""
        picking = {
            r: [m for row in rows if row["state"] in ("waiting", "assigned") for m in _picking(row)]
            for r, rows in running.items()
        }
        moves = {
            m["id"]: m for m in self._read("stock.move", [i for ids in picking.values() for i in ids], _MOVE)
        }
        short = {
            r: refused
            for r, ids in picking.items()
            if ids
            if (refused := self._short_of(by_reference[r], [moves[i] for i in ids]))
        }
        if len(short) == 1:
            for reference, refused in short.items():
                refuse(reference, refused)
            return
        if short:
            self._call(
                OUT,
                "wait",
                [row["id"] for r in short for row in running[r] if row["state"] in ("waiting", "assigned")],
            )
        for reference in short:
            document = by_reference[reference]
            rows = self._find_all(OUT, [reference], names=_SHIPMENT)[reference]
            self._fill_shipments([(document, rows)])
            self._call(OUT, "assign_try", [row["id"] for row in rows])
            rows = self._find_all(OUT, [reference], names=_SHIPMENT)[reference]
            if still := self._short_of(
                document, self._read("stock.move", [m for row in rows for m in _picking(row)], _MOVE)
            ):
                refuse(reference, still)

    def _let_go(self, shipments: list[Row], refused: ErpRefused) -> ErpRefused:
        """Give the sale's shipments back as they were, so that the next try (or a person) finds them open."""
        try:
            for shipment in shipments:
                if shipment["state"] == "assigned":
                    self._call(OUT, "wait", [shipment["id"]])
                if shipment["state"] in ("waiting", "assigned"):
                    self._call(OUT, "draft", [shipment["id"]])
                    shipment["state"] = "draft"
                if shipment["state"] != "draft":
                    return _remaining(refused)
                if any(
                    (m["origin"] or "").startswith("sale.line,")
                    for m in self._read("stock.move", shipment["outgoing_moves"], _MOVE)
                ):
                    self._call(OUT, "wait", [shipment["id"]])
                    self._write(OUT, [shipment["id"]], {"reference": None, "effective_date": None})
                else:
                    self._call(OUT, "delete", [shipment["id"]])
        except ErpRefused:
            return _remaining(refused)
        return refused

    # inside: between two locations of ours

    def _move_inside(self, document: Document) -> Posted:
        found = self._find(INTERNAL, document.reference)
        if found is None:
            on = self._day(document.on)
            source, target = (
                self._place(document.lines[0].from_location),
                self._place(document.lines[0].to_location),
            )
            found = self._one(INTERNAL, self._create(INTERNAL, {
                "company": self._rpc.company, "reference": document.reference, "from_location": source.id, "to_location": target.id,
                "planned_date": on, "planned_start_date": on, "effective_date": on, "effective_start_date": on,
                "moves": [("create", self._moves(document, source.id, target.id, on))]}))  # fmt: skip
        return self._assign_and_do(INTERNAL, found, document)

    def _send_back(self, document: Document) -> Posted:
        found = self._find(IN_RETURN, document.reference)
        if found is None:
            on = self._day(document.on)
            source, target = (
                self._place(document.lines[0].from_location),
                self._place(document.lines[0].to_location),
            )
            party = self._party(document.partner, "supplier")
            found = self._one(IN_RETURN, self._create(IN_RETURN, {
                "company": self._rpc.company, "reference": document.reference, "supplier": party.id, "delivery_address": party.address,
                "from_location": source.id, "to_location": target.id, "planned_date": on, "effective_date": on,
                "moves": [("create", self._moves(document, source.id, target.id, on, priced=True))]}))  # fmt: skip
        return self._assign_and_do(IN_RETURN, found, document)

    def _assign_and_do(self, model: str, found: Row, document: Document) -> Posted:
        try:
            if found["state"] == "draft":
                self._call(model, "wait", [found["id"]])
                found = self._one(model, found["id"])
            if found["state"] == "waiting":
                self._call(model, "assign_try", [found["id"]])
                found = self._one(model, found["id"])
            if found["state"] in ("waiting", "assigned"):
                moves = self._read("stock.move", self._one(model, found["id"], ["moves"])["moves"], _MOVE)
                if short := self._short_of(document, moves):
                    raise short
                self._call(model, "do", [found["id"]])
        except ErpRefused as refused:
            raise self._take_out(model, found["id"], refused) from refused
        return self._done(model, found["id"])

    def _moves(
        self, document: Document, source: int, target: int, on: date, *, priced: bool = False
    ) -> list[Row]:
        summed = Counter[tuple[_Product, int | None]]()
        for line in document.lines:
            summed[(self._product(line), self._lot(line))] += line.quantity  # type: ignore[assignment]
        return [
            {"company": self._rpc.company, "product": product.id, "unit": product.unit, "lot": lot, "quantity": float(quantity),
             "from_location": source, "to_location": target, "planned_date": on,
             **({"unit_price": product.cost_price, "currency": self._currency} if priced else {})}
            for (product, lot), quantity in summed.items()
        ]  # fmt: skip

    # count: a difference, on top of whatever Tryton expects when it is booked

    def _count(self, document: Document) -> Posted:
        difference = Counter[tuple[int, int | None]]()
        place = None
        for line in document.lines:
            gained = self._place(line.from_location).kind == "lost_found"
            place = self._place(line.to_location if gained else line.from_location)
            difference[(self._product(line).id, self._lot(line))] += (
                line.quantity if gained else -line.quantity
            )  # type: ignore[assignment]
        assert place is not None
        if not any(difference.values()):
            return Posted("", "nothing left to post: gains and losses cancel out")
        found = self._find(INVENTORY, document.reference, by="number")
        if found is None:
            found = self._one(INVENTORY, self._create(INVENTORY, {
                "company": self._rpc.company, "number": document.reference, "location": place.id, "date": self._day(document.on),
                "empty_quantity": "keep",
                "lines": [("create", [{"product": p, "lot": lot} for (p, lot), delta in difference.items() if delta])]}))  # fmt: skip
        try:
            if found["state"] == "draft":
                lines = self._one(INVENTORY, found["id"], ["lines"])["lines"]
                rows = self._read("stock.inventory.line", lines, ["product", "lot", "expected_quantity"])
                pairs: list[Any] = []
                short: list[str] = []
                for row in rows:
                    after = Decimal(str(row["expected_quantity"])) + difference[(row["product"], row["lot"])]
                    if after < 0:
                        short += [
                            line.key for line in document.lines if self._product(line).id == row["product"]
                        ]
                    pairs += [[row["id"]], {"quantity": float(after)}]
                if short:
                    raise ErpShortage("Tryton has less in this location than the count takes away", short)
                self._rpc.call("model.stock.inventory.line.write", *pairs)
                self._call(INVENTORY, "confirm", [found["id"]])
        except ErpRefused as refused:
            raise self._take_out(INVENTORY, found["id"], refused) from refused
        return self._done(INVENTORY, found["id"])

    # return of a customer: customer -> input zone -> where the lines say

    def _take_back(self, document: Document) -> Posted:
        warehouse = self._warehouse_of(document.lines[0].to_location)
        found = self._find(OUT_RETURN, document.reference)
        if found is None:
            party, on, into = (
                self._party(document.partner, "customer"),
                self._day(document.on),
                self._into(document, warehouse),
            )
            source = self._place(document.lines[0].from_location)
            found = self._one(OUT_RETURN, self._create(OUT_RETURN, {
                "company": self._rpc.company, "reference": document.reference, "customer": party.id, "contact_address": party.address,
                "warehouse": warehouse.id, "warehouse_input": into, "warehouse_storage": warehouse.storage,
                "planned_date": on, "effective_date": on,
                "incoming_moves": [("create", self._moves(document, source.id, into, on, priced=True))]}))  # fmt: skip
        try:
            if found["state"] == "draft":
                self._call(OUT_RETURN, "receive", [found["id"]])
                found = self._one(OUT_RETURN, found["id"])
            if found["state"] == "received":
                self._put_away(OUT_RETURN, found["id"], document, warehouse)
                self._call(OUT_RETURN, "do", [found["id"]])
        except ErpRefused as refused:
            raise self._take_out(OUT_RETURN, found["id"], refused) from refused
        return self._done(OUT_RETURN, found["id"])

    # --- orders ------------------------------------------------------------------------------------------------

    def create_sale(self, order: NewOrder) -> Posted:
        party = self._party(order.partner, "customer")
        values = self._new_order(order, party, "list_price") | {"shipment_address": party.address}
        if order.wanted_on:
            values["shipping_date"] = order.wanted_on
        return self._make_order("sale.sale", order, values)

    def create_purchase(self, order: NewOrder) -> Posted:
        values = self._new_order(order, self._party(order.partner, "supplier"), "cost_price")
        if order.wanted_on:
            values["delivery_date"] = order.wanted_on
        return self._make_order("purchase.purchase", order, values)

    def _new_order(self, order: NewOrder, party: _Party, price: str) -> Row:
        self._remember_products([line.item for line in order.lines])
        unknown = [line.item for line in order.lines if line.item not in self._products]
        if unknown:
            raise ErpUnknownItem(
                f"Tryton has no product with code {', '.join(sorted(set(unknown)))}", unknown
            )
        lines = []
        for line in order.lines:
            product = self._products[line.item]
            lines.append({"type": "line", "product": product.id, "unit": product.unit, "quantity": float(line.quantity),
                          "unit_price": getattr(product, price) if line.unit_price is None else round(line.unit_price, PRICE_DECIMALS)})  # fmt: skip
        return {"company": self._rpc.company, "party": party.id, "invoice_address": party.address, "currency": self._currency,
                "warehouse": self._default_warehouse(), "reference": order.reference, "comment": order.comment or None,
                "lines": [("create", lines)]}  # fmt: skip

    def _make_order(self, model: str, order: NewOrder, values: Row) -> Posted:
        found = self._find(model, order.reference)
        if found is None:
            found = self._one(model, self._create(model, values))
        for state, button in (("draft", "quote"), ("quotation", "confirm"), ("confirmed", "process")):
            if found["state"] == state:
                self._call(model, button, [found["id"]])
                found = self._one(model, found["id"])
        return Posted(str(found["id"]), found["number"] or str(found["id"]))

    def sales_changed_since(self, moment: datetime | None) -> list[Order]:
        return self._changed("sale", moment)

    def purchases_changed_since(self, moment: datetime | None) -> list[Order]:
        return self._changed("purchase", moment)

    def _changed(self, kind: str, moment: datetime | None) -> list[Order]:
        model = f"{kind}.{kind}"
        if moment is None:
            domain: list[Any] = [("state", "in", ["quotation", "confirmed", "processing"])]
        else:
            since = moment.astimezone(UTC) - OVERLAP
            domain = [
                [
                    "OR",
                    ("create_date", ">=", since),
                    ("write_date", ">=", since),
                    ("lines.write_date", ">=", since),
                ]
            ]
        names = ["number", "reference", "party", "state", "currency", f"{kind}_date", "create_date", "write_date", "lines",
                 "shipping_date" if kind == "sale" else "delivery_date"]  # fmt: skip
        orders = list(self._search(model, domain, names))
        lines = {row["id"]: row for row in self._read(
            f"{kind}.line", [i for o in orders for i in o["lines"]], ["type", "product", "quantity", "unit_price", "moves"])}  # fmt: skip
        moves = {
            m["id"]: m
            for m in self._read(
                "stock.move", [i for row in lines.values() for i in row["moves"] or []], _MOVE
            )
        }
        codes = {row["id"]: row["code"] for row in self._read(
            "product.product", {row["product"] for row in lines.values() if row["product"]}, ["code"])}  # fmt: skip
        parties = {
            row["id"]: row
            for row in self._read("party.party", {o["party"] for o in orders}, ["code", "name"])
        }
        currencies = {
            row["id"]: row["code"]
            for row in self._read("currency.currency", {o["currency"] for o in orders}, ["code"])
        }
        outside = {p.id for p in self._places.values() if p.kind in ("supplier", "customer", "drop")}
        result = []
        for order in orders:
            order_lines = []
            for row in (lines[i] for i in order["lines"]):
                if row["type"] != "line" or not row["product"] or not codes.get(row["product"]):
                    continue
                done = sum(
                    (Decimal(str(m["quantity"])) for m in (moves[i] for i in row["moves"] or [])
                     if m["state"] == "done" and {m["from_location"], m["to_location"]} & outside), Decimal(0))  # fmt: skip
                quantity = Decimal(str(row["quantity"]))
                order_lines.append(OrderLine(str(row["id"]), codes[row["product"]], quantity, max(quantity - done, Decimal(0)),
                                             row["unit_price"] or Decimal(0)))  # fmt: skip
            party = parties[order["party"]]
            changed = order["write_date"] or order["create_date"]
            result.append(Order(
                id=str(order["id"]), number=order["number"] or str(order["id"]), reference=order["reference"] or "",
                partner=party["code"], partner_name=party["name"], state=ORDER_STATES.get(order["state"], "draft"),
                currency=currencies.get(order["currency"], ""), placed_on=order[f"{kind}_date"], wanted_on=order[names[-1]],
                changed_at=changed, lines=tuple(order_lines)))  # fmt: skip
        return sorted(result, key=lambda o: (o.changed_at, int(o.id)))

    # --- stock and master data --------------------------------------------------------------------------------

    def on_hand(self, locations: Sequence[str]) -> Iterator[OnHand]:
        for code in locations:
            context = {
                "locations": [self._place(code).id],
                "with_childs": False,
                "stock_date_end": self._today(),
            }
            for row in self._search(
                "product.product", [("type", "=", "goods")], ["code", "quantity"], **context
            ):
                if row["quantity"] and row["code"]:
                    yield OnHand(row["code"], code, Decimal(str(row["quantity"])))

    def products(self) -> Iterator[Product]:
        units = {row["id"]: row["name"] for row in self._search("product.uom", [], ["name"])}
        parties = {row["id"]: row["code"] for row in self._search("party.party", [], ["code"])}
        currencies = {row["id"]: row["code"] for row in self._search("currency.currency", [], ["code"])}
        offers = defaultdict(list)
        prices: dict[int, Row] = {}
        for row in self._search(
            "purchase.product_supplier.price", [], ["product_supplier", "quantity", "unit_price"]
        ):
            best = prices.get(row["product_supplier"])
            if best is None or row["quantity"] < best["quantity"]:
                prices[row["product_supplier"]] = row
        for row in self._search(
            "purchase.product_supplier", [], ["template", "party", "currency", "lead_time"]
        ):
            if price := prices.get(row["id"]):
                days = row["lead_time"].days if row["lead_time"] else 0
                offers[row["template"]].append(Offer(parties[row["party"]], price["unit_price"], currencies[row["currency"]], days,
                                                     Decimal(str(price["quantity"] or 0))))  # fmt: skip
        names = ["code", "template", "name", "default_uom", "lot_required", "list_price_used", "identifiers"]
        rows = list(self._search("product.product", [("type", "=", "goods")], names))
        identifiers = {row["id"]: row for row in self._read(
            "product.identifier", [i for row in rows for i in row["identifiers"]], ["type", "code"])}  # fmt: skip
        for row in rows:
            if not row["code"]:
                continue
            gtin = next(
                (identifiers[i]["code"] for i in row["identifiers"] if identifiers[i]["type"] == "ean"), None
            )
            yield Product(str(row["id"]), row["code"], row["name"], units[row["default_uom"]], gtin, bool(row["lot_required"]),
                          row["list_price_used"], tuple(offers[row["template"]]))  # fmt: skip

    def partners(self) -> Iterator[Partner]:
        suppliers = {row["party"] for row in self._search("purchase.product_supplier", [], ["party"])}
        suppliers |= {row["party"] for row in self._search("purchase.purchase", [], ["party"])}
        customers = {row["party"] for row in self._search("sale.sale", [], ["party"])}
        company = self._one("company.company", self._rpc.company, ["party"])["party"]
        for row in self._search("party.party", [], ["code", "name", "email"]):
            if row["id"] != company and row["code"]:
                is_supplier = row["id"] in suppliers
                yield Partner(str(row["id"]), row["code"], row["name"] or row["code"], row["email"] or None, is_supplier,
                              row["id"] in customers or not is_supplier)  # fmt: skip

    def locations(self) -> list[Location]:
        rows = list(self._search("stock.location", [], ["code", "name", "type", "parent"]))
        codes = {row["id"]: row["code"] or row["name"] for row in rows}
        return [
            Location(str(r["id"]), codes[r["id"]], r["name"], r["type"], codes.get(r["parent"])) for r in rows
        ]

    # --- what is known of Tryton's own keys ---------------------------------------------------------------------

    def _forget(self) -> None:
        self._remembered_at = self._now()
        self._products: dict[str, _Product] = {}
        self._parties: dict[str, _Party] = {}
        self._lots: dict[tuple[int, str], int] = {}
        self._places_: dict[str, _Place] | None = None
        self._currency_: int | None = None

    @property
    def _places(self) -> dict[str, _Place]:
        if self._places_ is None:
            names = [
                "code",
                "name",
                "type",
                "parent",
                "input_location",
                "output_location",
                "storage_location",
            ]
            rows = list(self._search("stock.location", [], names))
            places = {}
            for key in ("name", "code"):  # a code wins over another location's name
                for r in rows:
                    if r[key]:
                        places[r[key]] = _Place(r["id"], r["type"], r["parent"], r["input_location"], r["output_location"],
                                                r["storage_location"])  # fmt: skip
            self._places_ = places
        return self._places_

    @property
    def _currency(self) -> int:
        if self._currency_ is None:
            self._currency_ = int(self._one("company.company", self._rpc.company, ["currency"])["currency"])
        return self._currency_

    def _place(self, code: str) -> _Place:
        place = self._places.get(code) or self._other_side(code)
        if place is None:
            self._places_ = None
            place = self._places.get(code) or self._other_side(code)
        if place is None:
            raise ErpRefused(f"Tryton has no location with code or name {code!r}")
        return place

    def _other_side(self, word: str) -> _Place | None:
        """Our words for the virtual places, where no location of Tryton carries them as its code."""
        if word == "IN_TRANSIT":
            return self._places.get("TRANSIT") or self._places.get("Transit")
        kind = OTHER_SIDES.get(word)
        return min((p for p in self._places.values() if p.kind == kind), key=lambda p: p.id, default=None)

    def _warehouse_of(self, code: str) -> _Place:
        by_id = {place.id: place for place in self._places.values()}
        roots = {p.storage: p for p in by_id.values() if p.kind == "warehouse"} | {
            p.id: p for p in by_id.values() if p.kind == "warehouse"
        }
        inside = {i: p for p in by_id.values() if p.kind == "warehouse" for i in (p.input, p.output)}
        at: int | None = self._place(code).id
        while at is not None:
            if at in roots or at in inside:
                return roots.get(at) or inside[at]
            at = by_id[at].parent if at in by_id else None
        raise ErpRefused(f"Tryton's location {code!r} is in no warehouse")

    def _default_warehouse(self) -> int:
        return next(place.id for place in self._places.values() if place.kind == "warehouse")

    def _remember(self, documents: Sequence[Document]) -> None:
        self._remember_products([line.item for d in documents for line in d.lines])
        lots = set()
        for line in (line for d in documents for line in d.lines):
            product, number = self._products.get(line.item), line.lot or line.serial
            if product and product.tracks_lots and number and (product.id, number) not in self._lots:
                lots.add((product.id, number))
        if not lots:
            return
        domain = [
            ("product", "in", sorted({p for p, _ in lots})),
            ("number", "in", sorted({n for _, n in lots})),
        ]
        for row in sorted(
            self._search("stock.lot", domain, ["product", "number"]), key=lambda row: -row["id"]
        ):
            self._lots[(row["product"], row["number"])] = row["id"]
        missing = sorted(lot for lot in lots if lot not in self._lots)
        if missing:
            ids = self._rpc.call("model.stock.lot.create", [{"product": p, "number": n} for p, n in missing])
            self._lots |= dict(zip(missing, ids, strict=True))

    def _remember_products(self, codes: Iterable[str]) -> None:
        missing = sorted(set(codes) - set(self._products))
        if missing:
            names = ["code", "default_uom", "lot_required", "cost_price", "list_price_used"]
            for row in self._search("product.product", [("code", "in", missing)], names):
                self._products[row["code"]] = _Product(row["id"], row["code"], row["default_uom"], bool(row["lot_required"]),
                                                       row["cost_price"] or Decimal(0), row["list_price_used"] or Decimal(0))  # fmt: skip

    def _check_lines(self, document: Document) -> None:
        unknown = [line for line in document.lines if line.item not in self._products]
        if unknown:
            codes = ", ".join(sorted({line.item for line in unknown}))
            raise ErpUnknownItem(f"Tryton has no product with code {codes}", [line.key for line in unknown])
        if document.kind is Kind.SHIPMENT:
            for code in sorted({line.from_location for line in document.lines}):
                self._check_ships_from(code)
        lotless = [
            line
            for line in document.lines
            if self._products[line.item].tracks_lots and not (line.lot or line.serial)
        ]
        if lotless:
            codes = ", ".join(sorted({line.item for line in lotless}))
            raise ErpRefused(
                f"Tryton keeps {codes} by lot, and this has none", [line.key for line in lotless]
            )

    def _check_ships_from(self, code: str) -> None:
        try:
            self._warehouse_of(code)
        except ErpRefused as refused:
            if code not in self._places and self._other_side(code) is None:
                raise
            raise ErpRefused(
                f"{refused}: a customer's shipment leaves from inside a warehouse's storage zone only. "
                f"Make a location with code {code} there (type storage), then retry"
            ) from refused

    def _product(self, line: Line) -> _Product:
        return self._products[line.item]

    def _lot(self, line: Line) -> int | None:
        product = self._products[line.item]
        return self._lots[(product.id, line.lot or line.serial or "")] if product.tracks_lots else None

    def _party(self, code: str | None, role: str) -> _Party:
        if not code:
            raise ErpRefused(f"Tryton needs to know the {role}, and nothing here says who it is")
        if code not in self._parties:
            rows = list(self._search("party.party", [("code", "=", code)], ["addresses"]))
            if not rows:
                raise ErpRefused(f"Tryton has no party with code {code!r}")
            self._parties[code] = _Party(rows[0]["id"], next(iter(rows[0]["addresses"]), None))
        return self._parties[code]

    def _address_of(self, party: int) -> int | None:
        return next(iter(self._one("party.party", party, ["addresses"])["addresses"]), None)

    def _purchase(self, document: Document) -> Row:
        rows = self._read_existing(
            "purchase.purchase", [self._order_id(document)], ["party", "currency", "moves", "state", "number"]
        )
        if not rows:
            raise ErpRefused(f"Tryton has no purchase with id {document.order}")
        return rows[0]

    def _order_id(self, document: Document) -> int:
        if not document.order or not document.order.isdigit():
            raise ErpRefused(f"{document.order!r} is not the id of an order in Tryton")
        return int(document.order)

    def _read_existing(self, model: str, ids: list[int], names: Sequence[str]) -> list[Row]:
        return list(self._search(model, [("id", "in", ids)], names))

    def _stock_of(self, lines: Iterable[Line], *, to: bool) -> dict[Stock, Decimal]:
        sums: dict[Stock, Decimal] = defaultdict(Decimal)
        for line in lines:
            place = self._place(line.to_location if to else line.from_location)
            sums[(self._product(line).id, self._lot(line), place.id)] += line.quantity
        return dict(sums)

    def _short_of(self, document: Document, moves: list[Row]) -> ErpRefused | None:
        wanted = self._stock_of(document.lines, to=False)
        assigned = _sums([m for m in moves if m["state"] in ("assigned", "done")], "from_location")
        if assigned == wanted:
            return None
        short = {
            stock[:2] for stock, quantity in wanted.items() if assigned.get(stock, Decimal(0)) < quantity
        }
        lines = [line for line in document.lines if (self._product(line).id, self._lot(line)) in short]
        parts = set()
        for line in lines:
            stock = (self._product(line).id, self._lot(line), self._place(line.from_location).id)
            there, asked = assigned.get(stock, Decimal(0)).normalize(), wanted[stock].normalize()
            parts.add(f"{there:f} of {asked:f} {line.item}" + (f" lot {line.lot}" if line.lot else ""))
        said = ", ".join(sorted(parts))
        where = document.lines[0].from_location
        return ErpShortage(f"Tryton can take only {said} from {where}", [line.key for line in lines])

    def _today(self) -> date:
        return self._now().date()

    def _day(self, on: date) -> date:
        """Never in the future: Tryton would ask a person whether that is meant."""
        return min(on, self._today())

    # --- finding, making, ending a document ------------------------------------------------------------------------

    def _find(self, model: str, reference: str, *, by: str = "reference") -> Row | None:
        found = self._find_all(model, [reference], by=by).get(reference, [])
        keep = next(
            (row for row in found if row["state"] not in ("draft", "request")), found[0] if found else None
        )
        for row in (
            found
        ):  # a create whose answer was lost may land after we looked: only drafts, and only one may go on
            if keep is not None and row["id"] != keep["id"] and row["state"] == "draft":
                self._call(model, "delete", [row["id"]])
        return keep

    def _find_all(
        self,
        model: str,
        references: Sequence[str],
        *,
        by: str = "reference",
        names: Sequence[str] = ("state", "number"),
    ) -> dict[str, list[Row]]:
        found = defaultdict(list)
        for row in self._search(
            model, [(by, "in", list(references)), ("state", "!=", "cancelled")], [*names, by]
        ):
            found[row[by]].append(row)
        return {reference: sorted(rows, key=lambda row: int(row["id"])) for reference, rows in found.items()}

    def _take_out(
        self, model: str, document: int, refused: ErpRefused, *, order: str | None = None
    ) -> ErpRefused:
        """Remove a document of ours that was refused on its way; where that cannot be, the refusal says so."""
        try:
            state = self._one(model, document)["state"]
            if state == "assigned":
                self._call(model, "wait", [document])
            if state in ("assigned", "waiting"):
                self._call(model, "draft", [document])
                state = "draft"
            if state != "draft":
                return _remaining(refused)
            self._call(model, "delete", [document])
            if order:  # its moves went with the document; the purchase makes them anew
                self._call("purchase.purchase", "process", [int(order)])
        except ErpRefused:
            return _remaining(refused)
        return refused

    def _done(self, model: str, document: int) -> Posted:
        row = self._one(model, document)
        if row["state"] != "done":
            raise ErpRefused(f"Tryton left document {row['number']} in state {row['state']}", remains=True)
        return Posted(str(document), row["number"] or str(document))

    def _one(self, model: str, record: int, names: Sequence[str] = ("state", "number")) -> Row:
        (row,) = self._read(model, [record], names)
        return row

    def _read(self, model: str, ids: Iterable[int], names: Sequence[str]) -> list[Row]:
        ids = list(ids)
        rows: list[Row] = []
        for start in range(0, len(ids), PAGE):
            rows += self._rpc.call(f"model.{model}.read", ids[start : start + PAGE], list(names))
        return rows

    def _search(self, model: str, domain: list[Any], names: Sequence[str], **context: Any) -> Iterator[Row]:
        offset = 0
        while True:
            rows = self._rpc.call(
                f"model.{model}.search_read", domain, offset, PAGE, [("id", "ASC")], list(names), **context
            )
            yield from rows
            offset += PAGE
            if len(rows) < PAGE:
                return

    def _create(self, model: str, values: Row) -> int:
        (record,) = self._rpc.call(f"model.{model}.create", [values])
        return int(record)

    def _write(self, model: str, ids: list[int], values: Row) -> None:
        self._rpc.call(f"model.{model}.write", ids, values)

    def _call(self, model: str, button: str, ids: list[int]) -> None:
        self._rpc.call(f"model.{model}.{button}", ids)


def _picking(shipment: Row) -> list[int]:
    """The moves that take goods from the shelves."""
    direct = shipment["warehouse_output"] == shipment["warehouse_storage"]
    return list(shipment["outgoing_moves"] if direct else shipment["inventory_moves"])


def _sums(moves: Iterable[Row], where: str) -> dict[Stock, Decimal]:
    sums: dict[Stock, Decimal] = defaultdict(Decimal)
    for move in moves:
        if move["quantity"] and move["state"] != "cancelled":
            sums[(move["product"], move["lot"], move[where])] += Decimal(str(move["quantity"]))
    return dict(sums)


def _over(
    moves: list[Row], quantity: Decimal, room: dict[int, Decimal] | None = None
) -> list[tuple[Decimal, Row | None]]:
    """Spread a quantity over moves up to what each holds; what is over goes on the last (None: there is none)."""
    room = {m["id"]: Decimal(str(m["quantity"])) for m in moves} if room is None else room
    pieces: list[tuple[Decimal, Row | None]] = []
    for move in moves:
        piece = min(quantity, room[move["id"]])
        if piece > 0:
            pieces.append((piece, move))
            room[move["id"]] -= piece
            quantity -= piece
    if quantity > 0:
        if pieces:
            pieces[-1] = (pieces[-1][0] + quantity, pieces[-1][1])
        else:
            pieces.append((quantity, moves[-1] if moves else None))
    return pieces


def _fulfil(wanted: Counter[tuple[int, int | None]], expected: list[Row], on: date) -> list[Any]:
    """The commands that take a purchase's expected moves into a receipt, by product and lot. What is over goes on the last
    move of its product; what nobody ordered stays in `wanted`."""
    commands: list[Any] = []
    used: set[int] = set()
    room = {m["id"]: Decimal(str(m["quantity"])) for m in expected}
    for (product, lot), quantity in list(wanted.items()):
        mine = [m for m in expected if m["product"] == product]
        if not mine:
            continue
        for piece, move in _over(mine, Decimal(quantity), room):
            assert move is not None
            if move["id"] not in used:
                used.add(move["id"])
                commands.append(
                    ("write", [move["id"]], {"quantity": float(piece), "lot": lot, "planned_date": on})
                )
                commands.append(("add", [move["id"]]))
            else:
                copied = {
                    name: move[name]
                    for name in (
                        "product",
                        "unit",
                        "from_location",
                        "to_location",
                        "origin",
                        "unit_price",
                        "currency",
                    )
                }
                commands.append(
                    ("create", [copied | {"quantity": float(piece), "lot": lot, "planned_date": on}])
                )
        wanted[(product, lot)] = 0
    return commands


def _about(document: Document, refused: ErpRefused) -> ErpRefused:
    """Name the lines by the product codes in the ERP's words, where the refusal does not name them itself."""
    if refused.lines or isinstance(refused, ErpClosedPeriod) or len(document.lines) == 1:
        return refused
    named = [line.key for line in document.lines if f"[{line.item}]" in str(refused)]
    if named and len(named) < len(document.lines):
        return type(refused)(str(refused), named, remains=refused.remains)
    return refused


def _remaining(refused: ErpRefused) -> ErpRefused:
    return type(refused)(str(refused), refused.lines, remains=True)
