"""What a finished film is: its words, its cover, its length by kind; the same from many workers."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from soundreel.errors import SettingsError
from soundreel.media.probe import probe
from soundreel.media.sound import write_sound
from soundreel.networks.bundle import load_model, save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.directing import direct
from soundreel.rendering.film import song_span
from soundreel.rendering.movie import render
from soundreel.rendering.shoot import Eye
from soundreel.rendering.shot_list import At, Look, Shot, ShotList, SongTable
from soundreel.timeline import frame_time

RATE = 8_000


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    folder = tmp_path_factory.mktemp("runs") / "first" / "model"
    save_model(folder, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    return folder


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    place = tmp_path_factory.mktemp("songs") / "A song.flac"
    write_sound(place, rng.uniform(-0.3, 0.3, 26 * RATE).astype(np.float32), RATE)
    return place


def test_a_film_says_what_it_is_and_has_a_cover(model, song, tmp_path):
    listed = ShotList(song=SongTable(title="Another name", artist="Somebody"))
    film = render(
        model, song, tmp_path / "film.mp4", stop_seconds=Fraction(3), fps=Fraction(5),
        seed=7, shots=listed, compute="torch-fp32",
    )  # fmt: skip
    weights = load_model(model).config["weights_sha256"]
    with av.open(str(film.path)) as container:
        words = dict(container.metadata)
        pictures = [stream for stream in container.streams if stream.type == "video"]
        assert len(pictures) == 2, "the film and its cover"
        cover = next(
            packet
            for packet in container.demux(pictures[1])
            if packet.size and packet.stream is pictures[1]
        )
    assert words["title"] == "Another name"
    assert words["artist"] == "Somebody"
    for told in ("Soundreel", "first", weights[:12], "recipe default", "seed 7"):
        assert told in words["comment"]

    with Image.open(io.BytesIO(bytes(cover))) as image:
        assert image.size == (64, 64)
    without = render(model, song, tmp_path / "two.mp4", stop_seconds=Fraction(1), fps=Fraction(5))
    with av.open(str(without.path)) as container:
        assert container.metadata["title"] == "A song", "the file's name, where it has no tags"


def test_a_gif_is_of_ten_seconds_unless_told(model, song, tmp_path):
    film = render(model, song, tmp_path / "film.gif", fps=Fraction(2), compute="torch-fp32")
    assert film.frames == 20
    film = render(
        model, song, tmp_path / "two.gif", fps=Fraction(2), start_seconds=Fraction(20),
        stop_seconds=Fraction(23), compute="torch-fp32",
    )  # fmt: skip
    assert film.frames == 6


@pytest.mark.parametrize("name", ["frames", "film.mp4"])
def test_what_stands_in_the_way_is_found_before_the_first_picture(model, song, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").touch()
    steps = []
    with pytest.raises(SettingsError, match=name):
        render(model, song, tmp_path / name, compute="torch-fp32", progress=steps.append)
    assert "render" not in {step.task for step in steps}
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([name, "mine.txt"])


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_several_workers_make_the_same_file(model, song, tmp_path, engine):
    if engine == "ray":
        pytest.importorskip("ray")
    one, many = tmp_path / "one.mp4", tmp_path / "many.mp4"
    render(model, song, one, fps=Fraction(10), compute="torch-fp32")
    render(model, song, many, fps=Fraction(10), compute="torch-fp32", workers=2, engine=engine)
    assert one.read_bytes() == many.read_bytes()


def test_a_draft_is_half_as_many_frames_and_a_watched_film_leaves_only_itself(
    model, song, tmp_path
):
    seen = set()
    film = render(
        model, song, tmp_path / "film.mp4", fps=Fraction(10), compute="torch-fp32", draft=True,
        watch=True, progress=lambda step: seen.update(path.name for path in tmp_path.iterdir()),
    )  # fmt: skip
    assert film.frames == 130
    assert film.fps == 5
    assert (film.width, film.height) == (128, 128)
    info = probe(film.path).video
    assert info is not None
    assert info.fps == 5
    assert "film-so-far.mp4" in seen
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("fps", ["24000/1001", "25", "60", "119/7"])
def test_shots_keep_their_times_at_every_frame_rate(model, song, fps):
    fps = Fraction(fps)
    shots = ShotList(
        song=SongTable(bars=(0.5, 2.7, 4.9, 7.1)),
        film=Look(smooth="none"),
        shot=(
            Shot(at=At(seconds=Fraction(0))),
            Shot(at=At(bar=Fraction(3))),
            Shot(at=At(seconds=Fraction("7.77"))),
        ),
    )
    eyes = [
        Eye(str(n), load_model(model, "fp32", "cpu"), None, recipe_from(), "", n) for n in (0, 1)
    ]
    shoot = direct(shots, eyes, {1: 1}, song_span(song, Fraction(0), None), "", fps, None, ())
    begins = [stretch.first for stretch in shoot.stretches]
    assert begins[0] == 0
    for first, seconds in zip(begins[1:], (Fraction("4.9"), Fraction("7.77")), strict=True):
        # The first frame that is shown at that time or after it.
        assert frame_time(first - 1, fps) < seconds <= frame_time(first, fps)
