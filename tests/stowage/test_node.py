"""Building the screens: with the machine's Node or the packaged one, once, and only when something changed."""

import shutil
from pathlib import Path

import pytest

from stowage.parts import PartFailed, node
from stowage.parts.node import MINIMUM, Node, build_screens, find_node, sources_hash


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a stand-in for Vite that does what its command line says, run by a real Node."""
    folder = tmp_path / "screens"
    vite = folder / "node_modules/vite/bin"
    vite.mkdir(parents=True)
    (vite / "vite.js").write_text(
        "const fs = require('fs'); const out = process.argv[process.argv.indexOf('--outDir') + 1];\n"
        "if (fs.readFileSync('main.ts', 'utf8').includes('wrong')) { console.error('main.ts: wrong'); process.exit(1); }\n"
        "fs.mkdirSync(out, {recursive: true}); fs.copyFileSync('main.ts', out + '/index.html');\n"
        "fs.appendFileSync('../builds', 'x');\n"
    )
    (folder / "package-lock.json").write_text(
        '{"packages": {"": {}, "node_modules/vite": {"integrity": "1"}}}'
    )
    (folder / "node_modules/.package-lock.json").write_text(
        '{"packages": {"node_modules/vite": {"integrity": "1"}}}'
    )
    (folder / "main.ts").write_text("one")
    return folder


def builds(project: Path) -> int:
    note = project.parent / "builds"
    return len(note.read_text()) if note.exists() else 0


def test_the_screens_are_built_once_and_again_when_a_source_changes(project: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert (build_screens(project, log) / "index.html").read_text() == "one"
    build_screens(project, log)
    assert builds(project) == 1
    (project / "main.ts").write_text("two")
    assert (build_screens(project, log) / "index.html").read_text() == "two"
    assert builds(project) == 2


def test_a_build_that_fails_is_said_with_its_words_and_keeps_the_last_good_one(
    project: Path, tmp_path: Path
) -> None:
    build_screens(project, tmp_path / "log")
    (project / "main.ts").write_text("wrong")
    with pytest.raises(PartFailed, match=r"main\.ts: wrong"):
        build_screens(project, tmp_path / "log")
    assert (project / "dist" / "index.html").read_text() == "one"


def test_what_is_built_or_installed_does_not_count_as_source(project: Path) -> None:
    before = sources_hash(project)
    (project / "dist").mkdir()
    (project / "dist" / "index.html").write_text("built")
    (project / "node_modules" / "more").write_text("installed")
    assert sources_hash(project) == before
    (project / "new.ts").write_text("")
    assert sources_hash(project) != before


def test_a_machine_without_node_uses_the_packaged_one(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_node()
    assert found.origin == "packaged"
    assert found.version >= MINIMUM
    assert (build_screens(project, tmp_path / "log") / "index.html").read_text() == "one"


def test_a_machine_with_an_old_node_uses_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.19.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert find_node().origin == "packaged"


def test_without_any_node_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(node, "find_spec", lambda _: None)
    with pytest.raises(PartFailed, match=r"needs Node\.js 20\.19 or newer"):
        find_node()


def test_a_full_disk_while_building_is_said_in_words(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(node, "_run", full)
    with pytest.raises(PartFailed, match="No space left on device; free disk space"):
        build_screens(project, project / "log")


def test_the_real_node_is_described_for_people() -> None:
    assert Node(Path("/n"), Path("/npm"), (22, 1), "packaged").describe() == "Node.js 22.1 (packaged)"
    assert shutil.which("node") is None or find_node().describe().startswith("Node.js ")
