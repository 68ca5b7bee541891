"""Shards: WebDataset reads them, nothing is lost on the way there and back, and no tar that is
damaged or cut off passes for a whole one."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from soundreel.atomic import partial_folder
from soundreel.dataset.build import prepare
from soundreel.dataset.exchange.export import Form, export
from soundreel.dataset.exchange.shard_folder import import_shards, is_shards
from soundreel.dataset.exchange.shards import read_shard, write_clip_shards
from soundreel.dataset.exchange.side_by_side import import_pairs
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import ClipRow, Dataset, open_dataset, write_frame
from soundreel.errors import DatasetError, SettingsError, StorageError
from soundreel.media.sound import read_sound, write_sound
from soundreel.progress import Step
from soundreel.timeline import samples_before
from textured_clips import RATE_HZ, small_recipe, textured_clip, textured_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return textured_dataset(tmp_path_factory.mktemp("textured"))


@pytest.fixture(scope="module")
def shards(dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "shards"
    made = export(dataset.folder, "shards", out)
    assert (made.pairs, made.files) == (3 * 50, 3)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


def same_pairs(one: Dataset, other: Dataset) -> int:
    """How many pairs they have, all equal to the bit."""
    first, second = load_pairs(one, None), load_pairs(other, None)
    assert list(first.clip_ids) == list(second.clip_ids)
    for name in ("frames_N3HW", "clip_N", "end_sample_N", "time_seconds_N"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    every = range(len(first))
    assert (first.sound_images(every) == second.sound_images(every)).all()
    return len(first)


GRIDS = {
    "shared windows": {},
    "each picture": {"every_seconds": "frame"},
    "apart, from 0.4 s": {"every_seconds": "1/2", "start_seconds": "0.4"},
    "by minutes, at the beginning": {"every_seconds": 60},
}


@pytest.mark.parametrize("changes", GRIDS.values(), ids=GRIDS)
def test_there_and_back_nothing_changes(dataset, changes, tmp_path):
    clips = [Path(row.source) for row in dataset.rows]
    before = prepare(clips, tmp_path / "before", small_recipe(**changes))
    export(before.folder, "shards", tmp_path / "shards")
    after = import_shards(tmp_path / "shards", tmp_path / "after")
    one, other = contents(before.folder), contents(after.folder)
    assert one.keys() == other.keys()
    differing = {Path(name).name for name in one if one[name] != other[name]}
    assert differing <= {"README.md", "sound.flac"}, "the rest is the same to the bit"
    assert same_pairs(before, after) == sum(row.pairs for row in before.rows) > 0
    for row in before.rows:
        sound = read_sound(before.sound_path(row.id), RATE_HZ, "left")
        kept = read_sound(after.sound_path(row.id), RATE_HZ, "left")
        heard = np.zeros(len(kept), bool)
        for k, _ in before.frames(row.id):
            end = samples_before(before.time_of(row, k), RATE_HZ)
            heard[max(0, end - before.recipe.window_samples) : end] = True
            assert end <= max(len(kept), 1)
        assert (kept[heard] == sound[: len(kept)][heard]).all()


def test_webdataset_reads_them_as_the_readme_says(dataset, shards):
    webdataset = pytest.importorskip("webdataset")
    recipe = dataset.recipe
    seen: dict[str, list[int]] = {}
    for split in ("train", "val", "test"):
        names = (shards / f"{split}.txt").read_text().splitlines()
        tars = [str(shards / name) for name in names]
        assert len(tars) == len(dataset.clips(split))
        for sample in webdataset.WebDataset(tars, shardshuffle=False) if tars else ():
            about = json.loads(sample["json"])
            row = next(row for row in dataset.rows if row.id == about["clip"])
            assert row.split == split
            assert sample["__key__"] == f"{row.id}/{about['places'][0]:06}"
            pictures = {f"{k:06}.jpg" for k in about["places"]}
            members = {key for key in sample if not key.startswith("__")}
            assert members == {"json", "flac"} | pictures
            sound = read_sound(dataset.sound_path(row.id), RATE_HZ, "left")
            piece = _decoded(sample["flac"])
            frames = dict(dataset.frames(row.id))
            start = about["sound_start_sample"]
            for k, seconds, end in zip(
                about["places"], about["seconds"], about["end_samples"], strict=True
            ):
                assert Fraction(seconds) == Fraction(k, 20)
                window = sound[max(0, end - recipe.window_samples) : end]
                first = max(0, end - recipe.window_samples - start)
                assert np.array_equal(piece[first : end - start], window)
                assert sample[f"{k:06}.jpg"] == frames[k].read_bytes()
            seen.setdefault(row.id, []).extend(about["places"])
    assert seen == {row.id: list(range(50)) for row in dataset.rows}


def _decoded(flac: bytes) -> np.ndarray:
    """By FFmpeg's FLAC decoder straight from memory, not by our reader."""
    import av

    with av.open(io.BytesIO(flac), "r") as container:
        pieces = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(pieces).astype(np.float32) / 32768


def test_the_same_dataset_gives_the_same_bytes_without_times_or_owners(dataset, shards, tmp_path):
    export(dataset.folder, "shards", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(shards)
    for path in (shards / "shards").iterdir():
        with tarfile.open(path) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
                assert (member.uname, member.gname, member.mode) == ("", "", 0o644)
                assert set(member.pax_headers) <= {"path"}


def test_large_clips_come_in_parts(dataset, tmp_path):
    row = dataset.rows[0]
    folder = dataset.clip_folder(row.id)
    whole = write_clip_shards(folder, row, dataset.recipe, tmp_path / "whole")
    parts = write_clip_shards(folder, row, dataset.recipe, tmp_path / "parts", part_bytes=1000)
    assert [path.name for path in parts] == ["clip-0-000.tar", "clip-0-001.tar"]
    one = [stretch for path in whole for stretch in read_shard(path)]
    other = [stretch for path in parts for stretch in read_shard(path)]
    assert [stretch.places for stretch in one] == [tuple(range(32)), tuple(range(32, 50))]
    for first, second in zip(one, other, strict=True):
        assert first.frames == second.frames
        assert first.time_seconds == second.time_seconds
        assert np.array_equal(first.end_sample_K, second.end_sample_K)
        assert first.sound is not None
        assert second.sound is not None
        assert np.array_equal(first.sound, second.sound)


class OnlyRead:
    """A download: it cannot seek, knows no name, and gives as little as it likes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 777))


def test_a_download_that_cannot_seek_is_read_as_the_file_is(shards):
    path = next((shards / "shards").iterdir())
    one, other = list(read_shard(path)), list(read_shard(OnlyRead(path)))
    assert [stretch.frames for stretch in one] == [stretch.frames for stretch in other]
    assert len(one) == 2


def test_a_tar_cut_off_anywhere_is_refused(dataset, tmp_path):
    row = dataset.rows[0]
    few = sorted(dataset.clip_folder(row.id).glob("frames/*"))[::25]
    folder = tmp_path / "clip"
    (folder / "frames").mkdir(parents=True)
    for path in few:
        shutil.copy(path, folder / "frames")
    shutil.copy(dataset.sound_path(row.id), folder)
    (tar,) = write_clip_shards(folder, row, dataset.recipe, tmp_path)
    content = tar.read_bytes()
    end = len(content.rstrip(b"\0"))
    cut = tmp_path / "cut.tar"
    for size in [*range(0, end, 512), *range(1, end, 3571)]:
        cut.write_bytes(content[:size])
        with pytest.raises(DatasetError, match=r"cut\.tar: is damaged"):
            list(read_shard(cut))
    assert len(list(read_shard(tar))) > 1, "the cuts fell between stretches too"


def _tar(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


ABOUT = {
    "clip": "clip-0",
    "places": [0],
    "seconds": ["0"],
    "end_samples": [0],
    "sound_start_sample": 0,
    "sample_rate_hz": RATE_HZ,
}
NOT_OURS = {
    "text": b"dear diary\n" * 900,
    "no json": _tar({"a/0.jpg": b""}),
    "no object": _tar({"a/0.json": b"[]", "a/0.flac": b""}),
    "no numbers": _tar({"a/0.json": json.dumps({**ABOUT, "seconds": ["soon"]}).encode()}),
    "no sound": _tar({"a/0.json": json.dumps(ABOUT).encode(), "a/0.000000.jpg": b"x"}),
    "damaged sound": _tar(
        {"a/0.json": json.dumps(ABOUT).encode(), "a/0.000000.jpg": b"x", "a/0.flac": b"fLaC"}
    ),
    "a frame missing": _tar(
        {"a/0.json": json.dumps({**ABOUT, "places": [0, 1]}).encode(), "a/0.000000.jpg": b"x"}
    ),
}


@pytest.mark.parametrize("content", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_shard_is_named_and_leaves_nothing_behind(content, shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    (folder / "shards" / "clip-0-000.tar").write_bytes(content)
    with pytest.raises(DatasetError, match=r"clip-0-000\.tar: is damaged, or no shard of ours"):
        import_shards(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]


def test_shards_of_another_dataset_are_refused(dataset, shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    tars = folder / "shards"
    shutil.copy(tars / "clip-0-000.tar", tars / "clip-1-000.tar")
    with pytest.raises(DatasetError, match=r"clip-1-000\.tar: was made from another dataset"):
        import_shards(folder, tmp_path / "out")
    (tars / "clip-1-000.tar").rename(tars / "stranger-000.tar")
    with pytest.raises(DatasetError, match="its clip is not in"):
        import_shards(folder, tmp_path / "out")
    with pytest.raises(DatasetError, match="holds no shards"):
        import_shards(dataset.folder, tmp_path / "out")
    assert is_shards(shards)
    assert not is_shards(dataset.folder)
    assert not is_shards(tmp_path / "nowhere")


def test_what_was_deleted_by_hand_stays_deleted(dataset, tmp_path):
    shutil.copytree(dataset.folder, tmp_path / "dataset")
    pruned = open_dataset(tmp_path / "dataset")
    for _, path in pruned.frames("clip-0")[5:40]:
        path.unlink()
    shutil.rmtree(pruned.clip_folder("clip-1"))
    made = export(pruned.folder, "shards", tmp_path / "shards")
    assert (made.pairs, made.files) == (50 + 15, 2)
    after = import_shards(tmp_path / "shards", tmp_path / "after")
    left = {"clip-0": 15}
    assert list(after.rows) == [
        row.model_copy(update={"pairs": left.get(row.id, row.pairs)}) for row in pruned.rows
    ]
    assert same_pairs(pruned, after) == 65
    (tmp_path / "shards" / "shards" / "clip-0-000.tar").unlink()
    assert len(load_pairs(import_shards(tmp_path / "shards", tmp_path / "less"), None)) == 50


def test_stored_sound_images_travel_as_they_are(dataset, tmp_path):
    export(dataset.folder, "pairs", tmp_path / "pairs")
    stored = import_pairs(tmp_path / "pairs", tmp_path / "stored")
    export(stored.folder, "shards", tmp_path / "shards")
    after = import_shards(tmp_path / "shards", tmp_path / "after")
    one, other = contents(stored.folder), contents(after.folder)
    assert {name for name in one if one[name] != other[name]} == {"README.md"}
    assert same_pairs(stored, after) == 150
    (stretch, _) = read_shard(tmp_path / "shards" / "shards" / "clip-0-000.tar")
    assert stretch.sound is None
    assert stretch.sound_images is not None
    assert len(stretch.sound_images) == 32


def test_sound_that_ends_before_the_picture_is_silence_there(tmp_path):
    folder = tmp_path / "clip"
    (folder / "frames").mkdir(parents=True)
    for k in (0, 30, 60):
        write_frame(folder / "frames" / f"{k:06}_00000000.jpg", np.zeros((64, 64, 3), np.uint8), 90)
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, RATE_HZ).astype(np.float32)
    write_sound(folder / "sound.flac", sound, RATE_HZ)
    row = ClipRow(id="clip", title="", source="", bytes=0, sha256="")
    recipe = small_recipe(every_seconds="1/30")
    (tar,) = write_clip_shards(folder, row, recipe, tmp_path)
    none, some, beyond = read_shard(tar)
    kept = read_sound(folder / "sound.flac", RATE_HZ, "left")
    for stretch in (none, some, beyond):
        assert stretch.sound is not None
        assert len(stretch.sound) == max(1, stretch.end_sample_K[-1] - stretch.sound_start_sample)
    assert some.sound is not None
    assert np.array_equal(some.sound, kept[-recipe.window_samples :])
    assert beyond.sound is not None
    assert not beyond.sound.any()


def test_a_frame_that_is_no_jpeg_is_named(dataset, tmp_path):
    shutil.copytree(dataset.folder, tmp_path / "dataset")
    path = dataset.frames("clip-0")[0][1]
    copied = tmp_path / "dataset" / path.relative_to(dataset.folder)
    copied.rename(copied.with_suffix(".png"))
    with pytest.raises(DatasetError, match=r"\.png: frames in shards are JPEG"):
        export(tmp_path / "dataset", "shards", tmp_path / "out")


def test_what_is_there_is_not_overwritten_and_the_same_import_returns(dataset, shards, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "diary.txt").write_text("mine")
    steps: list[Step] = []
    with pytest.raises(StorageError, match="exists already"):
        export(dataset.folder, "shards", full, progress=steps.append)
    assert not steps, "refused before any work"
    with pytest.raises(DatasetError, match="not a dataset"):
        import_shards(shards, full)
    assert contents(full) == {"diary.txt": b"mine"}
    with pytest.raises(SettingsError, match="exported to pairs or shards"):
        export(dataset.folder, cast("Form", "onnx"), tmp_path / "model")
    import_shards(shards, tmp_path / "out")
    before = contents(tmp_path / "out")
    import_shards(shards, tmp_path / "out")
    assert contents(tmp_path / "out") == before
    other = prepare([textured_clip(tmp_path / "o.mp4", 9, 1)], tmp_path / "other", small_recipe())
    export(other.folder, "shards", tmp_path / "other shards")
    with pytest.raises(DatasetError, match="other clips"):
        import_shards(tmp_path / "other shards", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    import_shards(shards, tmp_path / "empty")
    shutil.rmtree(other.folder / "clips")
    with pytest.raises(DatasetError, match="no clip with a frame"):
        export(other.folder, "shards", tmp_path / "nothing")
    assert not partial_folder(tmp_path / "nothing").exists()


@pytest.mark.parametrize("form", ["pairs", "shards"])
def test_a_killed_export_never_looks_finished_and_the_next_one_is_whole(dataset, form, tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from soundreel.dataset.exchange.export import Form, export\n"
        "def die(step):\n"
        "    if step.task == 'export' and step.done >= 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "export(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), progress=die)\n"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-c", code, str(dataset.folder), form, str(out)]
    killed = subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert any(partial_folder(out).rglob("*"))
    export(dataset.folder, form, out)
    export(dataset.folder, form, tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")
    assert not partial_folder(out).exists()
