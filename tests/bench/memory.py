"""How much memory a process takes: its proportional set size, shared pages counted by part."""

from __future__ import annotations

import re
from pathlib import Path


def pss_mb(process: Path) -> float:
    """`process`: its folder in /proc. Raises OSError where it has ended."""
    kb = re.search(r"^Pss: +(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE)
    return int(kb[1]) / 1024 if kb else 0.0
