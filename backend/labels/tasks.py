"""Printing: a job a label. A printer that does not answer is tried again with growing waits, then the label says why."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import UUID

from backend import jobs
from backend.db import Conn

TIMEOUT_S = 10.0
GIVES_UP_AFTER = 5


class PrinterProblem(RuntimeError):
    """The printer did not take the label. The text says what to look at."""


@jobs.task("labels_print", what="Printing a label", owns_transaction=True, retries=GIVES_UP_AFTER)
def print_waiting_label(conn: Conn, label_id: str, site_id: str | None = None) -> None:
    """Sends the ZPL. After a crash in between a label may come out twice, never not at all."""
    row = conn.execute(
        """select l.zpl, p.kind, p.target, p.code from label l join printer p on p.id = l.printer_id
           where l.id = %s and l.state in ('waiting', 'failed')""",
        [UUID(label_id)],
    ).fetchone()
    if row is None:
        return
    zpl, kind, target, code = row
    try:
        send(kind, target, label_id, zpl)
    except (OSError, PrinterProblem, ValueError) as e:
        problem = f"Printer {code} ({target}): {e}. Check power, paper and cable, then print again."
        conn.execute(
            "update label set state = 'failed', problem = %s where id = %s", [problem, UUID(label_id)]
        )
        raise PrinterProblem(problem) from e
    conn.execute(
        """update label set state = 'printed', problem = null, printed = printed + 1, printed_at = clock_timestamp() where id = %s""",
        [UUID(label_id)],
    )


def send(kind: str, target: str, name: str, zpl: str) -> None:
    """To a folder (written aside, then renamed) or to a raw TCP printer. Raises OSError, PrinterProblem."""
    if kind == "folder":
        folder = Path(target)
        if not folder.is_dir():
            raise PrinterProblem("the folder is not there")
        aside = folder / f".{name}.part"
        with aside.open("w", encoding="utf-8") as f:
            f.write(zpl)
            f.flush()
            os.fsync(f.fileno())
        number = 1
        while (final := folder / f"{name}{'' if number == 1 else f'-{number}'}.zpl").exists():
            number += 1
        aside.rename(final)
        return
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_S) as printer:
        printer.sendall(zpl.encode("utf-8"))
        printer.shutdown(socket.SHUT_WR)
