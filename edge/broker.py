"""Where the broker is and how a client of it is made: one notation for agents and backend.

`mqtt://user:password@host:1883`, or for TLS `mqtts://user:password@host:8883`; a certificate that the system does
not trust (a broker in the house has mostly its own authority) is named with `?ca_file=/etc/stowage/ca.pem`.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

CONNECT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Broker:
    host: str
    port: int = 1883
    tls: bool = False
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = None

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        ca_file: Path | None = None,
    ) -> Broker:
        """What is given beside the address goes before what stands in it. Raises ValueError with a sentence, which
        shows no password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError("a broker's address looks like mqtt://host:1883, or mqtts://host:8883 for TLS")
        options = parse_qs(parts.query, keep_blank_values=True)
        named = options.pop("ca_file", None)
        if options:
            raise ValueError(f"a broker's address knows ca_file, not {', '.join(sorted(options))}")
        tls = parts.scheme == "mqtts"
        ca_file = ca_file or (Path(named[-1]) if named else None)
        if ca_file:
            if not tls:
                raise ValueError("ca_file is for mqtts:// only; mqtt:// is not encrypted")
            _check_authority(ca_file)
        return cls(
            host=parts.hostname,
            port=port or (8883 if tls else 1883),
            tls=tls,
            ca_file=ca_file,
            username=username or (unquote(parts.username) if parts.username else None),
            password=password or (unquote(parts.password) if parts.password else None),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def public_url(self) -> str:
        """The address without account and files, as others may be told it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def client(
        self, client_id: str = "", *, manual_ack: bool = False, reconnect_on_failure: bool = True
    ) -> mqtt.Client:
        """With account and certificates, a clean session, not connected yet. Raises OSError where the file of the
        authority has gone."""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=True,
            manual_ack=manual_ack,
            reconnect_on_failure=reconnect_on_failure,
        )
        client.connect_timeout = CONNECT_S
        if self.username:
            client.username_pw_set(self.username, self.password)
        if self.tls:
            client.tls_set_context(ssl.create_default_context(cafile=self.ca_file))
        return client


def _check_authority(ca_file: Path) -> None:
    try:
        ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as e:
        raise ValueError(f"{ca_file} holds no certificate (PEM)") from e
    except OSError as e:
        raise ValueError(f"{ca_file}: {e.strerror}") from e
