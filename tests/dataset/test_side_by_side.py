"""Side-by-side pairs: both pix2pix codes find frame and sound image, our own come back the same
but for JPEG, and other people's folders become datasets whatever their names."""

import json
import shutil
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from clips_made_here import brightness_of, counting_clip
from soundreel.dataset.build import prepare
from soundreel.dataset.exchange.export import export
from soundreel.dataset.exchange.pair_names import plan_clips
from soundreel.dataset.exchange.side_by_side import import_pairs, is_side_by_side, recipe_of_size
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import Dataset, open_dataset, sound_image_bytes
from soundreel.errors import DatasetError, StorageError
from soundreel.recipe import PRESET_NAMES, recipe_from
from soundreel.timeline import frame_shown_at
from textured_clips import small_recipe, textured_clip, textured_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    return textured_dataset(tmp_path_factory.mktemp("textured"), every_seconds="1/5")


@pytest.fixture(scope="module")
def pairs_folder(dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "pairs"
    made = export(dataset.folder, "pairs", out)
    assert made.pairs == made.files == sum(row.pairs for row in dataset.rows)
    return out


def psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal to noise of bytes, in dB."""
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def sound_bytes(dataset: Dataset) -> np.ndarray:
    pairs = load_pairs(dataset, None)
    return sound_image_bytes(pairs.sound_images(range(len(pairs)))[:, 0].numpy())


def a_pair(path: Path, brightness: int = 100, size: int = 32, seed: int = 0) -> Path:
    """A pair whose frame is grey and whose sound image is smooth noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = Image.fromarray(rng.integers(0, 255, (4, 4), np.uint8)).resize((size, size))
    pair = Image.new("RGB", (2 * size, size), (brightness,) * 3)
    pair.paste(noise.convert("RGB"), (size, 0))
    pair.save(path)
    return path


# --- what is written


def test_the_folder_is_what_both_codes_read(dataset, pairs_folder):
    splits = {row.split for row in dataset.rows}
    assert {path.name for path in pairs_folder.iterdir()} == {
        "README.md",
        "recipe.json",
        "clips.jsonl",
        *splits,
    }
    for row in dataset.rows:
        names = {f"{row.id}_{k:06}_{200 * k:08}.jpg" for k, _ in dataset.frames(row.id)}
        found = {path.name for path in (pairs_folder / str(row.split)).glob(f"{row.id}_*")}
        assert names == found
    for path in pairs_folder.rglob("*.jpg"):
        with Image.open(path) as pair:
            assert (pair.format, pair.mode, pair.size) == ("JPEG", "RGB", (128, 64))
            assert JpegImagePlugin.get_sampling(pair) == 0, "4:4:4"


def test_a_is_the_frame_and_b_the_sound_image(dataset, pairs_folder):
    loaded = load_pairs(dataset, None)
    x_NSS = sound_bytes(dataset)
    index = 0
    for row in dataset.clips():
        for _, frame_path in dataset.frames(row.id):
            path = pairs_folder / str(row.split) / f"{row.id}_{frame_path.stem}.jpg"
            # As the PyTorch code does it (and the TensorFlow one, by width // 2).
            AB = Image.open(path).convert("RGB")
            w, h = AB.size
            w2 = int(w / 2)
            A = np.asarray(AB.crop((0, 0, w2, h)))
            B = np.asarray(AB.crop((w2, 0, w, h)))
            assert psnr_db(A, loaded.frames_N3HW[index].transpose(1, 2, 0)) > 38
            for channel in range(3):
                assert psnr_db(B[..., channel], x_NSS[index]) > 30
            index += 1
    assert index == len(loaded)


def test_a_round_trip_changes_nothing_but_jpeg(dataset, pairs_folder, tmp_path):
    after = import_pairs(pairs_folder, tmp_path / "after")
    assert after.recipe == dataset.recipe.model_copy(update={"sound_images": "stored"})
    assert after.rows == dataset.rows
    before_pairs, after_pairs = load_pairs(dataset, None), load_pairs(after, None)
    assert list(before_pairs.clip_ids) == list(after_pairs.clip_ids)
    for name in ("clip_N", "end_sample_N", "time_seconds_N"):
        assert np.array_equal(getattr(before_pairs, name), getattr(after_pairs, name))
    for one, other in zip(before_pairs.frames_N3HW, after_pairs.frames_N3HW, strict=True):
        assert psnr_db(one, other) > 38
    for one, other in zip(sound_bytes(dataset), sound_bytes(after), strict=True):
        assert psnr_db(one, other) > 30
    for row in dataset.clips():
        assert [p.name for _, p in dataset.frames(row.id)] == [
            p.name for _, p in after.frames(row.id)
        ]
    # A second time, JPEG has hardly anything left to take.
    export(after.folder, "pairs", tmp_path / "again")
    twice = import_pairs(tmp_path / "again", tmp_path / "twice")
    assert psnr_db(sound_bytes(after), sound_bytes(twice)) > 45
    assert twice.rows == after.rows


def test_the_papers_own_recipe_makes_the_round_trip(tmp_path):
    clip = textured_clip(tmp_path / "clip.mp4", 1, 3, 128)
    recipe = recipe_from("paper", start_seconds=1, stop_seconds=3, every_seconds="1/2")
    before = prepare([clip], tmp_path / "before", recipe)
    export(before.folder, "pairs", tmp_path / "pairs")
    assert [path.name for path in sorted((tmp_path / "pairs" / "train").iterdir())] == [
        f"clip_{k:06}_{1000 + 500 * k:08}.jpg" for k in range(4)
    ]
    after = import_pairs(tmp_path / "pairs", tmp_path / "after")
    assert after.recipe == before.recipe.model_copy(update={"sound_images": "stored"})
    assert psnr_db(sound_bytes(before), sound_bytes(after)) > 30


def test_frames_of_another_size_become_as_large_as_the_sound_image(tmp_path):
    clip = counting_clip(tmp_path / "clip.mp4", 2, size=(64, 64))
    before = prepare([clip], tmp_path / "set", small_recipe(picture_size=40))
    export(before.folder, "pairs", tmp_path / "pairs")
    assert "40x40 in the dataset, were resized" in (tmp_path / "pairs" / "README.md").read_text()
    after = import_pairs(tmp_path / "pairs", tmp_path / "after")
    assert after.recipe.picture_size == after.recipe.sound_image_size == 64
    loaded = load_pairs(after, None)
    for index, seconds in enumerate(loaded.time_seconds_N):
        shown = frame_shown_at(after.time_of(after.rows[0], index), Fraction(25))
        assert abs(loaded.frames_N3HW[index].mean() - brightness_of(shown)) < 3, seconds


def test_one_split_of_ours_still_knows_its_recipe_and_clips(dataset, pairs_folder, tmp_path):
    after = import_pairs(pairs_folder / "train", tmp_path / "after")
    assert after.recipe.representation == "log"
    assert after.rows == dataset.rows
    assert {row.id for row in after.clips()} == {row.id for row in dataset.clips("train")}


def test_clips_can_be_moved_between_splits_and_deleted(dataset, pairs_folder, tmp_path):
    folder = tmp_path / "pairs"
    shutil.copytree(pairs_folder, folder)
    for path in (folder / str(dataset.rows[0].split)).glob("clip-0_*"):
        (folder / "test").mkdir(exist_ok=True)
        path.rename(folder / "test" / path.name)
    for path in folder.rglob("clip-1_*"):
        path.unlink()
    after = import_pairs(folder, tmp_path / "after")
    assert [row.id for row in after.clips("test")] == ["clip-0"]
    assert "clip-1" not in {row.id for row in after.clips()}
    assert after.rows[1] == dataset.rows[1], "what is known of it stays known"


# --- other people's folders


def test_numbered_pictures_are_one_clip_in_the_order_of_their_numbers(tmp_path):
    for n in (10, 9, 1, 100):
        a_pair(tmp_path / "theirs" / f"{n}.png", 2 * n)
    assert is_side_by_side(tmp_path / "theirs")
    made = import_pairs(tmp_path / "theirs", tmp_path / "out")
    (row,) = made.rows
    assert (row.id, row.split, row.pairs, row.places) == ("pairs", "train", 4, 4)
    assert [k for k, _ in made.frames("pairs")] == [1, 9, 10, 100]
    loaded = load_pairs(made, "train")
    assert [round(frame.mean()) for frame in loaded.frames_N3HW] == [2, 18, 20, 200]
    assert made.recipe.representation == "psd"
    assert made.recipe.sound_images == "stored"
    assert (made.recipe.picture_size, made.recipe.sound_image_size) == (32, 32)


def test_odd_names_tell_clips_and_places(tmp_path):
    theirs = tmp_path / "theirs"
    names = ["foo_0012.JPG", "foo_7.jpg", "image-13.png", "Live (2).jpeg", "sunset.jpg", "a b3.png"]
    for seed, name in enumerate([*names, "a-b4.png", "20240131235959001.jpg", "x_1_2.jpg"]):
        a_pair(theirs / name, seed=seed)
    (theirs / "._foo_7.jpg").write_bytes(b"what some systems leave behind")
    (theirs / "notes.txt").write_text("not a picture")
    made = import_pairs(theirs, tmp_path / "out")
    found = {row.id: [k for k, _ in made.frames(row.id)] for row in made.rows}
    assert found == {
        "pairs": [0],
        "a-b": [3],
        "a-b-2": [4],
        "foo": [7, 12],
        "image": [13],
        "Live": [2],
        "sunset": [0],
        "x_1": [2],
    }
    assert {row.title for row in made.rows} >= {"a b", "a-b", "Live", "sunset"}
    assert all(row.source == str(theirs) for row in made.rows)
    assert len({row.sha256 for row in made.rows}) == len(made.rows)


def test_sound_images_are_the_right_halves_to_the_bit(tmp_path):
    for n in range(3):
        a_pair(tmp_path / "theirs" / f"{n}.png", seed=n)
    made = import_pairs(tmp_path / "theirs", tmp_path / "out")
    loaded = load_pairs(made, None)
    assert loaded.sound_images_NSS is not None
    for n in range(3):
        with Image.open(tmp_path / "theirs" / f"{n}.png") as pair:
            right = np.asarray(pair)[:, 32:, 0]
        assert np.array_equal(loaded.sound_images_NSS[n], right)
        assert np.array_equal(sound_bytes(made)[n], right)


def test_splits_are_the_folders_and_no_clip_is_in_two(tmp_path):
    theirs = tmp_path / "theirs"
    for split, n in product(("train", "val", "test"), range(3)):
        a_pair(theirs / split / f"{n}.jpg", seed=n)
    a_pair(theirs / "train" / "song_1.jpg")
    a_pair(theirs / "preview.jpg")
    made = import_pairs(theirs, tmp_path / "out")
    assert {(row.id, row.split, row.pairs) for row in made.rows} == {
        ("pairs-train", "train", 3),
        ("pairs-val", "val", 3),
        ("pairs-test", "test", 3),
        ("song", "train", 1),
    }


def test_without_such_folders_clips_are_held_out_as_the_recipe_says(tmp_path):
    for clip, n in product(range(6), range(2)):
        a_pair(tmp_path / "theirs" / f"clip{clip}_{n}.png", seed=10 * clip + n)
    all_train = import_pairs(tmp_path / "theirs", tmp_path / "one")
    assert {row.split for row in all_train.rows} == {"train"}
    recipe = recipe_from("paper", held_out_fraction=0.34)
    some = import_pairs(tmp_path / "theirs", tmp_path / "two", recipe)
    splits = [row.split for row in some.rows]
    assert [splits.count(split) for split in ("train", "val", "test")] == [4, 1, 1]


def test_damaged_and_odd_pictures_are_skipped_with_the_reason(tmp_path):
    theirs = tmp_path / "theirs"
    for n in range(8):
        a_pair(theirs / f"song_{n}.jpg", seed=n)
    whole = (theirs / "song_2.jpg").read_bytes()
    (theirs / "song_2.jpg").write_bytes(whole[: len(whole) // 2])
    (theirs / "song_3.jpg").write_bytes(b"")
    a_pair(theirs / "song_4.jpg", size=48)
    Image.new("L", (40, 40)).save(theirs / "song_5.jpg")
    (theirs / "broken_1.png").write_text("no picture")
    made = import_pairs(theirs, tmp_path / "out")
    broken, song = made.rows
    assert (song.pairs, song.places) == (4, 8)
    assert song.skipped == {"damaged picture": 2, "not 64x32": 2}
    assert song.skipped_at == {"damaged picture": ((2, 4),), "not 64x32": ((4, 6),)}
    assert [k for k, _ in made.frames("song")] == [0, 1, 6, 7]
    assert (broken.split, broken.id) == (None, "broken")
    assert "none of its 1 pictures" in str(broken.left_out)
    assert len(load_pairs(made, None)) == 4
    assert "2 skipped: damaged picture" in (tmp_path / "out" / "README.md").read_text()


def test_nothing_usable_leaves_nothing_behind(tmp_path):
    theirs = tmp_path / "theirs"
    Image.new("L", (40, 40)).save(a_pair(theirs / "1.png"))
    with pytest.raises(DatasetError, match="no picture that is twice as wide as high"):
        import_pairs(theirs, tmp_path / "out")
    a_pair(theirs / "1.png", size=8)
    with pytest.raises(DatasetError, match="are 16x8: scale them"):
        import_pairs(theirs, tmp_path / "out")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (32, 64, 3), np.uint8)).save(theirs / "1.png")
    content = (theirs / "1.png").read_bytes()
    (theirs / "1.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="none of its pictures can be used"):
        import_pairs(theirs, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_the_same_import_returns_and_another_is_refused(pairs_folder, tmp_path):
    import_pairs(pairs_folder, tmp_path / "out")
    before = (tmp_path / "out" / "clips.jsonl").stat().st_mtime_ns
    import_pairs(pairs_folder, tmp_path / "out")
    assert (tmp_path / "out" / "clips.jsonl").stat().st_mtime_ns == before
    a_pair(tmp_path / "theirs" / "1.png")
    with pytest.raises(DatasetError, match="another recipe"):
        import_pairs(tmp_path / "theirs", tmp_path / "out")
    import_pairs(tmp_path / "theirs", tmp_path / "new")
    import_pairs(tmp_path / "theirs", tmp_path / "new")
    a_pair(tmp_path / "theirs" / "2.png", seed=2)
    with pytest.raises(DatasetError, match="other clips"):
        import_pairs(tmp_path / "theirs", tmp_path / "new")
    with pytest.raises(StorageError, match="exists already"):
        export(tmp_path / "new", "pairs", pairs_folder)


def test_what_is_side_by_side_and_what_is_not(dataset, pairs_folder, tmp_path):
    assert is_side_by_side(pairs_folder)
    assert is_side_by_side(pairs_folder / "train")
    assert not is_side_by_side(dataset.folder)
    assert not is_side_by_side(tmp_path / "nowhere")
    assert not is_side_by_side(next(pairs_folder.rglob("*.jpg")))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert not is_side_by_side(empty)
    photos = tmp_path / "photos"
    for n in range(20):
        a_pair(photos / f"{n}.jpg")
        if n % 2:
            Image.new("RGB", (64, 48)).save(photos / f"{n}.jpg")
    assert not is_side_by_side(photos)
    mixed = tmp_path / "mixed"
    a_pair(mixed / "1.jpg")
    assert is_side_by_side(mixed)
    (mixed / "clip.mp4").touch()
    assert not is_side_by_side(mixed)


# --- properties


@given(st.sets(st.integers(0, 10**9 - 1), min_size=1, max_size=20), st.randoms())
def test_distinct_numbers_are_the_places_whatever_their_zeros(numbers, random):
    paths = [Path(f"song_{'0' * random.randrange(3)}{n}.jpg") for n in numbers]
    random.shuffle(paths)
    (clip,) = plan_clips({None: paths})
    assert (clip.id, [k for k, _ in clip.pictures]) == ("song", sorted(numbers))


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=12, unique=True))
def test_any_names_give_each_picture_one_place_and_safe_ids(names):
    paths = [Path(f"{name.replace('/', '_')}{n}.png") for n, name in enumerate(names)]
    clips = plan_clips({"train": paths[::2], "val": paths[1::2]})
    placed = [path for clip in clips for _, path in clip.pictures]
    assert sorted(placed) == sorted(paths)
    assert len({clip.id for clip in clips}) == len(clips)
    for clip in clips:
        assert Path(clip.id).name == clip.id
        assert not clip.id.startswith(".")
        places = [k for k, _ in clip.pictures]
        assert places == sorted(set(places))


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_any_size_makes_a_recipe_that_loads(preset):
    recipe = recipe_from(preset)
    for size in (*range(16, 1024, 7), 256, 1024):
        changed = recipe_of_size(recipe, size)
        assert (changed.sound_image_size, changed.picture_size) == (size, size)
        if preset not in ("paper-waveform",):
            seconds = changed.window_samples / changed.sample_rate_hz
            assert 0.97 * 1.42 < seconds < 1.03 * 1.49
    same = recipe_of_size(recipe, 256).model_dump()
    assert same["window_samples"] == recipe.window_samples


# --- what becomes of it


def test_a_model_trains_on_pairs_made_elsewhere(tmp_path):
    run = pytest.importorskip("soundreel.training.run")
    for n in range(6):
        a_pair(tmp_path / "theirs" / "train" / f"{n}.jpg", 30 * n, 64, n)
        a_pair(tmp_path / "theirs" / "val" / f"{n}.jpg", 30 * n, 64, n)
    import_pairs(tmp_path / "theirs", tmp_path / "set")
    changes = {"size": 64, "width": 4, "discriminator_width": 4}
    made = run.train(tmp_path / "set", tmp_path / "run", "quick", changes={**changes, "steps": 2})
    assert (made.steps, made.measured_on) == (2, "held-out")
    assert 0 < made.l1 < 2
    config = json.loads((made.model / "config.json").read_text())
    assert config["recipe"]["sound_images"] == "stored"


def test_an_imported_dataset_opens_again(pairs_folder, tmp_path):
    after = import_pairs(pairs_folder, tmp_path / "after")
    assert open_dataset(tmp_path / "after") == after
    assert not list((tmp_path / "after").rglob("sound.flac"))
