"""One figure of `make bench`: a JSON line with what it must be and where it is going."""

from __future__ import annotations

from typing import Any

Figure = dict[str, Any]


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    must: float | None = None,
    aim: float | str | None = None,
    lower_is_better: bool = False,
    **more: Any,
) -> Figure:
    """`more` says how it was measured. Three digits below 100, whole above."""
    shown = {k: v for k, v in (("must", must), ("aim", aim)) if v is not None}
    better = {"better": "lower"} if lower_is_better else {}
    return {
        "figure": name,
        "value": round(value, 3 if abs(value) < 100 else None),
        "unit": unit,
        **shown,
        **better,
        **more,
    }


def misses(made: Figure) -> bool:
    """Whether it is on the wrong side of what it must be."""
    if "must" not in made:
        return False
    return bool(
        made["value"] > made["must"] if made.get("better") == "lower" else made["value"] < made["must"]
    )
