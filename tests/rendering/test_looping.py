"""`loop`: every generation is there, made of the one before, kept, and measured."""

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from soundreel.errors import MediaError, ModelError, SettingsError
from soundreel.evidence.drift import FilmDrift, SoundDrift
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.networks.bundle import save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.loop_page import Generation, write_loop_page
from soundreel.rendering.looping import loop

RATE = 44_100
STEPS: list[Any] = []


def untrained(folder: Path, direction: Direction) -> Path:
    inside, outside = (1, 3) if direction == "sound-to-picture" else (3, 1)
    arguments: dict[str, Any] = {
        "size": 64,
        "in_channels": inside,
        "out_channels": outside,
        "width": 4,
        "norm": "none",
    }
    torch.manual_seed(1)
    recipe = recipe_from(picture_size=64)
    save_model(folder, UNet(**arguments), arguments, recipe, direction, {})
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "model": untrained(folder / "forward", "sound-to-picture"),
        "inverse": untrained(folder / "backward", "picture-to-sound"),
    }


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    """Noise that comes and goes, 3 s."""
    path = tmp_path_factory.mktemp("songs") / "waves & wind.wav"
    time_N = np.arange(3 * RATE) / RATE
    noise_N = np.random.default_rng(0).uniform(-0.5, 0.5, len(time_N))
    write_sound(path, (noise_N * np.sin(np.pi * time_N) ** 2).astype(np.float32), RATE)
    return path


def went(song: Path, out: Path, models: dict[str, Path], generations: int = 1, **more: Any):
    STEPS.clear()
    wishes: dict[str, Any] = {"fps": Fraction(8), "compute": "torch-fp32", **models, **more}
    return loop(song, out, generations=generations, progress=STEPS.append, **wishes)


@pytest.fixture(scope="module")
def made(song, models, tmp_path_factory):
    return went(song, tmp_path_factory.mktemp("loops") / "loop", models, 2)


def test_every_generation_has_a_film_and_a_song_as_long_as_the_first(made, song):
    folder = made.page.parent
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "film-0.mp4",
        "film-1.mp4",
        "film-2.mp4",
        "generations.mp4",
        "index.html",
        "loop.json",
        "song-1.wav",
        "song-2.wav",
    ]
    assert [one.song.name for one in made.generations] == [song.name, "song-1.wav", "song-2.wav"]
    for one in made.generations:
        info = probe(one.film)
        assert info.video is not None
        assert (info.video.width, info.video.height) == (64, 64)
        assert len(list(frames_at(one.film, [Fraction(n, 8) for n in range(30)], Fit(8, 8)))) == 24
        assert abs(len(read_sound(one.song, RATE, "mono")) - 3 * RATE) < RATE // 8
        heard, sung = (read_sound(path, 8_000, "mono") for path in (one.film, one.song))
        count = min(len(heard), len(sung))
        if np.std(sung) > 1e-4:
            assert np.corrcoef(heard[:count], sung[:count])[0, 1] > 0.9, "a film has its own song"


def test_all_films_are_side_by_side_with_the_real_song(made, song):
    info = probe(made.side_by_side)
    assert info.video is not None
    assert info.video.width > 3 * 64
    heard, sung = (read_sound(path, 8_000, "mono") for path in (made.side_by_side, song))
    assert np.corrcoef(heard[:23_000], sung[:23_000])[0, 1] > 0.95
    (_, picture_HW3) = next(frames_at(made.side_by_side, [Fraction(1)], Fit(100, 240, "lanczos")))
    assert picture_HW3.std() > 3


def test_the_first_generation_is_no_way_from_itself(made):
    first = made.generations[0]
    assert first.sound_from_first == first.sound_from_previous
    assert first.sound_from_first.loudness == pytest.approx(1)
    assert first.sound_from_first.spectrum_db == 0
    assert first.film_from_first.pixels == 0
    later = made.generations[2]
    assert later.sound_from_first.spectrum_db > 1
    assert later.sound_from_first.loudness < 0.999
    told = json.loads(made.numbers.read_text())
    assert told["generations"][2]["sound_from_first"]["loudness"] == pytest.approx(
        later.sound_from_first.loudness
    )
    assert told["generations"][1]["song"] == "song-1.wav"


def test_the_page_plays_them_and_asks_nothing_of_anyone(made):
    page = made.page.read_text()
    sources = re.findall(r'src="([^"]*)"', page)
    assert sources[0] == "generations.mp4"
    assert set(sources) == {
        "generations.mp4",
        *(f"film-{n}.mp4" for n in range(3)),
        *(f"song-{n}.wav" for n in (1, 2)),
    }
    assert all((made.page.parent / name).is_file() for name in sources)
    assert "://" not in page
    assert "<script" not in page
    assert "waves &amp; wind" in page
    assert "default-src 'none'" in page


def test_the_same_call_again_makes_nothing_anew_and_more_generations_go_on(song, models, tmp_path):
    out = tmp_path / "loop"
    went(song, out, models, stop_seconds=Fraction(1))
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*-[01].*")}
    assert len(before) == 3
    went(song, out, models, stop_seconds=Fraction(1))
    assert {step.task for step in STEPS} == {"measure the drift"}
    went(song, out, models, 2, stop_seconds=Fraction(1))
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*-[01].*")} == before
    assert (out / "film-2.mp4").is_file()


def test_what_was_made_of_something_else_is_made_again(song, models, tmp_path):
    out = tmp_path / "loop"
    went(song, out, models, stop_seconds=Fraction(1))
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*-[01].*")}
    (out / "song-1.wav").write_bytes(b"nothing")
    went(song, out, models, stop_seconds=Fraction(1))
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("*-[01].*")}
    assert after["film-0.mp4"] == before["film-0.mp4"]
    assert after["song-1.wav"] != before["song-1.wav"]
    went(song, out, models, stop_seconds=Fraction(1), seed=1)
    assert (out / "film-0.mp4").stat().st_mtime_ns != before["film-0.mp4"]


def test_a_span_goes_around(song, models, tmp_path):
    made = went(
        song, tmp_path / "loop", models, start_seconds=Fraction(1), stop_seconds=Fraction(2)
    )
    heard = read_sound(made.generations[0].film, 8_000, "mono")
    sung = read_sound(song, 8_000, "mono", Fraction(1), Fraction(2))
    assert np.corrcoef(heard[:7_900], sung[:7_900])[0, 1] > 0.95
    assert made.generations[0].sound_from_first.loudness == pytest.approx(1)
    assert json.loads(made.numbers.read_text())["seconds"] == 1


def test_models_the_wrong_way_around_and_other_mistakes_are_one_line(song, models, tmp_path):
    out = tmp_path / "loop"
    turned = {"model": models["inverse"], "inverse": models["model"]}
    with pytest.raises(ModelError, match=r"backward: this is a picture-to-sound model"):
        went(song, out, turned)
    with pytest.raises(ModelError, match=r"forward: this is a sound-to-picture model"):
        went(song, out, models | {"inverse": models["model"]})
    with pytest.raises(SettingsError, match="give 1 to 12"):
        went(song, out, models, 0)
    with pytest.raises(SettingsError, match="nothing is left"):
        went(song, out, models, start_seconds=Fraction(9))
    with pytest.raises(MediaError, match=r"none\.wav"):
        went(tmp_path / "none.wav", out, models)
    assert not out.exists()
    out.write_text("a file")
    with pytest.raises(SettingsError, match="is a file"):
        went(song, out, models)


def test_a_page_survives_silence_and_names_of_all_kinds(tmp_path):
    nothing = SoundDrift(0, 0, 0), FilmDrift(0, 0, 0)
    generations = [
        Generation(n, Path(f"s{n} #1.wav"), Path(f"f{n}?.mp4"), *nothing, *nothing)
        for n in range(2)
    ]
    curves = [np.zeros(1), np.zeros(2000)]
    write_loop_page(tmp_path / "p.html", "<b>", "a:b.mp4", generations, curves, curves)
    page = (tmp_path / "p.html").read_text()
    assert "s1%20%231.wav" in page
    assert "<b>" not in page
    assert "nan" not in page
