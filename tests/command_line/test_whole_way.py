"""`prepare -> inspect -> train -> render` as a person types it, on clips made here and real."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips_made_here import counting_clip
from soundreel.cli import main
from soundreel.errors import SoundreelError
from soundreel.media.probe import probe
from soundreel.media.sound import write_sound
from soundreel.networks.bundle import save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.movie import render

MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[3] / "shared" / "media"))
needs_media = pytest.mark.skipif(not MEDIA.is_dir(), reason=f"the real media are not at {MEDIA}")

TINY = """
[recipe]
picture_size = 64
[training]
size = 64
width = 8
discriminator_width = 8
steps = 12
checkpoint_every = 4
measure_every = 4
sheet_every = 4
"""


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def every_file(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def recipe_config(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text("[recipe]\npicture_size = 64\n")
    return path


@pytest.mark.parametrize("kind", ["made here", pytest.param("real", marks=needs_media)])
def test_from_clips_to_a_film(tmp_path, kind, capsys):
    if kind == "real":
        names = ["bbb_30s_vp8.webm", "sintel_bridge_480p.mp4", "case_vp9_opus_bear.webm"]
        clips = [MEDIA / "videos" / name for name in names]
        song = MEDIA / "songs" / "hungarian_dance_strings.ogg"
    else:
        clips = [counting_clip(tmp_path / f"{n}.mp4", 3, tone_hz=300 * n + 200) for n in range(3)]
        song = clips[0]
    training = tmp_path / "training.toml"
    training.write_text("[training]" + TINY.partition("[training]")[2])
    config = recipe_config(tmp_path)
    run("prepare", *clips, "--out", tmp_path / "set", "--every", "0.5", "--config", config)
    run("inspect", tmp_path / "set", "--out", tmp_path / "sheet.png")
    train = ("train", tmp_path / "set", "--out", tmp_path / "run", "--preset", "quick")
    run(*train, "--config", training)
    film = tmp_path / "film.mp4"
    capsys.readouterr()
    run("render", tmp_path / "run", song, "--out", film, "--stop", "2", "--fps", "24", "--json")
    result = json.loads(capsys.readouterr().out)
    assert result["frames"] == 48
    info = probe(film)
    assert info.video is not None
    assert info.audio is not None
    assert info.video.fps == Fraction(24)
    # 64 rows in the shape of most clips: 16:9.
    assert (info.video.width, info.video.height) == (114, 64)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert all(row["mean_l1"] > 0 for row in rows)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> Path:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    return folder


@needs_media
@pytest.mark.parametrize("folder", ["songs", "videos", "malformed"])
def test_every_real_file_becomes_a_film_or_one_clear_line(tiny_model, tmp_path, folder):
    films, refused = 0, {}
    for song in sorted((MEDIA / folder).iterdir()):
        out = tmp_path / f"{song.stem}.mp4"
        try:
            film = render(
                tiny_model, song, out, stop_seconds=Fraction(1), fps=Fraction(6), size=(32, 32)
            )
            assert 1 <= film.frames <= 6
            films += 1
        except SoundreelError as error:
            refused[song.name] = (str(error), out.exists())
    for name, (line, left_something) in refused.items():
        assert name in line
        assert "\n" not in line
        assert not left_something
    assert films >= {"songs": 19, "videos": 19, "malformed": 5}[folder]
    assert (not refused) == (folder == "songs")


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_render_killed_at_random_moments_goes_on_and_ends_the_same(tiny_model, tmp_path, kills):
    rng = np.random.default_rng(0)
    sound = rng.uniform(-0.3, 0.3, (4 * kills + 2) * 8 * 8_000).astype(np.float32)
    song = tmp_path / "song.wav"
    write_sound(song, sound, 8_000)
    whole, killed = tmp_path / "whole.mp4", tmp_path / "killed.mp4"
    parts = tmp_path / ".killed.mp4.parts"
    command = [sys.executable, "-m", "soundreel.cli", "render", str(tiny_model), str(song)]
    command += ["--compute", "torch-fp32", "--fps", "20", "--size", "128x72"]  # parts of 160 frames
    subprocess.run([*command, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
    moments = random.Random(1)
    done = 0
    for _ in range(kills):
        process = subprocess.Popen([*command, "--out", str(killed)], stdout=subprocess.DEVNULL)
        # Each gets a part further and dies somewhere in the next ones.
        while process.poll() is None and len(list(parts.glob("part-*"))) <= done:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        assert process.poll() is None, "the film must be long enough to be killed so often"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not killed.exists()
        assert len(list(parts.glob("part-*"))) > done, "what was finished is still there"
        done = len(list(parts.glob("part-*")))
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("part-*")}
    process = subprocess.Popen([*command, "--out", str(killed)], stdout=subprocess.DEVNULL)
    kept = {}
    while process.poll() is None:
        with suppress(FileNotFoundError):  # the parts go when the film is whole
            kept |= {path.name: path.stat().st_mtime_ns for path in parts.glob("part-*")}
        time.sleep(0.02)
    assert process.returncode == 0
    assert finished.items() <= kept.items(), "no finished part was made again"
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "killed.mp4",
        "song.wav",
        "whole.mp4",
    ]


@needs_media
@pytest.mark.slow
def test_the_papers_way_on_three_real_videos(tmp_path):
    names = ["bbb_opening_720p.mp4", "sintel_trailer_480.mp4", "ed_opening_two_audio.mp4"]
    clips = [MEDIA / "videos" / name for name in names]
    run(
        *("prepare", *clips, "--out", tmp_path / "set", "--recipe", "paper"),
        *("--start", "10", "--stop", "40", "--every", "5"),
    )
    run("train", tmp_path / "set", "--out", tmp_path / "run", "--preset", "paper", "--epochs", "2")
    song = MEDIA / "songs" / "citychill_chillout.ogg"
    run("render", tmp_path / "run", song, "--out", tmp_path / "film.mp4", "--stop", "2")
    info = probe(tmp_path / "film.mp4").video
    assert info is not None
    assert (info.width, info.height, info.fps) == (256, 256, 30)


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # it trains for some minutes, more on a busy machine
def test_the_demo_end_to_end_in_small(tmp_path):
    from soundreel.demonstration import demo

    made = demo(tmp_path / "demo", clips=3, clip_seconds=6)
    assert made.film.is_file()
    assert made.sheet.is_file()
    page = made.report.read_text()
    assert "data:image/jpeg" in page
    assert len(made.follows) == 2
    before = every_file(tmp_path / "demo" / "run" / "model")
    demo(tmp_path / "demo", clips=3, clip_seconds=6)
    assert every_file(tmp_path / "demo" / "run" / "model") == before
