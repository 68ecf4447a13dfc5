"""The brokers of the tests end with the tests, also with tests that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.edge.brokers import find_mosquitto, wait_for

ROOT = Path(__file__).parents[2]
STARTS_ONE = """
import sys, time
from pathlib import Path
from tests.edge.brokers import RunningBroker
broker = RunningBroker(sys.argv[1], Path(sys.argv[2]))
broker.start()
print(broker.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_a_broker_dies_with_a_test_that_is_killed(kind: str, tmp_path: Path) -> None:
    if kind == "mosquitto" and find_mosquitto() is None:
        missing("mosquitto", "apt-get install mosquitto")
    test = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, kind, tmp_path], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert test.stdout is not None
    broker = int(test.stdout.readline())
    assert runs(broker)
    test.kill()
    test.wait()
    test.stdout.close()
    wait_for(lambda: not runs(broker), "the broker has ended")


def runs(pid: int) -> bool:
    """A zombie that nobody has collected does not run."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
