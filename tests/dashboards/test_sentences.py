"""Every sentence that the backend writes for a person has its Chinese, and the catalogue holds nothing else."""

from __future__ import annotations

import ast
import json
import re

import pytest

from tests.dashboards.sentences import PARTS, ROOT, templates

CATALOGUE = "dashboards/src/i18n/sentences.zh.json"


def _catalogue() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((ROOT / CATALOGUE).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("part", PARTS)
def test_every_sentence_of_the_backend_has_its_chinese(part: str) -> None:
    there = _catalogue()
    known = set(there[part]) | set(there["words"])
    missing = {text: at for text, at in templates(part).items() if text not in known}
    assert not missing, f'Translate these: add a line each to "{part}" in {CATALOGUE}\n' + "\n".join(
        f'    {json.dumps(text)}: "...",      from {at}' for text, at in missing.items()
    )


@pytest.mark.parametrize("part", PARTS)
def test_the_catalogue_holds_no_sentence_that_nobody_writes(part: str) -> None:
    dead = set(_catalogue()[part]) - set(templates(part))
    assert not dead, (
        f'No line of the backend writes these any more: take them out of "{part}" in {CATALOGUE}\n'
        + "\n".join(f"    {json.dumps(text)}" for text in sorted(dead))
    )


@pytest.mark.parametrize("part", ["sentences", "validation", "reasons"])
def test_a_translation_says_all_that_the_sentence_says(part: str) -> None:
    wrong = {
        english: chinese
        for english, chinese in _catalogue()[part].items()
        if _blanks(re.sub(r"(?<=[a-z])\{\d+\}", "", english)) != _blanks(chinese)
        and _blanks(english) != _blanks(chinese)
    }
    assert not wrong, (
        f"The numbers in braces (or in <> where the value is translated) must be the same in {CATALOGUE}: {wrong}"
    )


def _blanks(text: str) -> list[str]:
    """An English plural's ending (`minute{1}`) needs no counterpart."""
    return sorted(re.findall(r"[{<](\d+)[}>]", text))


def test_every_kind_of_discrepancy_has_its_word() -> None:
    raised = {
        argument.value
        for file in (ROOT / "backend").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("raise_discrepancy", "_raise")
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }  # fmt: skip
    assert "receipt_short" in raised
    for language in ("en", "zh"):
        words = ROOT / "dashboards" / "src" / "i18n" / language / "discrepancies.json"
        assert raised <= set(json.loads(words.read_text())["kind"]), language
