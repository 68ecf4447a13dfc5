"""Problems from files: the benchmark formats of the literature, and our own JSON.

`read(path)` tells the format by the text itself (or is told) and answers an `Instance`: the problem in whole units, and the
`scale` that leads back to the file's own. A file that is not what it says raises `BadFile` with one sentence and the line.
To add a format: a file here with `read(text, name, options) -> Instance`, its line in `FORMATS`, and how to tell it in `_guess`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import Path

from routing.formats import json, lilim, solomon, vrplib
from routing.formats.instance import BadFile, Instance, Objective, Options, Rounding, bare, numbers

__all__ = ["FORMATS", "BadFile", "Instance", "Objective", "Options", "Rounding", "read"]

FORMATS: dict[str, Callable[[str, str, Options], Instance]] = {
    "solomon": solomon.read,
    "lilim": lilim.read,
    "vrplib": vrplib.read,
    "json": json.read,
}


def read(
    path: Path, format_: str = "auto", objective: Objective = "distance", rounding: Rounding | None = None
) -> Instance:
    """The instance in the file. BadFile where there is none that can be planned."""
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise BadFile(f"cannot read {path}: {e.strerror}") from e
    try:
        text = raw.decode("utf-16" if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if "\0" in text:
        raise BadFile(f"{path} is not a text file")
    text = "\n".join(text.splitlines())  # ends of lines of any kind
    if not text.strip():
        raise BadFile(f"{path} is empty")
    found = _guess(text) if format_ == "auto" else format_
    if found not in FORMATS:
        raise BadFile(
            f"{path} is none of {', '.join(FORMATS)}; name the format with --format if it is one of these"
        )
    try:
        return FORMATS[found](text, path.stem, Options(objective, rounding))
    except BadFile as e:
        raise BadFile(f"{path} (read as {found}): {e}") from e


def _guess(text: str) -> str | None:
    first = text.strip().splitlines()[0].strip()
    if first[0] in "{[":
        return "json"
    if re.search(r"^\s*(DIMENSION|EDGE_WEIGHT_TYPE)\s*:", text, re.M | re.I) or re.search(
        r"^\s*\w+_SECTION", text, re.M
    ):
        return "vrplib"
    if re.search(r"^\s*(VEHICLE|CUSTOMER|CUST)\b", text, re.M | re.I):
        return "solomon"
    if len(numbers(next((line for line in bare(text).splitlines() if line.strip()), "")) or ()) == 3:
        return "lilim"
    return None
