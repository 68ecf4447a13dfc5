"""Finds the sentences that the backend writes for people, as templates: `{0} of {1} can be taken there.`

A sentence is what `ROOTS` says: the text of a refusal, of an alert, of a violation ... From there the source is followed
through what a reader would follow, too: both branches of a condition, a name that is assigned in the same function, the
elements of a join, a function that returns the text. Each literal on that way is a template of its own, its f-string's
values are numbered. A new kind of text: one line in ROOTS or RETURNS.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

ROOTS: Mapping[str, tuple[str | int, ...]] = {
    "open_alert": (4,),
    "RowError": (3,),
    "fail": (1,),
    "Violation": (1,),
    "Broken": (1,),
    "Unserved": (2,),
    "JobSlots": (1,),
    "Unacceptable": (1,),
    "Letter": ("reason",),
    "CannotPlan": (0,),
    "_Stuck": (0,),
    "RoadsDown": (0,),
    "RoadsRefused": (0,),
    "Step": (1,),
    "problem": (3,),
    "InvalidIdentifier": (0,),
    "_unserved": (3,),
    "_report": (3,),
    "report": (4,),
    "_out_of_place": (2,),
    "KnownTag": ("reason",),
    "Way": (5,),
    "Resolved": (3,),
    "Jsonb": (0,),
    "to_tray": (4,),
    "_fail": (3,),
    "progress": (0,),
    "PrinterProblem": (0,),
}
"""What is called -> which of its arguments is the text."""

KEYS = ("sentence", "detail")
"""Keys of a dict (the evidence of a discrepancy) that hold a text."""

TEXTS = ("str", "str | None", "list[str]")
"""What a function returns that is followed."""

STATEMENTS = ("unplanned_detail = %s", "problem = %s", "disabled_because = %s")
"""A statement with one of these takes texts among its parameters."""

RETURNS = {
    "backend/putaway/propose.py": (
        "_is_open",
        "_is_for_this_status",
        "_class_fits",
        "_has_room",
        "_items_mix",
        "_lots_mix",
        "_do_not_mix_among_themselves",
        "_score",
    ),
    "backend/dispatch/plan_run.py": ("_plainly",),
    "backend/dispatch/moves.py": ("why_in_tray", "_promises_broken"),
    "backend/shipping/shipment.py": ("label",),
    "routing/roads.py": ("_too_far",),
}
"""Functions that return texts, by file."""


REASONS: Mapping[str, tuple[str | int, ...]] = {
    "Move": (4, "reason"),
    "move_license_plate": ("reason",),
    "move_plate": ("reason",),
    "reverse": (3,),
    "unbook": (4,),
    "post": ("reason",),
    "cancel": (3,),
}
"""What moves stock -> which of its arguments says why."""

PARTS = {"sentences": ROOTS, "reasons": REASONS}
"""A part of the catalogue -> where its texts come from."""

ROOMS = ("backend", "routing", "device_drivers/gs1")
ONLY_A_COMMAND_LINE_SHOWS = ("routing/formats/", "backend/migrate", "backend/db.py")


@dataclass
class Sources:
    trees: dict[str, ast.Module] = field(default_factory=dict)
    functions: dict[str, list[tuple[str, ast.FunctionDef]]] = field(default_factory=dict)
    refusals: set[str] = field(default_factory=set)
    takes_lone_words: bool = False
    """Else a word alone is no sentence: the glossary has it."""


def sources() -> Sources:
    found = Sources()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not name.startswith(ONLY_A_COMMAND_LINE_SHOWS):
                found.trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    bases: dict[str, set[str]] = {}
    for name, tree in found.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_last(b) for b in node.bases)
            elif isinstance(node, ast.FunctionDef):
                found.functions.setdefault(node.name, []).append((name, node))
    for family in ("Refused", "ErpError"):
        known = {family}
        while grown := {c for c, b in bases.items() if b & known} - known:
            known |= grown
        found.refusals |= known
    return found


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@cache
def templates(part: str) -> dict[str, str]:
    """Template -> the first place it stands at (`file:line`)."""
    roots = PARTS[part]
    there = sources()
    there.takes_lone_words = roots is REASONS
    found: dict[str, str] = {}
    for name, tree in there.trees.items():
        for function, node in _calls(tree):
            for text in _roots(there, name, node, roots):
                _Walk(there, name, function, found).take(text)
        for defined in ast.walk(tree) if roots is ROOTS else ():
            if isinstance(defined, ast.ClassDef) and defined.name in there.refusals:
                _Walk(there, name, None, found).title(defined)
            if isinstance(defined, ast.FunctionDef) and defined.name in RETURNS.get(name, ()):
                _Walk(there, name, defined, found).returns(defined)
    return found


def _calls(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | None, ast.expr]]:
    """Calls and tuples, each with the function it stands in."""

    def visit(
        node: ast.AST, inside: ast.FunctionDef | None
    ) -> Iterator[tuple[ast.FunctionDef | None, ast.expr]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call | ast.Tuple | ast.Dict):
                yield inside, child
            yield from visit(child, child if isinstance(child, ast.FunctionDef) else inside)

    yield from visit(tree, None)


def _roots(
    there: Sources, name: str, node: ast.expr, roots: Mapping[str, tuple[str | int, ...]]
) -> Iterator[ast.expr]:
    """The texts that a call, a tuple (a constraint's refusal) or a dict (evidence) gives."""
    if isinstance(node, ast.Call):
        called = _last(node.func)
        wanted = roots.get(called, ())
        if roots is ROOTS and _is_refusal(there, name, called):
            wanted = (0, "expected", "seen")
        if roots is ROOTS and called == "execute" and any(s in ast.unparse(node.args[0]) for s in STATEMENTS):
            wanted = (1,)
        yield from (node.args[n] for n in wanted if isinstance(n, int) and n < len(node.args))
        yield from (k.value for k in node.keywords if k.arg in wanted)
    elif roots is ROOTS and isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        yield from (v for k, v in pairs if isinstance(k, ast.Constant) and k.value in KEYS)
    elif isinstance(node, ast.Tuple) and len(node.elts) == 3 and _last(node.elts[0]) in there.refusals:
        yield from node.elts[1:2] if roots is ROOTS else ()


def _is_refusal(there: Sources, name: str, called: str) -> bool:
    """A validator's ValueError is told in the answer, too."""
    return called in there.refusals or (called == "ValueError" and ("routes" in name or "/imports/" in name))


@dataclass
class _Walk:
    sources: Sources
    file: str
    function: ast.FunctionDef | None
    found: dict[str, str]
    seen: set[int] = field(default_factory=set)

    def take(self, node: ast.expr | None) -> None:
        if node is None or id(node) in self.seen:
            return
        self.seen.add(id(node))
        match node:
            case ast.Constant(value=str(text)):
                self._keep(node, text)
            case ast.JoinedStr():
                self._keep(node, _numbered(node))
                for part in node.values:
                    if isinstance(part, ast.FormattedValue):
                        self.take(part.value)
            case ast.IfExp():
                self.take(node.body)
                self.take(node.orelse)
            case ast.BoolOp():
                for each in node.values:
                    self.take(each)
            case ast.BinOp(
                left=ast.Constant(value=str(text)), op=ast.Add(), right=ast.Call(func=ast.Name("str"))
            ):
                self._keep(node, text + "{0}")
            case ast.BinOp(op=ast.Add()):
                self.take(node.left)
                self.take(node.right)
            case ast.NamedExpr():
                self.take(node.value)
            case ast.List() | ast.Tuple() | ast.Set():
                for each in node.elts:
                    self.take(each)
            case ast.Dict():
                for each in node.values:
                    self.take(each)
            case ast.ListComp() | ast.GeneratorExp():
                self.take(node.elt)
                for generator in node.generators:
                    self.take(generator.iter if isinstance(generator.iter, ast.Name) else None)
            case ast.Starred() | ast.Subscript():
                self.take(node.value)
            case ast.Name():
                self._assigned(node.id)
            case ast.Call():
                self._call(node)
            case _:
                pass

    def _call(self, node: ast.Call) -> None:
        called = _last(node.func)
        if (called == "join" and isinstance(node.func, ast.Attribute)) or called == "min":
            self.take(node.args[0])
        elif called in ("format", "rstrip", "get") and isinstance(node.func, ast.Attribute):
            self.take(node.func.value)
            for each in node.args[1:] if called == "get" else node.args:
                self.take(each)
        else:
            defined = self.sources.functions.get(called, [])
            here = [f for f in defined if f[0] == self.file] or (defined if len(defined) == 1 else [])
            for file, function in here:
                if function.returns is not None and ast.unparse(function.returns) in TEXTS:
                    _Walk(self.sources, file, function, self.found, self.seen).returns(function)

    def returns(self, function: ast.FunctionDef) -> None:
        for node in ast.walk(function):
            if isinstance(node, ast.Return):
                self.take(node.value)

    def title(self, refusal: ast.ClassDef) -> None:
        for node in refusal.body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Tuple)
                and isinstance(node.value, ast.Tuple)
            ):
                for name, value in zip(node.targets[0].elts, node.value.elts, strict=True):
                    if isinstance(name, ast.Name) and name.id == "title":
                        self.take(value)
            elif (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == "title"
            ):
                self.take(node.value)

    def _assigned(self, name: str) -> None:
        tree = self.sources.trees[self.file]
        if self.function is not None:
            self._passed(tree, self.function, name)
        for node in tree.body if self.function is None else (*tree.body, *ast.walk(self.function)):
            match node:
                case ast.Assign(targets=targets) if any(
                    isinstance(t, ast.Name) and t.id == name for t in targets
                ):
                    self.take(node.value)
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=given):
                    for several in (given.body, given.orelse) if isinstance(given, ast.IfExp) else (given,):
                        for one, value in zip(
                            names, several.elts if isinstance(several, ast.Tuple) else (), strict=False
                        ):
                            if isinstance(one, ast.Name) and one.id == name:
                                self.take(value)
                case ast.AnnAssign(target=ast.Name(id=found)) | ast.AugAssign(target=ast.Name(id=found)) if (
                    found == name
                ):
                    self.take(node.value)
                case ast.NamedExpr(target=ast.Name(id=found)) if found == name:
                    self.take(node.value)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=found), attr="append"), args=[value]) if (
                    found == name
                ):
                    self.take(value)
                case _:
                    pass

    def _passed(self, tree: ast.Module, function: ast.FunctionDef, name: str) -> None:
        """What the callers in this file give for a parameter."""
        parameters = [a.arg for a in function.args.args if a.arg != "self"]
        if name not in parameters:
            return
        for inside, node in _calls(tree):
            if isinstance(node, ast.Call) and _last(node.func) == function.name:
                given = dict(zip(parameters, node.args, strict=False))
                given |= {k.arg: k.value for k in node.keywords if k.arg}
                if name in given:
                    _Walk(self.sources, self.file, inside, self.found, self.seen).take(given[name])

    def _keep(self, node: ast.expr, text: str) -> None:
        text = text.rstrip()
        if (" " in text or self.sources.takes_lone_words) and re.search(
            "[A-Za-z]{2}", re.sub(r"\{\d+\}", "", text)
        ):
            self.found.setdefault(text, f"{self.file}:{node.lineno}")


def _numbered(node: ast.JoinedStr) -> str:
    said, number = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            for n, text in enumerate(str(part.value).split("{}")):  # filled by a later format()
                said += f"{{{number}}}{text}" if n else text
                number += n > 0
        else:
            said += f"{{{number}}}"
            number += 1
    return said
