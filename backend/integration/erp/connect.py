"""From STOWAGE_ERP_URL to a connector: `tryton+http://user:password@host:port/database`."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from backend.integration.erp.connector import Connector
from backend.integration.erp.tryton import TrytonConnector

CONNECTORS: dict[str, Callable[[str], Connector]] = {
    "tryton+http": TrytonConnector.from_url,
    "tryton+https": TrytonConnector.from_url,
}


class UnknownErp(ValueError):
    """STOWAGE_ERP_URL names an ERP for which there is no connector."""


def connect(erp_url: str) -> Connector:
    """Nothing is sent yet. Raises UnknownErp."""
    scheme = urlsplit(erp_url).scheme
    if scheme not in CONNECTORS:
        raise UnknownErp(f"STOWAGE_ERP_URL starts with {scheme!r}; known are {', '.join(sorted(CONNECTORS))}")
    return CONNECTORS[scheme](erp_url)
