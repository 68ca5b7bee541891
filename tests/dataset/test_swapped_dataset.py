"""A control dataset: other sounds, the same pictures, and nothing else that differs."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from soundreel.atomic import partial_folder
from soundreel.dataset.build import prepare
from soundreel.dataset.exchange.export import export
from soundreel.dataset.exchange.side_by_side import import_pairs
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import ClipRow, Dataset, Sameness, open_dataset, write_rows
from soundreel.dataset.swapped import lengthened, swapped_dataset, swapped_songs
from soundreel.errors import DatasetError
from soundreel.media.sound import read_sound
from textured_clips import RATE_HZ, small_recipe, textured_clip

SECONDS = [2.5, 2.0, 1.0, 2.5, 1.5, 2.0]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    """Six clips of 1 to 2.5 s, one or more of them held out."""
    folder = tmp_path_factory.mktemp("clips")
    made = [
        textured_clip(folder / f"clip {n}.mp4", n, seconds) for n, seconds in enumerate(SECONDS)
    ]
    found = prepare(made, folder / "dataset", small_recipe(held_out_fraction=0.2))
    assert len(found.clips("train")) == 5
    return found


@pytest.fixture(scope="module")
def swapped(dataset, tmp_path_factory) -> Dataset:
    return swapped_dataset(dataset, tmp_path_factory.mktemp("swapped") / "control", seed=1)


def heard(dataset: Dataset, clip: str) -> np.ndarray:
    return read_sound(dataset.sound_path(clip), RATE_HZ, "left")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


def test_every_training_clip_has_the_sound_of_another(dataset, swapped):
    sound_of = json.loads((swapped.folder / "swapped.json").read_text())["sound_of"]
    training = [row.id for row in dataset.clips("train")]
    assert sorted(sound_of) == sorted(sound_of.values()) == sorted(training)
    for clip, other in sound_of.items():
        assert clip != other
        own, there, source = heard(dataset, clip), heard(swapped, clip), heard(dataset, other)
        assert len(there) >= len(own)
        fade = 882  # samples of 20 ms
        common = min(len(there), len(source) - fade)
        np.testing.assert_array_equal(there[:common], source[:common])
        again = there[len(source) : len(own)][: len(source) - 2 * fade]  # begins anew
        np.testing.assert_array_equal(again, source[fade:][: len(again)])
    # One after the other, the songs go round all clips.
    clip, seen = training[0], []
    while clip not in seen:
        seen.append(clip)
        clip = sound_of[clip]
    assert len(seen) == len(training)


def test_pictures_splits_and_held_out_clips_stay(dataset, swapped):
    assert [(row.id, row.split, row.pairs) for row in swapped.rows] == [
        (row.id, row.split, row.pairs) for row in dataset.rows
    ]
    assert swapped.recipe == dataset.recipe
    for row in dataset.rows:
        frames, there = dataset.frames(row.id), swapped.frames(row.id)
        assert [(k, path.name) for k, path in frames] == [(k, path.name) for k, path in there]
        assert all(
            a.read_bytes() == b.read_bytes() for (_, a), (_, b) in zip(frames, there, strict=True)
        )
    for split in ("val", "test"):
        one, other = load_pairs(dataset, split), load_pairs(swapped, split)
        assert list(one.clip_ids) == list(other.clip_ids)
        for sound, same in zip(one.sounds, other.sounds, strict=True):
            np.testing.assert_array_equal(sound, same)
    assert swapped.clips("val")


def test_it_loads_as_pairs_with_other_sound_images(dataset, swapped):
    one, other = load_pairs(dataset, "train"), load_pairs(swapped, "train")
    for name in ("frames_N3HW", "clip_N", "end_sample_N", "time_seconds_N"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    images, changed = (pairs.sound_images(range(len(pairs))).numpy() for pairs in (one, other))
    differ = np.abs(images - changed).mean(axis=(1, 2, 3))
    assert (differ > 0.02).mean() > 0.95
    # No stretch of silence where a song was too short.
    assert changed.mean(axis=(1, 2, 3)).min() > images.mean(axis=(1, 2, 3)).min() - 0.3


def test_it_says_that_it_is_a_control(dataset, swapped):
    readme = (swapped.folder / "README.md").read_text(encoding="utf-8")
    assert "control" in readme
    assert "seed 1" in readme
    sound_of = json.loads((swapped.folder / "swapped.json").read_text())["sound_of"]
    before = {row.id: row for row in dataset.rows}
    for row in swapped.rows:
        if row.split == "train":
            assert "control: with the sound of " + before[sound_of[row.id]].title in row.title
        else:
            assert row == before[row.id]


def test_files_are_links_and_the_original_is_untouched(dataset, tmp_path):
    before = contents(dataset.folder)
    made = swapped_dataset(dataset, tmp_path / "control", seed=2)
    clip = dataset.clips("train")[0].id
    assert dataset.frames(clip)[0][1].samefile(made.frames(clip)[0][1])
    made.frames(clip)[0][1].unlink()
    made.sound_path(clip).unlink()
    assert contents(dataset.folder) == before
    assert not partial_folder(tmp_path / "control").exists()


def test_frames_decoded_before_are_not_decoded_again(dataset, tmp_path):
    load_pairs(dataset, "train")
    made = swapped_dataset(dataset, tmp_path / "control", seed=3)
    steps = []
    load_pairs(made, "train", steps.append)
    assert not [step for step in steps if "frames" in step.stage]


def test_where_links_cannot_be_made_files_are_copied(dataset, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    linked = swapped_dataset(dataset, tmp_path / "linked", seed=1)
    monkeypatch.setattr(os, "link", refuse)
    copied = swapped_dataset(dataset, tmp_path / "copied", seed=1)
    assert contents(copied.folder) == contents(linked.folder)
    clip = dataset.clips("train")[0].id
    assert not dataset.frames(clip)[0][1].samefile(copied.frames(clip)[0][1])


def test_the_same_call_keeps_what_is_there_and_another_is_refused(dataset, swapped, tmp_path):
    stamp = (swapped.folder / "clips.jsonl").stat().st_mtime_ns
    again = swapped_dataset(dataset, swapped.folder, seed=1)
    assert again.rows == swapped.rows
    assert (swapped.folder / "clips.jsonl").stat().st_mtime_ns == stamp
    with pytest.raises(DatasetError, match="seed 1: choose another place for seed 2"):
        swapped_dataset(dataset, swapped.folder, seed=2)
    with pytest.raises(DatasetError, match="holds something else"):
        swapped_dataset(dataset, dataset.folder, seed=1)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="holds something else"):
        swapped_dataset(dataset, tmp_path / "file", seed=1)
    copy = shutil.copytree(dataset.folder, tmp_path / "fewer")
    next((copy / "clips").glob("*/frames/*.jpg")).unlink()
    with pytest.raises(DatasetError, match="another dataset"):
        swapped_dataset(open_dataset(copy), swapped.folder, seed=1)


def test_a_killed_call_leaves_nothing_in_the_way(dataset, tmp_path):
    out = tmp_path / "control"
    partial_folder(out).mkdir()
    (partial_folder(out) / "half").write_text("x")

    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swapped_dataset(dataset, out, seed=1, progress=stop)
    assert not out.exists()
    assert not partial_folder(out).exists()
    assert swapped_dataset(dataset, out, seed=1).clips("train")
    assert not (out / "half").exists()


def test_a_damaged_sound_is_told_of(dataset, tmp_path):
    copy = open_dataset(shutil.copytree(dataset.folder, tmp_path / "damaged"))
    copy.sound_path(copy.clips("train")[1].id).write_bytes(b"no sound")
    with pytest.raises(DatasetError, match=r"sound\.flac"):
        swapped_dataset(copy, tmp_path / "control", seed=1)
    assert not (tmp_path / "control").exists()


def test_stored_sound_images_are_swapped_too(dataset, tmp_path):
    export(dataset.folder, "pairs", tmp_path / "pairs")
    stored = import_pairs(tmp_path / "pairs", tmp_path / "stored")
    made = swapped_dataset(stored, tmp_path / "control", seed=1)
    one, other = load_pairs(stored, "train"), load_pairs(made, "train")
    np.testing.assert_array_equal(one.frames_N3HW, other.frames_N3HW)
    sound_of = json.loads((made.folder / "swapped.json").read_text())["sound_of"]
    assert one.sound_images_NSS is not None
    assert other.sound_images_NSS is not None
    for clip, name in enumerate(one.clip_ids):
        from_clip = list(one.clip_ids).index(sound_of[name])
        source = one.sound_images_NSS[one.clip_N == from_clip]
        there = other.sound_images_NSS[other.clip_N == clip]
        np.testing.assert_array_equal(there, source[np.arange(len(there)) % len(source)])


def grouped(folder: Path, groups: str, dataset: Dataset) -> Dataset:
    """A dataset that is only rows and empty files: a training clip for each letter, its group."""
    rows = []
    for n, group in enumerate(groups):
        rows.append(
            ClipRow(
                id=f"{group}{n}",
                title="",
                source="",
                bytes=0,
                sha256="",
                split="train",
                pairs=1,
                group=f"{group}{groups.index(group)}",
            )
        )
        frames = folder / "clips" / rows[-1].id / "frames"
        frames.mkdir(parents=True)
        (frames / "000000_00000000.jpg").touch()
        (frames.parent / "sound.flac").touch()
    return Dataset(folder, dataset.recipe, tuple(rows))


@pytest.mark.parametrize(
    "groups", ["ab", "abc", "aab", "aabb", "aaabbc", "abcdef", "aaaabcd", "aaab"]
)
def test_songs_never_stay_within_their_group(groups, dataset, tmp_path):
    clips = grouped(tmp_path, groups, dataset)
    seen = set()
    for seed in range(30):
        sound_of = swapped_songs(clips, seed)
        assert set(sound_of) == {row.id for row in clips.rows}
        assert all(clip[0] != other[0] for clip, other in sound_of.items())
        used = Counter(sound_of.values())
        most = max(Counter(groups).values())
        if 2 * most <= len(groups):
            assert set(used.values()) == {1}
        else:  # as evenly as can be
            assert max(used.values()) <= -(-most // (len(groups) - most))
        seen.add(tuple(sorted(sound_of.items())))
        assert sound_of == swapped_songs(clips, seed)
    assert len(groups) < 4 or len(seen) > 1


def test_songs_go_anywhere_equally_often(dataset, tmp_path):
    clips = grouped(tmp_path, "abcd", dataset)
    pairings = Counter(pair for seed in range(600) for pair in swapped_songs(clips, seed).items())
    assert len(pairings) == 12
    assert min(pairings.values()) > 140  # of 200
    assert max(pairings.values()) < 260


def test_fewer_than_two_training_clips_are_told_of(dataset, tmp_path):
    with pytest.raises(DatasetError, match="1 training clips"):
        swapped_dataset(grouped(tmp_path / "one", "a", dataset), tmp_path / "control", 1)
    with pytest.raises(DatasetError, match="share a song"):
        swapped_dataset(grouped(tmp_path / "same", "aaa", dataset), tmp_path / "control", 1)


def test_what_held_of_the_own_sound_only_is_no_longer_said(dataset, tmp_path):
    copy = shutil.copytree(dataset.folder, tmp_path / "told")
    first, second = (row.id for row in dataset.clips("train")[:2])
    same = tuple(
        Sameness(id=second, what=what, shared_seconds=1)
        for what in ("same song", "same pictures", "same file")
    )
    rows = [
        row.model_copy(update={"same_as": same}) if row.id == first else row for row in dataset.rows
    ]
    rows.append(
        ClipRow(id="gone", title="gone", source="", bytes=1, sha256="", left_out="gone: no sound")
    )
    write_rows(copy, rows)
    made = swapped_dataset(open_dataset(copy), tmp_path / "control", seed=1)
    told = {row.id: row for row in made.rows}
    assert [other.what for other in told[first].same_as] == ["same pictures", "same pictures"]
    assert told["gone"] == rows[-1]


def test_a_sound_begins_anew_without_a_jump():
    t = np.arange(4_000) / 4_000
    sound = np.cos(2 * np.pi * 3.25 * t).astype(np.float32)  # its ends do not meet
    longer = lengthened(sound, 11_000, 4_000)
    assert longer.shape == (11_000,)
    assert longer.dtype == np.float32
    np.testing.assert_array_equal(longer[:3_920], sound[:3_920])
    round_samples = 4_000 - 80
    np.testing.assert_array_equal(longer[4_000:7_840], sound[80:3_920])
    np.testing.assert_array_equal(longer[7_920:11_000], sound[80:3_160])
    assert np.abs(longer).max() <= 1
    assert np.abs(np.diff(longer)).max() < 0.05 < abs(sound[0] - sound[-1])
    assert longer[round_samples] == pytest.approx(sound[round_samples], abs=0.02)
    np.testing.assert_array_equal(lengthened(sound, 100, 4_000), sound[:100])
    assert lengthened(sound[:1], 5, 4_000).tolist() == [1] * 5


def test_a_turned_song_begins_in_its_middle_and_goes_round(dataset, tmp_path):
    made = swapped_dataset(dataset, tmp_path / "turned", 1, turned=True)
    sound_of = json.loads((made.folder / "swapped.json").read_text())["sound_of"]
    for clip, other in sound_of.items():
        there, source = heard(made, clip), heard(dataset, other)
        assert len(there) >= len(heard(dataset, clip))
        # Where it begins: the place in the source that its first half second is found at.
        head = there[:22_050]
        places = [n for n in np.flatnonzero(source == head[0]) if n + len(head) <= len(source)]
        first = next(n for n in places if np.array_equal(source[n : n + len(head)], head))
        assert 0.2 < first / len(source) < 0.8
        # After its end it begins anew, all of it being heard.
        rest = len(source) - first + 882
        np.testing.assert_array_equal(there[rest : rest + 22_050], source[882 * 2 :][:22_050])
    with pytest.raises(DatasetError, match="another"):
        swapped_dataset(dataset, tmp_path / "turned", 1)
