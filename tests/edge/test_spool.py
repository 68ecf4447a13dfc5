"""The durable spool on a real file: numbers, acks, limits, damage, full disks and kill -9."""

from __future__ import annotations

import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge import messages
from edge.messages import BarcodeScanned, EventBatch, TagSighting, TagsSeen
from edge.spool import NewEvent, Position, Spool, SpoolDamaged, SpoolError, SpoolRefused

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def scan(text: str) -> NewEvent:
    return NewEvent(device="bench-1", data=BarcodeScanned(text=text), occurred_at=AT)


def seen(epc: str = "3034257BF7194E4000001A85") -> NewEvent:
    sighting = TagSighting(epc=epc, antenna=1, reads=3, first_at=AT, last_at=AT)
    return NewEvent(device="dock-1", data=TagsSeen(sightings=[sighting]), occurred_at=AT)


def fill(spool: Spool, why: str, length: int) -> int:
    """Scan until refused; how many were accepted."""
    for n in itertools.count():
        try:
            spool.append([scan(f"{n:0{length}}")])
        except SpoolRefused as e:
            return n if why in str(e) else -1
    raise AssertionError


def everything(spool: Spool) -> list[EventBatch]:
    batches: list[EventBatch] = []
    after = None
    while batch := spool.pending(after, messages.MAX_MESSAGE_BYTES):
        batches.append(messages.decode(EventBatch, batch.message("hq", "agent-1")))
        after = batch.last
    return batches


def texts(spool: Spool) -> list[str]:
    found = []
    for batch in everything(spool):
        for event in batch.events:
            data = messages.decode_data(event)
            found.append(data.text if isinstance(data, BarcodeScanned) else event.type)
    return found


def test_numbers_count_up_by_one_and_what_is_pending_reads_back_as_the_contract_says(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        assert spool.append([scan("a"), scan("b")]) == [1, 2]
        assert spool.append([scan("c")]) == [3]
        (batch,) = everything(spool)
        assert [e.seq for e in batch.events] == [1, 2, 3]
        assert batch.epoch == spool.epoch
        assert texts(spool) == ["a", "b", "c"]
        assert spool.depth == 3
        assert spool.oldest_at == AT


def test_only_an_ack_of_its_own_epoch_removes_a_row(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("a"), scan("b"), scan("c")])
        assert spool.epoch is not None
        assert spool.release("00" * 16, 3) == 0
        assert spool.release(spool.epoch, 2) == 2
        assert texts(spool) == ["c"]
        assert spool.release(spool.epoch, 2) == 0
        assert spool.append([scan("d")]) == [4]
        assert spool.depth == 2


def test_a_reopened_spool_keeps_its_rows_under_their_epoch_and_numbers_new_ones_in_another(
    tmp_path: Path,
) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("a"), scan("b")])
        first = spool.epoch
    with Spool(tmp_path / "spool.db") as spool:
        assert spool.epoch is None
        assert spool.append([scan("c")]) == [1]
        old, new = everything(spool)
        assert old.epoch == first
        assert [e.seq for e in old.events] == [1, 2]
        assert new.epoch == spool.epoch
        assert [e.seq for e in new.events] == [1]
        assert old.epoch != new.epoch
        assert first is not None
        assert spool.release(first, 2) == 2
        assert texts(spool) == ["c"]


def test_a_restored_copy_of_a_spool_never_reuses_a_number(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("a")])
    shutil.copy(tmp_path / "spool.db", tmp_path / "backup.db")
    sent: set[tuple[str, int]] = set()
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("b")])
        sent |= {(b.epoch, e.seq) for b in everything(spool) for e in b.events if b.epoch == spool.epoch}
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"spool.db{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", tmp_path / "spool.db")
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("c")])
        again = {(b.epoch, e.seq) for b in everything(spool) for e in b.events if b.epoch == spool.epoch}
    assert sent
    assert again
    assert not sent & again


def test_batches_stay_below_the_message_limit(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("x" * 4000) for _ in range(200)])
        sizes, count, after = [], 0, None
        while batch := spool.pending(after, messages.MAX_MESSAGE_BYTES - 512):
            sizes.append(len(batch.message("hq", "agent-1")))
            count += len(batch.events)
            after = batch.last
        assert count == 200
        assert len(sizes) > 2
        assert max(sizes) <= messages.MAX_MESSAGE_BYTES


def test_an_event_that_the_backend_could_not_read_gets_no_number(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        with pytest.raises(ValueError, match="length"):
            spool.append([scan("")])
        with pytest.raises(ValueError, match="time zone"):
            spool.append(
                [NewEvent(device="a", data=BarcodeScanned(text="a"), occurred_at=AT.replace(tzinfo=None))]
            )
        sightings = [TagSighting(epc="AB" * 60, antenna=1, reads=1, first_at=AT, last_at=AT)] * 2000
        with pytest.raises(ValueError, match="split it"):
            spool.append([NewEvent(device="a", data=TagsSeen(sightings=sightings), occurred_at=AT)])
        assert spool.depth == 0


def test_a_full_spool_gives_up_the_oldest_sightings_and_declares_each_without_a_gap(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=60_000) as spool:
        spool.append([scan("kept")])
        for n in range(400):
            spool.append([seen(f"{n:024X}")])
        batches = everything(spool)
        seqs = [e.seq for b in batches for e in b.events]
        types = [e.type for b in batches for e in b.events]
        assert seqs == list(range(1, len(seqs) + 1))
        assert types[0] == "barcode_scanned"
        assert types.count("events_lost") > 50
        assert types.count("events_lost") == spool.lost
        assert types[-1] == "tags_seen"
        assert types.count("events_lost") + types.count("tags_seen") == 400
        assert types.index("tags_seen") > types.count("events_lost")


def test_scans_are_refused_rather_than_lost_and_flow_again_after_an_ack(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=20_000) as spool:
        accepted = fill(spool, "limit", 10)
        assert spool.append([seen()]) == []
        assert spool.lost == 1
        assert texts(spool) == [f"{n:010}" for n in range(accepted)]
        assert spool.epoch is not None
        spool.release(spool.epoch, accepted)
        assert spool.append([scan("after")]) == [accepted + 2]
        assert texts(spool) == ["events_lost", "after"]


@pytest.mark.parametrize("seed", range(6))
def test_a_torn_file_is_moved_aside_said_loudly_and_the_agent_goes_on(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "spool.db"
    with Spool(path) as spool:
        spool.append([scan(f"code-{n}") for n in range(500)])
        before = spool.epoch
    damaged = bytearray(path.read_bytes())
    rng = random.Random(seed)
    if seed % 2:
        del damaged[rng.randrange(100, len(damaged) // 2) :]
    else:
        for start in range(0, len(damaged), 4096):
            damaged[start : start + 200] = rng.randbytes(200)
    path.write_bytes(bytes(damaged))
    with Spool(path) as spool:
        spool.append([scan("after")])
        assert spool.epoch != before
        assert texts(spool) == ["events_lost", "after"]
    (aside,) = (p for p in tmp_path.glob("spool.db.damaged-*") if not p.name.endswith(("-wal", "-shm")))
    assert aside.read_bytes() == bytes(damaged)


def test_a_file_that_breaks_while_in_use_says_so(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with Spool(path) as spool:
        spool.append([scan(f"code-{n}" * 100) for n in range(2000)])
    with Spool(path) as spool:
        with open(path, "r+b") as file:
            for start in range(4096, path.stat().st_size, 4096):
                file.seek(start)
                file.write(os.urandom(4096))
        with pytest.raises(SpoolDamaged, match="Start the agent again"):
            everything(spool)


def test_two_agents_cannot_share_a_spool(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db"), pytest.raises(SpoolError, match="Another agent"):
        Spool(tmp_path / "spool.db").open()


def test_an_unusable_folder_is_a_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="data_dir"):
        Spool(tmp_path / "file" / "spool.db").open()


def test_a_full_disk_refuses_the_event_and_later_goes_on(tmp_path: Path) -> None:
    """A file size limit of the process stands for the full disk: the same failing write reaches SQLite."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spool(tmp_path / "spool.db") as spool:
        spool.append([scan("before")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            accepted = 1 + fill(spool, "free space", 4000)
            assert accepted == spool.depth
            with pytest.raises(SpoolRefused, match="free space"):
                spool.append([scan("x" * 4000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert spool.append([scan("after")]) == [accepted + 1]
        assert len(texts(spool)) == accepted + 1
    with Spool(tmp_path / "spool.db") as spool:
        assert len(texts(spool)) == accepted + 1


WRITER = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from edge.messages import BarcodeScanned
    from edge.spool import NewEvent, Spool
    now = datetime.now(UTC)
    start = int(sys.argv[2])
    with Spool(Path(sys.argv[1])) as spool:
        for n in range(start, start + 100000):
            spool.append([NewEvent(device="b", data=BarcodeScanned(text=str(n)), occurred_at=now)])
            print(n, flush=True)
    """
)


def test_what_append_returned_is_there_after_kill_9_each_time(tmp_path: Path) -> None:
    rng = random.Random(7)
    told = -1
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "spool.db"), str(told + 1)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(rng.randrange(5, 60)):
            line = process.stdout.readline()
        process.kill()
        lines = [line, *process.stdout.read().splitlines()]
        process.wait()
        process.stdout.close()
        told = int(lines[-1])
        with Spool(tmp_path / "spool.db") as spool:
            stored = [int(t) for t in texts(spool)]
        assert stored[: told + 1] == list(range(told + 1))
        assert len(stored) <= told + 2  # the one that was stored but not yet said
        told = stored[-1]


def test_the_journal_of_an_open_passage_survives_until_its_event_is_stored(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db") as spool:
        spool.journal("dock-1", b"reads 1")
        spool.journal("dock-2", b"other")
        spool.journal("dock-1", b"reads 2")
    with Spool(tmp_path / "spool.db") as spool:
        (_, first), (upto, second) = spool.journalled("dock-1")
        assert [first, second] == [b"reads 1", b"reads 2"]
        spool.journal("dock-1", b"next passage")
        spool.append([scan("passage")], settles=("dock-1", upto))
        assert [body for _, body in spool.journalled("dock-1")] == [b"next passage"]
        spool.settle("dock-2", 99)
        assert spool.journalled("dock-2") == []


def test_positions_sort_as_they_are_sent() -> None:
    assert Position(1, 99) < Position(2, 1)
