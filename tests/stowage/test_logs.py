"""One JSON object a line, with the correlation id of the work it was written in, also from libraries."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

PROGRAM = """
import logging, structlog
from stowage import logs
logs.set_up("worker", "info")
log = structlog.get_logger("backend.worker")
with structlog.contextvars.bound_contextvars(correlation_id="c-1"):
    log.info("posted", lines=3)
    logging.getLogger("library").warning("said %s", "this")
log.debug("not shown")
logging.getLogger("httpx").info("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def test_every_line_is_json_with_time_level_program_and_correlation_id() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["posted", "said this", "failed"]
    assert all(line["program"] == "worker" and line["at"].endswith("Z") for line in lines)
    assert [line.get("correlation_id") for line in lines] == ["c-1", "c-1", None]
    assert (lines[0]["lines"], lines[1]["level"]) == (3, "warning")
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert done.stderr == ""


def test_a_line_that_cannot_be_written_ends_no_work() -> None:
    program = (
        "import structlog; from stowage import logs; logs.set_up('worker'); log = structlog.get_logger();"
        "log.info('said', half='\\udcff', odd={(1, 2): 3}); log.error('again'); open('/dev/stderr', 'w').write('worked on')"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )  # fmt: skip
    assert done.stderr.startswith("worked on")
