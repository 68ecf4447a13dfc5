"""The embedded parts: servers that `stowage run` brings along, so that nothing must be installed.

Each part is one file (`postgres`, `broker`, `tryton`) and has the shape of `Part`. A part is a child process
of ours: it has its own configuration and data folder, logs to a file, and dies with the process that started
it, however that one ends. To add a part: a file with a class of this shape, and a step in `stowage/run.py`.
"""

from typing import Protocol


class PartFailed(Exception):
    """A part could not start or stay up. The text is one sentence that says what to do."""


class Part(Protocol):
    """A server we start as our child. The constructor only stores arguments; `start` touches the world."""

    name: str
    """Short and lower-case; the name of its log file and of its step in the progress display."""

    def start(self) -> str:
        """Start, wait until usable, return the URL that programs connect to. Raises PartFailed.

        Calling it again after the process died starts it again with the same data and URL."""

    def running(self) -> bool:
        """The child process is alive (cheap; asked several times a second)."""

    def ready(self) -> bool:
        """It answers a real request now."""

    def stop(self) -> None:
        """Stop cleanly, then by force; returns when no process of it is left. Harmless when not started."""

    def describe(self) -> str:
        """One line for people: what it is, which version, where its data is."""
