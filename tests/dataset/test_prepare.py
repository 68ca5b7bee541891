"""`prepare`: the right frame at each time, the folder of the contract, and nothing half made."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clips_made_here import brightness_of, counting_clip
from soundreel.atomic import partial_folder
from soundreel.dataset.build import prepare
from soundreel.dataset.inspection.gallery import inspect
from soundreel.dataset.loading import load_pairs
from soundreel.dataset.store import open_dataset, read_frame
from soundreel.errors import DatasetError, SettingsError
from soundreel.media.sound import read_sound
from soundreel.recipe import recipe_from
from soundreel.timeline import frame_shown_at, samples_before
from soundreel.training.run import train


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [counting_clip(folder / f"clip {n}.mp4", tone_hz=300 * n + 300) for n in range(3)]


def small(**changes):
    everything = {"leave_out": (), "letterbox": "keep"}
    values = {"picture_size": 32, "every_seconds": "0.3", "selection": everything, **changes}
    return recipe_from("default", **values)


def digest(folder: Path) -> str:
    """One hash of every file's name and bytes, hidden caches apart."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".cache" not in path.parts:
            total.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return total.hexdigest()


def test_the_folder_is_that_of_the_contract(clips, tmp_path):
    prepare(clips, tmp_path / "set", small())
    assert {path.name for path in (tmp_path / "set").iterdir()} == {
        "recipe.json",
        "clips.jsonl",
        "README.md",
        "clips",
    }
    rows = [json.loads(line) for line in (tmp_path / "set" / "clips.jsonl").open()]
    assert [row["id"] for row in rows] == ["clip-0", "clip-1", "clip-2"]
    assert sorted(row["split"] for row in rows) == ["train", "train", "val"]
    for row, clip in zip(rows, clips, strict=True):
        assert row["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
        assert row["size"] == "96x54"
        frames = list((tmp_path / "set" / "clips" / row["id"] / "frames").iterdir())
        assert len(frames) == row["pairs"] == 14
    assert not partial_folder(tmp_path / "set").exists()


def test_each_frame_is_the_one_on_the_screen_at_its_time(clips, tmp_path):
    dataset = prepare(clips[:1], tmp_path / "set", small(every_seconds="7/90"))
    checked = 0
    for k, path in dataset.frames("clip-0"):
        shown = frame_shown_at(dataset.time_of(dataset.rows[0], k), Fraction(25))
        assert abs(read_frame(path, 32).mean() - brightness_of(shown)) < 3, f"k = {k}"
        checked += 1
    assert checked == 52


def test_the_sound_is_the_clips_own(clips, tmp_path):
    dataset = prepare(clips[:1], tmp_path / "set", small())
    kept = read_sound(dataset.sound_path("clip-0"), 44_100, "left")
    assert np.abs(kept - read_sound(clips[0], 44_100, "mono")).max() <= 1 / 65_536 + 1e-7


def test_pairs_hold_frames_and_windows_of_the_same_time(clips, tmp_path):
    dataset = prepare(clips, tmp_path / "set", small())
    pairs = load_pairs(dataset, None)
    assert len(pairs) == 42
    for index in range(0, 42, 5):
        time_seconds = Fraction(pairs.time_seconds_N[index]).limit_denominator(1000)
        assert pairs.end_sample_N[index] == samples_before(time_seconds, 44_100)
        shown = frame_shown_at(time_seconds, Fraction(25))
        assert abs(pairs.frames_N3HW[index].mean() - brightness_of(shown)) < 3
    assert pairs.pictures([0, 1]).shape == (2, 3, 32, 32)
    first, later = pairs.sound_images([0, 10])
    assert first.max() == -1, "the window before time 0 is silence"
    assert later.max() > 0


def test_the_same_clips_give_the_same_bytes_with_any_number_of_workers(clips, tmp_path):
    prepare(clips, tmp_path / "one", small(), workers=1)
    prepare(clips, tmp_path / "two", small(), workers=2)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


def test_bad_files_are_left_out_with_a_line_each_and_the_others_go_on(clips, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "words.mp4").write_text("this is no film\n" * 100)
    (bad / "empty.mp4").touch()
    (bad / "cut.mp4").write_bytes(clips[0].read_bytes()[:3000])
    counting_clip(bad / "short.mp4", seconds=1)
    places = [*clips, bad / "missing.mp4", bad]
    dataset = prepare(places, tmp_path / "set", small(start_seconds=2))
    assert len(dataset.clips()) == 3
    why = {Path(row.source).name: row.left_out for row in dataset.rows if row.left_out}
    assert set(why) == {"missing.mp4", "cut.mp4", "empty.mp4", "short.mp4", "words.mp4"}
    for name, line in why.items():
        assert name in line
        assert "\n" not in line
    assert "before the span starts at 0:02" in why["short.mp4"]


def test_a_clip_shorter_than_the_span_uses_what_it_has_and_says_so(clips, tmp_path):
    dataset = prepare(clips[:1], tmp_path / "set", small(stop_seconds=10))
    assert dataset.rows[0].pairs == 14
    assert dataset.rows[0].skipped == {"after the clip's last picture": 20}


def test_picture_or_sound_alone_is_no_clip(clips, tmp_path):
    import av

    silent_film = tmp_path / "silent.mp4"
    with av.open(str(clips[0])) as source, av.open(str(silent_film), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    dataset = prepare([silent_film, clips[0]], tmp_path / "set", small())
    assert "has no sound" in (dataset.rows[0].left_out or "")
    sound = next(iter((tmp_path / "set" / "clips").rglob("sound.flac")))
    with pytest.raises(DatasetError, match="has no picture"):
        prepare([sound], tmp_path / "other", small())


def test_nothing_usable_leaves_nothing_behind(tmp_path):
    (tmp_path / "words.mp4").write_text("this is no film\n" * 100)
    with pytest.raises(DatasetError, match="no clip can be used"):
        prepare([tmp_path / "words.mp4"], tmp_path / "set", small())
    assert [path.name for path in tmp_path.iterdir()] == ["words.mp4"]


def test_a_finished_dataset_is_kept_and_another_is_refused(clips, tmp_path):
    prepare(clips, tmp_path / "set", small())
    before = digest(tmp_path / "set")
    prepare(clips, tmp_path / "set", small())
    assert digest(tmp_path / "set") == before
    with pytest.raises(DatasetError, match="another recipe"):
        prepare(clips, tmp_path / "set", small(every_seconds=1))
    with pytest.raises(DatasetError, match="other clips"):
        prepare(clips[:2], tmp_path / "set", small())
    assert digest(tmp_path / "set") == before


def test_frames_and_clips_deleted_by_hand_are_simply_gone(clips, tmp_path):
    dataset = prepare(clips, tmp_path / "set", small())
    assert len(load_pairs(dataset, None)) == 42
    for _, path in dataset.frames("clip-0")[:3]:
        path.unlink()
    shutil.rmtree(tmp_path / "set" / "clips" / "clip-1")
    again = open_dataset(tmp_path / "set")
    assert len(load_pairs(again, None)) == 42 - 3 - 14
    sheet = inspect(tmp_path / "set", tmp_path / "sheet.png").out
    assert sheet is not None
    assert Image.open(sheet).width > 800
    page = inspect(tmp_path / "set", tmp_path / "page.html")
    assert (page.clips, page.pairs) == (2, 25)
    tiny = {"size": 64, "width": 4, "discriminator_width": 4, "steps": 2}
    run = train(tmp_path / "set", tmp_path / "run", "quick", changes=tiny)
    assert run.steps == 2


def test_a_damaged_frame_is_named(clips, tmp_path):
    dataset = prepare(clips[:1], tmp_path / "set", small())
    _, path = dataset.frames("clip-0")[4]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetError, match=path.name):
        load_pairs(dataset, None)


def test_the_shape_of_most_clips_becomes_the_recipes(tmp_path):
    wide = [counting_clip(tmp_path / f"w{n}.mp4", 1, size=(864, 486)) for n in range(2)]
    tall = counting_clip(tmp_path / "t.mp4", 1, size=(96, 96))
    dataset = prepare([tall, *wide], tmp_path / "set", small())
    assert dataset.recipe.picture_aspect == Fraction(16, 9)


def test_a_sheet_needs_a_picture_name(clips, tmp_path):
    prepare(clips[:1], tmp_path / "set", small())
    with pytest.raises(SettingsError, match=r"ends in \.png"):
        inspect(tmp_path / "set", tmp_path / "sheet.xls")


def test_killed_at_any_moment_the_same_command_ends_the_same(clips, tmp_path):
    prepare(clips, tmp_path / "whole", small(every_seconds="1/25"))
    code = (
        "import sys; from pathlib import Path\n"
        "from soundreel.dataset.build import prepare\n"
        "from soundreel.recipe import recipe_from\n"
        "prepare([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]),"
        " recipe_from('default', picture_size=32, every_seconds='1/25',"
        " selection={'leave_out': (), 'letterbox': 'keep'}))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "killed"), *map(str, clips)]
    moments = random.Random(4)
    kills = 0
    for _ in range(12):
        process = subprocess.Popen(command)
        deadline = time.monotonic() + moments.uniform(0.2, 1.2)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if process.poll() is not None:
            assert process.returncode == 0
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run(command, check=True)
    assert kills > 0
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")
