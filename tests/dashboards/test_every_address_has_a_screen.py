"""Every operation of the API is called by some screen, or stands here with the reason why no person needs it there."""

from __future__ import annotations

import json
import re

from tests.dashboards.sentences import ROOT

SCREENS = ROOT / "dashboards" / "src"

TYPED = re.compile(r"""\bapi\s*\.\s*(GET|POST|PUT|PATCH|DELETE)\(\s*["'](/api/v1/[^"']*)["']""")
"""A call of the typed client: the address as the API writes it."""

BUILT = re.compile(r"""[`"'](?:\$\{[^}]*\})?(/api/v1/(?:\$\{[^}]*\}|[^`"'?$])*)""")
"""An address that the browser itself asks (a picture, a download): these are reads."""

FOR_OTHERS = {
    "POST /api/v1/agents/enrol": "the agent itself trades its code for its secret",
    "POST /api/v1/asns": "a supplier's or the ERP's system announces goods; a person receives without it",
    "GET /api/v1/bench-scale/{device}/weight": "the program of a bench of one's own; ours weighs into the open carton by itself",
    "GET /api/v1/delivery-events": "another system follows all deliveries; a person sees a delivery's own events with it",
    "GET /api/v1/delivery-proofs/{proof_id}": "the list of an order's proofs holds the same",
    "GET /api/v1/items/{item_id}/packs": "the item comes with its packs",
    "GET /api/v1/license-plates/{code}": "another system asks; a person sees any plate on the unit's page",
    "POST /api/v1/license-plates": "another system says what is on its pallet; a person makes empty ones in a row",
    "GET /api/v1/lots": "another system asks; a person sees the lots with the item's stock",
    "GET /api/v1/map/tiles/{z}/{x}/{y}.mvt": "the map asks by the template that GET /api/v1/map names",
    "POST /api/v1/putaway-proposals": "another system asks where something could go; a putaway task comes with its proposal",
    "GET /api/v1/transfers/{transfer_id}": "the list holds the same",
    "GET /api/v1/waves/{wave_id}": "the list holds the same",
}
"""Operation -> who needs it instead of a person at a screen."""

DECLARED = re.compile(r"^(?:export )?(?:default )?(?:async )?(?:const|function|class) (\w+)", re.MULTILINE)


def sources() -> dict[str, str]:
    return {
        str(path.relative_to(SCREENS)): path.read_text(encoding="utf-8")
        for path in sorted(SCREENS.rglob("*.ts*"))
        if path.name != "schema.d.ts"
    }


def called(files: dict[str, str] | None = None) -> set[str]:
    """`METHOD /address` of what a used piece of the screens calls; a built address has `{}` for its values."""
    files = files or sources()
    found: set[str] = set()
    for name, text in files.items():
        for start, said in _calls(text):
            if _is_used(files, name, start):
                found.add(said)
    return found


def _calls(text: str) -> list[tuple[int, str]]:
    typed = [(m.start(), f"{m[1]} {m[2]}") for m in TYPED.finditer(text)]
    rest = TYPED.sub(lambda m: " " * len(m[0]), text)
    built = [(m.start(), "GET " + re.sub(r"\$\{[^}]*\}", "{}", m[1])) for m in BUILT.finditer(rest)]
    return typed + built


def _is_used(files: dict[str, str], name: str, at: int) -> bool:
    """A function of `data/` that no screen names calls nothing."""
    *_, declared = [None, *(m for m in DECLARED.finditer(files[name]) if m.start() <= at)]
    if declared is None or not name.startswith("data/"):
        return True
    word = re.compile(rf"\b{declared[1]}\b")
    module = name.removesuffix(".ts")
    here = files[name][: declared.start()] + files[name][declared.end() :]
    imports = re.compile(rf"""["'](?:@/{module}|\./{module.removeprefix("data/")})["']""")
    return bool(word.search(here)) or any(
        imports.search(text) and word.search(text) for other, text in files.items() if other != name
    )


def operations() -> set[str]:
    api = json.loads((ROOT / "dashboards" / "openapi.json").read_text(encoding="utf-8"))
    return {f"{method.upper()} {path}" for path, methods in api["paths"].items() for method in methods}


def has_screen(operation: str, by: set[str]) -> bool:
    return operation in by or re.sub(r"\{\w+\}", "{}", operation) in by


def test_every_operation_is_called_by_a_screen_or_is_for_others() -> None:
    by = called()
    lonely = sorted(o for o in operations() if not has_screen(o, by) and o not in FOR_OTHERS)
    assert not lonely, (
        "No screen calls these. Make them usable, or say in FOR_OTHERS who needs them instead:\n"
        + "\n".join(f"    {o}" for o in lonely)
    )


def test_what_is_for_others_is_called_by_no_screen_and_is_there() -> None:
    by, there = called(), operations()
    assert not [o for o in FOR_OTHERS if has_screen(o, by)], (
        "A screen calls these: take them out of FOR_OTHERS"
    )
    assert not [o for o in FOR_OTHERS if o not in there], (
        "The API has none of these: take them out of FOR_OTHERS"
    )


def test_a_function_that_no_screen_uses_calls_nothing() -> None:
    """The searcher itself: it sees a call, sees one built by hand, and is not taken in by what lies about unused."""
    files = {
        "data/things.ts": (
            'import { api } from "@/api/client";\n'
            'export const thingsQuery = () => api.GET("/api/v1/things");\n'
            'export const dropThing = () => api.DELETE("/api/v1/things/{id}");\n'
            "const photo = (id: string) => `/api/v1/things/${id}/photo?v=1`;\n"
            "export const photoOf = (id: string) => photo(id);\n"
        ),
        "screens/Things.tsx": 'import { thingsQuery } from "@/data/things";\nthingsQuery();\n',
    }
    assert called(files) == {"GET /api/v1/things", "GET /api/v1/things/{}/photo"}
    assert has_screen("GET /api/v1/things/{thing_id}/photo", called(files))
    assert not has_screen("DELETE /api/v1/things/{id}", called(files))
