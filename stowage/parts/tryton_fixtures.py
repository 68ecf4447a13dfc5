"""Fills a fresh Tryton database with the demo's company, warehouse, partners and products.

Run by Tryton's own Python, in Tryton's own virtual environment, and never imported by Stowage:

    python tryton_fixtures.py TRYTOND_CONF DATABASE CATALOG_TOML PASSWORD

It takes the demo's catalogue (stowage/demo/catalog.toml), so ERP and demo know the same goods by the same sku. It
creates master data only: the stock is zero. Location codes that Stowage's places point to: STO (storage), COLD and
QUA (inside storage), IN_TRANSIT (inside storage too: what our own vans have aboard, so that customers' shipments may leave
from there), SUP, CUS, LF (lost and found), TRANSIT.
"""

import datetime
import os
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any


def main(config_file: str, database: str, catalog_file: str, password: str) -> None:
    os.environ["TRYTOND_CONFIG"] = config_file
    from proteus import Model, config  # type: ignore[import-not-found]

    session = config.set_trytond(f"sqlite:///{database}?language=en", user="admin", config_file=config_file)
    catalog = tomllib.loads(Path(catalog_file).read_text(encoding="utf-8"))
    company = create_company(Model, session, catalog)
    accounts = create_accounts(Model, session, company)
    locations(Model)
    parties = create_parties(Model, catalog)
    create_products(Model, catalog, accounts, parties)
    create_integration_user(Model, company, password)


def create_company(model: Any, session: Any, catalog: dict[str, Any]) -> Any:
    from trytond.modules.company.tests.tools import (  # type: ignore[import-not-found]
        create_company as create,
    )
    from trytond.modules.company.tests.tools import get_company

    party = model.get("party.party")(name=catalog["company"]["name"])
    party.save()
    create(party=party, currency=catalog["currency"], config=session)
    return get_company(config=session)


def create_accounts(model: Any, session: Any, company: Any) -> Any:
    """The smallest books that purchases and sales can be invoiced on; this year and the next."""
    from trytond.modules.account.tests.tools import (  # type: ignore[import-not-found]
        create_chart,
        create_fiscalyear,
        get_accounts,
    )
    from trytond.modules.account_invoice.tests.tools import (  # type: ignore[import-not-found]
        create_payment_term,
        set_fiscalyear_invoice_sequences,
    )

    create_chart(company, config=session)
    today = datetime.datetime.now(datetime.UTC).date()
    for year in (today.year, today.year + 1):
        span = (datetime.date(year, 1, 1), datetime.date(year, 12, 31))
        fiscal_year = create_fiscalyear(company, span, config=session)
        fiscal_year.start_date, fiscal_year.end_date = span
        fiscal_year = set_fiscalyear_invoice_sequences(fiscal_year, config=session)
        fiscal_year.click("create_period")
    create_payment_term(config=session).save()
    accounts = get_accounts(company, config=session)
    category = model.get("product.category")(name="Goods", accounting=True)
    category.account_expense = accounts["expense"]
    category.account_revenue = accounts["revenue"]
    category.save()
    return category


def locations(model: Any) -> None:
    location = model.get("stock.location")
    (storage,) = location.find([("code", "=", "STO")])
    for code, name in (("COLD", "Cold Room"), ("QUA", "Quarantine"), ("IN_TRANSIT", "In transit")):
        location(code=code, name=name, type="storage", parent=storage).save()
    (lost_found,) = location.find([("type", "=", "lost_found")])
    lost_found.code = "LF"
    lost_found.save()
    (transit,) = location.find([("name", "=", "Transit")])
    transit.code = "TRANSIT"
    transit.save()


def create_parties(model: Any, catalog: dict[str, Any]) -> dict[str, Any]:
    party_model = model.get("party.party")
    (term,) = model.get("account.invoice.payment_term").find([], limit=1)
    parties = {}
    for entry in catalog["suppliers"] + catalog["customers"]:
        party = party_model(name=entry["name"], code=entry["code"])
        (address,) = party.addresses
        address.city = entry["city"]
        party.customer_payment_term = term
        party.supplier_payment_term = term
        if entry.get("email"):
            party.contact_mechanisms.new(type="email", value=entry["email"])
        party.save()
        parties[entry["code"]] = party
    return parties


def create_products(model: Any, catalog: dict[str, Any], category: Any, parties: dict[str, Any]) -> None:
    template_model = model.get("product.template")
    (unit,) = model.get("product.uom").find([("name", "=", "Unit")])
    (currency,) = model.get("currency.currency").find([("code", "=", catalog["currency"])])
    product_supplier = model.get("purchase.product_supplier")
    for item in catalog["items"]:
        template = template_model(name=item["name"], code=item["sku"], type="goods", default_uom=unit)
        template.list_price = Decimal(item["list_price"])
        template.salable = template.purchasable = True
        template.account_category = category
        if item["lot_tracked"]:
            # stock counts kept by lot wherever the goods are ours or pass to a customer
            template.lot_required = ["supplier", "customer", "storage"]
        (product,) = template.products
        product.cost_price = Decimal(item["cost_price"])
        product.identifiers.new(type="ean", code=item["gtin"])
        template.save()
        for source in item["suppliers"]:
            offer = product_supplier(template=template, party=parties[source["supplier"]], currency=currency)
            offer.lead_time = datetime.timedelta(days=source["lead_time_days"])
            offer.prices.new(quantity=0, unit_price=Decimal(source["price"]))
            offer.save()


def create_integration_user(model: Any, company: Any, password: str) -> None:
    """The account Stowage posts with: stock, purchase, sale and product rights, no administration."""
    user = model.get("res.user")(name="Stowage", login="stowage", password=password)
    groups = model.get("res.group")
    wanted = [
        "Stock", "Stock Administration", "Purchase", "Purchase Administrator", "Sales", "Sales Administrator",
        "Product Administration", "Account Product Administration", "Party Administration", "Accounting",
    ]  # fmt: skip
    found = groups.find([("name", "in", wanted)])
    if missing := set(wanted) - {group.name for group in found}:
        raise SystemExit(f"this Tryton has no group named {', '.join(sorted(missing))}")
    user.groups.extend(found)
    user.companies.append(company)
    user.company = company
    user.save()


if __name__ == "__main__":
    main(*sys.argv[1:])
