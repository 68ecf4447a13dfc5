"""Where an address is, by the map's own addresses: what a person wrote in, places with a score out."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Match:
    label: str
    lat: float
    lon: float
    score: float


class Addresses:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Addresses:
        return cls(
            sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        )

    def find(self, text: str, limit: int = 5) -> list[Match]:
        return []

    def best(self, text: str) -> Match | None:
        return None
