"""`prepare` from and to stores: the same clips as in a folder, resumed, and never half."""

from pathlib import Path

import fsspec
import pytest

from clips_made_here import counting_clip
from soundreel.dataset.build import prepare
from soundreel.dataset.exchange.shard_folder import import_shards
from soundreel.dataset.remote import ShardStore, prepare_shards
from soundreel.errors import DatasetError
from soundreel.recipe import recipe_from


def small(**changes):
    values = {"picture_size": 32, "every_seconds": "0.5", **changes}
    return recipe_from("default", **values)


@pytest.fixture
def clips(tmp_path) -> list[Path]:
    made = [counting_clip(tmp_path / f"clip {n}.mp4", 3, tone_hz=300 * n + 300) for n in range(3)]
    (tmp_path / "broken.mp4").write_bytes(made[0].read_bytes()[:2000])
    return [*made, tmp_path / "broken.mp4"]


@pytest.fixture
def memory():
    """The store of this process's memory, empty before and after."""
    store = fsspec.filesystem("memory")
    store.rm("/", recursive=True)
    yield store
    store.rm("/", recursive=True)


def fetched(store, folder: Path) -> Path:
    """What lies at memory://set, as a local folder."""
    for name in store.find("/set"):
        target = folder / Path(name).relative_to("/set")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.cat(name))
    return folder


def test_shards_hold_what_a_dataset_folder_holds(clips, memory, tmp_path):
    there = prepare_shards(clips, "memory://set", small())
    here = prepare(clips, tmp_path / "set", small())
    assert there.rows == here.rows
    assert there.recipe == here.recipe
    back = import_shards(fetched(memory, tmp_path / "fetched"), tmp_path / "back")
    for row in here.clips():
        assert [k for k, _ in here.frames(row.id)] == [k for k, _ in back.frames(row.id)]
        for (_, one), (_, other) in zip(here.frames(row.id), back.frames(row.id), strict=True):
            assert one.read_bytes() == other.read_bytes()
    assert not memory.exists("/set/unfinished")


def test_clips_may_come_from_a_store_as_well(clips, memory):
    for clip in clips:
        memory.pipe(f"/in/{clip.name}", clip.read_bytes())
    memory.pipe("/in/notes.txt", b"no clip")
    made = prepare_shards(["memory://in"], "memory://set", small())
    assert [row.id for row in made.rows] == ["broken", "clip-0", "clip-1", "clip-2"]
    assert made.rows[0].left_out
    assert sum(row.pairs for row in made.rows) > 10


def test_what_is_there_is_not_made_again(clips, memory, monkeypatch):
    """Stopped after the second clip, the same call makes only the others."""
    kept: list[str] = []
    keep = ShardStore.keep

    def stops_after_two(self, row, folder, prints):
        if len(kept) == 2:
            raise KeyboardInterrupt
        keep(self, row, folder, prints)
        kept.append(row.id)

    monkeypatch.setattr(ShardStore, "keep", stops_after_two)
    with pytest.raises(KeyboardInterrupt):
        prepare_shards(clips, "memory://set", small())
    assert not memory.exists("/set/recipe.json"), "it must not look finished"
    monkeypatch.setattr(ShardStore, "keep", keep)
    before = {name: memory.modified(name) for name in memory.find("/set/shards")}
    assert len(before) == 2
    made = prepare_shards(clips, "memory://set", small())
    assert {name: memory.modified(name) for name in before} == before
    assert len(memory.find("/set/shards")) == 3
    assert prepare_shards(clips, "memory://set", small()).rows == made.rows


def test_another_call_is_refused(clips, memory):
    prepare_shards(clips, "memory://set", small())
    with pytest.raises(DatasetError, match="another --out"):
        prepare_shards(clips[:2], "memory://set", small())


def test_nothing_usable_is_said(memory, tmp_path):
    (tmp_path / "words.mp4").write_text("no film")
    with pytest.raises(DatasetError, match="no clip can be used"):
        prepare_shards([tmp_path / "words.mp4"], "memory://set", small())
    assert not memory.exists("/set/recipe.json")


def test_clips_from_a_store_become_a_folder_here_too(clips, memory, tmp_path):
    for clip in clips:
        memory.pipe(f"/in/{clip.name}", clip.read_bytes())
    there = prepare(["memory://in"], tmp_path / "there", small())
    here = prepare(sorted(clips), tmp_path / "here", small())
    for one, other in zip(there.rows, here.rows, strict=True):
        assert (one.id, one.sha256, one.pairs, one.split) == (
            other.id,
            other.sha256,
            other.pairs,
            other.split,
        )
    for row in here.clips():
        for (_, frame), (_, same) in zip(here.frames(row.id), there.frames(row.id), strict=True):
            assert frame.read_bytes() == same.read_bytes()


@pytest.mark.slow
def test_a_ray_cluster_makes_the_same_folder(clips, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # or a token is kept in the home folder
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    on_cluster = prepare(clips, tmp_path / "on", small(), workers=2, engine="ray")
    here = prepare(clips, tmp_path / "here", small())
    assert on_cluster.rows == here.rows
    for row in here.clips():
        pairs = zip(here.frames(row.id), on_cluster.frames(row.id), strict=True)
        assert all(one.read_bytes() == other.read_bytes() for (_, one), (_, other) in pairs)
