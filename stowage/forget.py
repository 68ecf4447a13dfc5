"""`make clean`: forgets what `stowage run` keeps. Standard library only, so that it works before installing."""

import fcntl
import os
import shutil
import sys
import tomllib
from pathlib import Path


def data_dir() -> Path:
    """Where the run keeps its data, read as `stowage.config` reads it."""
    if os.environ.get("STOWAGE_DATA_DIR"):
        return Path(os.environ["STOWAGE_DATA_DIR"]).expanduser()
    file = Path(os.environ.get("STOWAGE_CONFIG") or "stowage.toml")
    if file.is_file():
        named = tomllib.loads(file.read_text()).get("data_dir")
        if isinstance(named, str):
            return file.parent / Path(named).expanduser()
    return Path(".stowage")


def forget(folder: Path) -> str:
    """Removes the folder when it is one of ours and nothing runs in it. Returns what was done."""
    if not folder.exists():
        return f"nothing to forget: there is no {folder}"
    lock = folder / "run.lock"
    if not lock.exists():
        sys.exit(f"{folder} was not made by Stowage (it has no run.lock); remove it yourself")
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(
                f"Stowage is running in {folder} (process {stream.read().strip()}); stop it with Ctrl-C first"
            )
        shutil.rmtree(folder)
    return f"forgotten: {folder}"


if __name__ == "__main__":
    print(forget(data_dir()))
