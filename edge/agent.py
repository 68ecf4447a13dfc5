"""The agent beside the devices: readings -> cleaning -> spool -> broker, until told to stop.

`run(config_path, stop)` is the whole program. The calling thread ticks the cleaning; each device and the uplink
have a thread of their own. Promises: a device is read on only when what it said is on disk; a device or a
driver that fails harms no other; the agent may be killed at any moment and goes on where it was.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog

from device_drivers.readings import Reading
from edge import messages
from edge.config import Config, DeviceSection, load
from edge.intake import Intake
from edge.messages import AgentStatus, Command
from edge.spool import Spool, SpoolDamaged, SpoolError, SpoolRefused
from edge.supervision import SupervisedDevice
from edge.uplink import Uplink

log = structlog.get_logger("edge.agent")

TICK_S = 0.05


def run(config_path: Path | str, stop: threading.Event) -> None:
    """Raises BadConfig, SpoolError. Returns soon after `stop` is set."""
    config = load(Path(config_path))
    with Spool(config.data_dir / "spool.db", config.spool_max_bytes) as spool:
        Agent(config, spool).run(stop)


class Agent:
    """The threads of one agent, joined together."""

    def __init__(self, config: Config, spool: Spool) -> None:
        self._config = config
        self._spool = spool
        self._ending = threading.Event()  # of our threads: set by `stop` or by a failure of one of ours
        self._failed: SpoolError | None = None
        self._intake = Intake(config.devices, spool)
        self._uplink = Uplink(
            config.site, config.code, config.broker, spool, status=self.status, on_command=self.obey
        )
        self._devices = {d.code: SupervisedDevice(d, self._take, self._ending) for d in config.devices}

    def run(self, stop: threading.Event) -> None:
        log.info("agent_started", site=self._config.site, agent=self._config.code, devices=len(self._devices))
        self._intake.resume()
        uplink = threading.Thread(target=self._run_uplink, name="uplink", daemon=True)
        uplink.start()
        for device in self._devices.values():
            device.start()
        refused = False
        try:
            while not stop.wait(TICK_S) and not self._ending.is_set():
                try:
                    if self._intake.tick():
                        self._uplink.wake()
                    if refused:
                        log.info("spool_accepts_again")
                    refused = False
                except SpoolRefused as e:
                    if not refused:
                        log.error("spool_refuses", why=str(e))
                    refused = True
                    stop.wait(1.0)
        finally:
            self._ending.set()
            until = time.monotonic() + 5.0
            for device in self._devices.values():
                device.join(max(0.1, until - time.monotonic()))
            uplink.join(5.0)
        if self._failed:
            raise self._failed
        log.info("agent_stopped", spool=self._spool.depth)

    def status(self) -> AgentStatus:
        return AgentStatus(
            v=messages.VERSION,
            state="online",
            at=datetime.now(UTC),
            version=VERSION,
            epoch=self._spool.epoch,
            spool_depth=self._spool.depth,
            spool_oldest_at=self._spool.oldest_at,
            events_lost=self._spool.lost,
            devices=[device.status() for device in self._devices.values()],
        )

    def obey(self, command: Command) -> None:
        log.info("command", command=command.command, device=command.device, id=command.id)
        if command.command == "report_status":
            self._uplink.report_status()
        elif command.device in self._devices:
            self._devices[command.device].command(command.command)
        else:
            log.warning("command_for_unknown_device", device=command.device, id=command.id)

    def _take(self, device: DeviceSection, readings: list[Reading]) -> None:
        try:
            if self._intake.take(device, readings):
                self._uplink.wake()
        except SpoolDamaged as e:
            self._end(e)
            raise

    def _run_uplink(self) -> None:
        try:
            self._uplink.run(self._ending)
        except SpoolError as e:
            self._end(e)

    def _end(self, failed: SpoolError) -> None:
        self._failed = failed
        self._ending.set()


try:
    VERSION = version("stowage")
except PackageNotFoundError:
    VERSION = "0.1.0"
