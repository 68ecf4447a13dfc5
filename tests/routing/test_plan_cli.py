"""`stowage plan` from the outside: what it prints, in which units, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stowage import cli, plan_cli
from tests.routing.test_formats import CVRP, JSON, LILIM, SOLOMON


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


Said = Callable[..., Done]


@pytest.fixture
def stowage_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """The command as it is typed, in this process."""

    def run(file: Path, *options: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["stowage", "plan", str(file), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return run


def test_the_answer_has_its_six_keys_and_the_files_own_units(tmp_path: Path, stowage_plan: Said) -> None:
    file = tmp_path / "t3.txt"
    file.write_text(SOLOMON)
    found = stowage_plan(file, "--json", "--limit", "0.2").answer
    assert list(found) == ["cost", "vehicles", "feasible", "violations", "routes", "unserved"]
    assert (found["cost"], found["vehicles"], found["feasible"], found["violations"]) == (10.0, 1, True, [])
    assert found["routes"][0]["stops"] == ["2", "1"]
    assert found["routes"][0]["visits"][0]["start"] in (50.0, 60.0)


def test_each_format_can_be_named_and_is_planned(tmp_path: Path, stowage_plan: Said) -> None:
    for format_, text, stops in (("lilim", LILIM, ["1", "2"]), ("json", json.dumps(JSON), ["J-1"])):
        file = tmp_path / f"{format_}.dat"
        file.write_text(text)
        found = stowage_plan(file, "--json", "--limit", "0.2", "--format", format_).answer
        assert found["routes"][0]["stops"] == stops
    file = tmp_path / "tiny.vrp"
    file.write_text(CVRP)
    assert stowage_plan(file, "--json", "--limit", "0.2").answer["cost"] == 5 + 4 + 1 + 1


def test_a_person_reads_the_same(tmp_path: Path, stowage_plan: Said) -> None:
    file = tmp_path / "t3.txt"
    file.write_text(SOLOMON.replace("         7  ", "       700  "))
    done = stowage_plan(file, "--limit", "0.2")
    assert done.code == 0
    assert "T3: cost 10, 1 vehicles, feasible" in done.out
    assert "not served: 2 (too heavy): needs 700" in done.out


def test_a_reason_is_in_the_files_own_units(tmp_path: Path, stowage_plan: Said) -> None:
    """Solomon's times have no name, and a tenth of one is the smallest that is planned with."""
    file = tmp_path / "t3.txt"
    file.write_text(SOLOMON.replace("50        60", " 0       0.2").replace("161       171", "229       229"))
    details = {
        u["id"]: u["detail"] for u in stowage_plan(file, "--json", "--limit", "0.2").answer["unserved"]
    }
    assert details["2"].endswith(
        "is there 1.2 after its window closes. It fits with a window that closes 1.2 later."
    )
    assert details["1"].endswith("is back 14 after the end of its shift. It fits with a 14 longer shift.")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (SOLOMON.replace("         7  ", "        -7  "), (), "negative"),
        (SOLOMON[:-20], (), "cut off"),
        (SOLOMON, ("--format", "lilim"), "read as lilim"),
        ("nothing of the kind", (), "none of solomon, lilim, vrplib, json"),
        (json.dumps({**JSON, "jobs": [{"id": "J-1", "location": 7}]}), (), "place 7"),
    ],
)
def test_a_file_that_cannot_be_planned_ends_with_one_sentence(
    tmp_path: Path, stowage_plan: Said, text: str, options: tuple[str, ...], words: str
) -> None:
    file = tmp_path / "file.txt"
    file.write_text(text)
    done = stowage_plan(file, *options)
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("stowage: ")
    assert done.err.count("\n") == 1
    assert words in done.err


def test_a_long_plan_shows_its_progress_beside_its_answer(
    vectors: Path, stowage_plan: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_cli, "QUIET_S", 0.0)
    done = stowage_plan(vectors / "vrp" / "homberger_200" / "r1_2_1.txt", "--limit", "1.5", "--json")
    assert done.answer["feasible"] is True
    assert " s: " in done.err


def test_it_runs_as_a_program_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "t3.txt"
    file.write_text(SOLOMON)
    command = [
        sys.executable,
        "-m",
        "stowage",
        "plan",
        str(file),
        "--limit",
        "0.2",
        "--objective",
        "vehicles",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 vehicles, feasible" in done.stdout
