"""A port for a server that is started a moment later.

Never one of those that the system gives to outgoing connections (32768 and up on Linux, 49152 and up elsewhere): between the
choice and the start, any connection of any program may be given that one.
"""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

from stowage.parts import PartFailed

CHOICE = range(20000, 32000)


def free_port(last_time: int | None = None) -> int:
    """Of 127.0.0.1, used by nobody now; the same as `last_time` where that is still free. Raises PartFailed."""
    for port in ([last_time] if last_time else []) + random.sample(CHOICE, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PartFailed("no port is free on 127.0.0.1")


def remembered_port(note: Path) -> int:
    """Of 127.0.0.1, kept in the file `note` for those that were told it; another only where somebody has taken it.
    Raises PartFailed, OSError (the note cannot be written)."""
    last_time = None
    with contextlib.suppress(FileNotFoundError, ValueError):
        last_time = int(note.read_text(encoding="utf-8"))
    port = free_port(last_time)
    if port != last_time:
        note.write_text(f"{port}\n", encoding="utf-8")
    return port
