"""`inspect --drop`: what is named goes, nothing else, and nothing before all of it is checked."""

import hashlib
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clips_made_here import counting_clip
from soundreel.dataset.build import prepare
from soundreel.dataset.inspection import pruning
from soundreel.dataset.inspection.gallery import inspect
from soundreel.dataset.inspection.pruning import Dropped, deleted_places, drop, places_in
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import ClipRow, Dataset, frame_name, open_dataset, write_rows
from soundreel.errors import DatasetError, SettingsError
from soundreel.recipe import recipe_from


def row(clip_id: str, **changes) -> ClipRow:
    start = {"title": clip_id, "source": f"{clip_id}.mp4", "bytes": 1, "sha256": "0"}
    return ClipRow(id=clip_id, **{**start, "split": "train", "pairs": 10, "places": 10, **changes})


def folder_of(folder: Path, *rows: ClipRow, sound_images: str = "computed") -> Dataset:
    """A dataset folder whose frames are empty files: dropping reads names only."""
    recipe = recipe_from("default", every_seconds=1, sound_images=sound_images)
    folder.mkdir(exist_ok=True)
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    write_rows(folder, rows)
    dataset = open_dataset(folder)
    for clip in rows:
        place = dataset.clip_folder(clip.id)
        if clip.split is None or place.exists():
            continue
        kinds = ("frames", "sound_images") if sound_images == "stored" else ("frames",)
        for kind in kinds:
            (place / kind).mkdir(parents=True)
            suffix = ".jpg" if kind == "frames" else ".png"
            skipped = {k for ranges in clip.skipped_at.values() for r in ranges for k in range(*r)}
            for k in sorted(set(range(clip.places)) - skipped):
                (place / kind / frame_name(k, dataset.time_of(clip, k), suffix)).touch()
        if sound_images == "computed":
            (place / "sound.flac").touch()
    return dataset


def places(dataset: Dataset, clip_id: str) -> list[int]:
    return [k for k, _ in dataset.frames(clip_id)]


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


written = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12), st.booleans()), min_size=1, max_size=5
)


@given(written, st.sampled_from(["", " "]))
def test_places_are_read_as_they_are_written(parts, space):
    text, expected = [], set()
    for first, more, alone in parts:
        text.append(f"{space}{first}" if alone else f"{first}{space}-{first + more}")
        expected |= {first} if alone else set(range(first, first + more + 1))
    ranges = places_in(f",{space}".join(text))
    assert {k for first, stop in ranges for k in range(first, stop)} == expected


@pytest.mark.parametrize("text", ["", "a", "1-", "-3", "1,,2", "1.5", "3-1", "1-2-3", "١٢", "4 5"])
def test_what_are_no_places_is_refused(text):
    with pytest.raises(SettingsError):
        places_in(text)


@settings(max_examples=25, deadline=None)
@given(written)
def test_what_is_named_goes_and_nothing_else(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("set")
    dataset = folder_of(folder, row("one", pairs=73, places=73), row("two"))
    before = tree(folder)
    names, expected = [], set()
    for first, more, alone in parts:
        names.append(f"one:{first}" if alone else f"one:{first}-{first + more}")
        expected |= {first} if alone else set(range(first, first + more + 1))
    dropped = drop(dataset, names)
    assert dropped == Dropped(0, len(expected), 0, ())
    assert places(dataset, "one") == sorted(set(range(73)) - expected)
    gone = set(before) - set(tree(folder))
    assert {int(Path(name).name.split("_")[0]) for name in gone} == expected
    assert all(name.startswith("clips/one/frames/") for name in gone)


def test_a_clip_goes_as_a_whole_and_the_rows_stay(tmp_path):
    dataset = folder_of(tmp_path, row("one"), row("two"), row("three", split="val"))
    rows = (tmp_path / "clips.jsonl").read_bytes()
    assert drop(dataset, ["two", "one:3"]) == Dropped(1, 11, 0, ())
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == ["one", "three"]
    assert [clip.id for clip in dataset.clips()] == ["one", "three"]
    assert (tmp_path / "clips.jsonl").read_bytes() == rows


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tow", "did you mean two"),
        ("tow:4", "did you mean two"),
        ("zzzzzz", "has no clip 'zzzzzz'"),
        ("two:10", "no frame at place 10: the nearest is 9"),
        ("two:40-50", "no frame at place 40-50"),
        ("two:1,2,77", "place 77"),
        ("two:", "are no places"),
        ("two:x", "are no places"),
        ("two:5-3", "write 3-5"),
        ("gone", "was left out"),
        ("black:4", "the nearest are 3 and 6"),
        ("..", "has no clip"),
    ],
)
def test_one_wrong_name_and_nothing_is_deleted(tmp_path, name, line):
    black = row("black", pairs=8, skipped={"black": 2}, skipped_at={"black": ((4, 6),)})
    dataset = folder_of(tmp_path, row("one"), row("two"), row("gone", split=None, pairs=0), black)
    before = tree(tmp_path)
    with pytest.raises((DatasetError, SettingsError), match=line) as caught:
        drop(dataset, ["one", name, "two:1"])
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before


def test_odd_ids_are_taken_as_they_are(tmp_path):
    ids = ["a", "a:12", "it's [odd] *?", "*", "ключ-日本"]
    dataset = folder_of(tmp_path, *(row(clip_id, pairs=20, places=20) for clip_id in ids))
    drop(dataset, ["a:12"])
    assert places(dataset, "a") == list(range(20))
    assert not dataset.clip_folder("a:12").exists()
    drop(dataset, ["*", "it's [odd] *?:7-9", "ключ-日本:0"])
    assert [clip.id for clip in dataset.clips()] == ["a", "it's [odd] *?", "ключ-日本"]
    assert places(dataset, "it's [odd] *?") == [*range(7), *range(10, 20)]
    assert places(dataset, "ключ-日本") == list(range(1, 20))


@pytest.mark.parametrize("clip_id", ["..", ".", "", "../other", "one/frames", "ABSOLUTE", "link"])
@pytest.mark.parametrize("what", ["", ":3"])
def test_nothing_outside_the_folder_of_clips_is_touched(tmp_path, clip_id, what):
    folder_of(tmp_path / "other", row("x"), row("y"))
    if clip_id == "ABSOLUTE":
        clip_id = str(tmp_path / "other" / "clips" / "x")
    dataset = folder_of(tmp_path / "set", row("one"), row("two"))
    elsewhere = tmp_path / "other" / "clips" / "x"
    shutil.copytree(elsewhere / "frames", tmp_path / "set" / "frames")
    shutil.copytree(elsewhere / "frames", tmp_path / "set" / "clips" / "frames")
    shutil.copytree(elsewhere / "frames", tmp_path / "other" / "frames")
    shutil.copytree(elsewhere / "frames", tmp_path / "set/clips/one/frames/frames")
    (tmp_path / "set" / "clips" / "link").symlink_to(elsewhere)
    write_rows(tmp_path / "set", [*dataset.rows, row(clip_id)])
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match="elsewhere"):
        drop(open_dataset(tmp_path / "set"), [clip_id + what])
    assert tree(tmp_path) == before
    assert elsewhere.is_dir()


def test_a_folder_of_frames_that_is_a_link_is_left_alone(tmp_path):
    other = folder_of(tmp_path / "other", row("x"))
    dataset = folder_of(tmp_path / "set", row("one"), row("two"))
    frames = dataset.clip_folder("one") / "frames"
    shutil.rmtree(frames)
    frames.symlink_to(other.clip_folder("x") / "frames")
    with pytest.raises(DatasetError, match="is a link"):
        drop(dataset, ["one:3"])
    assert places(other, "x") == list(range(10))


def test_the_last_pair_is_never_deleted(tmp_path):
    dataset = folder_of(tmp_path, row("one"), row("two", split="val"))
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match="no pair would be left"):
        drop(dataset, ["one", "two:0-9"])
    assert tree(tmp_path) == before
    assert drop(dataset, ["one"]) == Dropped(1, 10, 0, ("train",))
    with pytest.raises(DatasetError, match="no pair would be left"):
        drop(dataset, ["two:0-9"])


def test_the_same_call_again_is_no_error(tmp_path):
    dataset = folder_of(tmp_path, row("one"), row("two"), row("three"))
    assert drop(dataset, ["one", "two:3,5-6"]) == Dropped(1, 13, 0, ())
    assert drop(dataset, ["one", "two:3,5-6"]) == Dropped(0, 0, 4, ())


def test_a_call_that_broke_off_is_ended_by_the_next(tmp_path, monkeypatch):
    dataset = folder_of(tmp_path, row("one"), row("two"))

    def broken(folder: Path) -> None:
        if folder.exists():
            next(folder.rglob("*.jpg")).unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pruning, "discard", broken)
        with pytest.raises(KeyboardInterrupt):
            drop(dataset, ["one"])
    assert [clip.id for clip in dataset.clips()] == ["two"], "no half of a clip is left"
    drop(dataset, ["one"])
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["two"]


def test_stored_sound_images_go_with_their_frames(tmp_path):
    dataset = folder_of(tmp_path, row("one"), row("two"), sound_images="stored")
    drop(dataset, ["one:2-4"])
    assert [k for k, _ in dataset.sound_images("one")] == places(dataset, "one")
    assert len(list((dataset.clip_folder("one") / "sound_images").iterdir())) == 7


def test_what_was_deleted_is_found_out():
    planted = row(
        "x", pairs=6, places=11, skipped={"black": 3}, skipped_at={"black": ((2, 4), (7, 8))}
    )
    there = [0, 1, 4, 5, 6, 8]
    assert deleted_places(planted, there) == ()  # 9 and 10 lie after the last picture
    assert deleted_places(planted, [1, 4, 8]) == (0, 5, 6)
    assert deleted_places(row("x", places=0, pairs=6), [1, 4, 8]) == ()


def test_a_real_dataset_goes_on_without_what_was_dropped(tmp_path):
    clips = [counting_clip(tmp_path / f"clip {n}.mp4", tone_hz=300 + 100 * n) for n in range(3)]
    recipe = recipe_from("default", picture_size=32, every_seconds="0.5")
    dataset = prepare(clips, tmp_path / "set", recipe)
    load_pairs(dataset, None)
    done = inspect(tmp_path / "set", drop=["clip-1", "clip-0:2-4"])
    assert (done.out, done.clips, done.pairs) == (None, 2, 11)
    assert (done.dropped.clips, done.dropped.frames) == (1, 10)
    pairs = load_pairs(open_dataset(tmp_path / "set"), None)
    assert len(pairs) == 11
    assert pairs.time_seconds_N[:4].tolist() == [0.5, 2.5, 3, 3.5]
