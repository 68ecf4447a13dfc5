"""What physically happened, one JSON object a line in `demo/truth.jsonl`: the ledger can be compared with it.

It is also the world's own memory over a restart: what stands on a truck, which piece was lost from which bin. What
the system knows is never read from here: that is asked at the API.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Fact = dict[str, Any]


class Truth:
    def __init__(self, file: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._file, self._now, self._lock = file, now, threading.Lock()
        self.facts = read(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._out = file.open("a", encoding="utf-8")

    def note(self, what: str, **facts: Any) -> None:
        fact = {"at": self._now().isoformat(), "what": what, **facts}
        with self._lock:
            self.facts.append(fact)
            self._out.write(json.dumps(fact, ensure_ascii=False, separators=(",", ":")) + "\n")
            self._out.flush()

    def of(self, what: str) -> list[Fact]:
        with self._lock:
            return [f for f in self.facts if f["what"] == what]

    def close(self) -> None:
        self._out.close()


def read(file: Path) -> list[Fact]:
    """A last line that was cut short by a kill is left out."""
    facts: list[Fact] = []
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                facts.append(json.loads(line))
            except ValueError:
                continue
    return facts
