from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.brokers import RunningBroker, find_mosquitto


@pytest.fixture(params=["mosquitto", "amqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    """Each test that asks for it runs on both brokers."""
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    running = RunningBroker(request.param, tmp_path)
    running.start()
    yield running
    running.kill()
