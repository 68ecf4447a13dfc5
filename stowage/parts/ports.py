"""A port for a server that is started a moment later.

Never one of those that the system gives to outgoing connections (32768 and up on Linux, 49152 and up elsewhere): between the
choice and the start, any connection of any program may be given that one.
"""

from __future__ import annotations

import random
import socket

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
