"""A shoot gives the same frames however it is cut, and the shots where the list says they are."""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundreel.errors import MediaError, SettingsError
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.directed_film import film_of
from soundreel.rendering.directing import direct
from soundreel.rendering.film import song_span
from soundreel.rendering.many import render_songs
from soundreel.rendering.movie import render, render_ab
from soundreel.rendering.shoot import Eye, Shoot
from soundreel.rendering.shot_list import At, Length, Look, Shot, ShotList, SongTable
from soundreel.sound.rhythm import onset_envelope
from soundreel.timeline import frame_time

RATE, FPS, SECONDS = 44_100, Fraction(10), 6
RED, BLUE = (250, 0, 0), (0, 0, 250)


@dataclass(frozen=True)
class Glowing(Model):
    """Paints one colour, the brighter the louder its window's newest columns are, with grain that
    belongs to the picture's seed."""

    colour: tuple[int, int, int] = RED

    def pictures(self, x_B1SS, seeds, cue_BK=None):
        level_B = (x_B1SS[:, 0, :, -8:].mean((1, 2)) + 1) / 2
        colour_3 = torch.tensor(self.colour) / 255
        grain = torch.stack(
            [torch.rand(64, 64, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )
        y_B3HW = (0.2 + 0.8 * level_B)[:, None, None, None] * colour_3[None, :, None, None]
        return (y_B3HW * (0.8 + 0.2 * grain[:, None])) * 2 - 1


@pytest.fixture(scope="module")
def red(tmp_path_factory) -> Glowing:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(folder, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    model = load_model(folder, "fp32", "cpu")
    return Glowing(**{name: getattr(model, name) for name in model.__dataclass_fields__})


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    """Four drum hits a bar of one second, over noise that swells."""
    rng = np.random.default_rng(0)
    time_N = np.arange(SECONDS * RATE) / RATE
    sound = rng.uniform(-1, 1, time_N.size) * (0.02 + 0.1 * time_N / SECONDS)
    sound += 0.6 * rng.uniform(-1, 1, time_N.size) * np.exp(-30 * (time_N % 0.25))
    place = tmp_path_factory.mktemp("songs") / "song.wav"
    write_sound(place, sound.astype(np.float32), RATE)
    return place


def shoot_of(models, song: Path, shots: ShotList, eye_of_shot=None, one_in: int = 1) -> Shoot:
    eyes = [
        Eye(f"m{place}", model, None, model.recipe, str(place), place)
        for place, model in enumerate(models)
    ]
    onset = onset_envelope(read_sound(song, 22_050, "mono"), 22_050)
    beats = tuple(0.25 * k for k in range(1, 4 * SECONDS))
    span = song_span(song, Fraction(0), None)
    return direct(shots, eyes, eye_of_shot or {}, span, "song", FPS, onset, beats, one_in)


@pytest.fixture(scope="module")
def shoot(red, song) -> Shoot:
    shots = ShotList(
        song=SongTable(bars=tuple(range(SECONDS + 1))),
        film=Look(accent="zoom", crossfade=Length(seconds=Fraction(1))),
        shot=(
            Shot(at=At(bar=Fraction(1))),
            Shot(at=At(seconds=Fraction(2))),
            Shot(at=At(bar=Fraction(5)), crossfade=Length(seconds=Fraction(0)), accent_strength=0),
        ),
    )
    return shoot_of([red, replace(red, colour=BLUE)], song, shots, {1: 1})


@pytest.fixture(scope="module")
def whole(shoot) -> np.ndarray:
    return np.stack(list(shoot.pictures(0, shoot.frames)))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 10 * SECONDS), min_size=2, max_size=4).map(sorted))
def test_the_same_frames_however_it_is_cut(shoot, whole, cuts):
    for first, stop in pairwise(cuts):
        part = list(shoot.pictures(first, stop))
        assert len(part) == stop - first
        if part:
            assert np.array_equal(np.stack(part), whole[first:stop])


def test_shots_begin_where_the_list_says_and_cross_over_as_long_as_it_says(whole):
    red_T, blue_T = whole[..., 0].mean((1, 2)), whole[..., 2].mean((1, 2))
    share_T = blue_T / (red_T + blue_T)
    assert (share_T[:20] == 0).all(), "the first shot, up to 2 s"
    assert (np.diff(share_T[19:31]) > 0).all(), "a second of crossing over"
    assert (share_T[30:40] == 1).all(), "the second one, up to bar 5, which begins at 4 s"
    assert (share_T[40:] == 0).all(), "a cut back"


def test_what_decides_the_pictures_is_in_the_identity(red, song, shoot):
    again = shoot_of([red], song, ShotList())
    assert again.identity() == shoot_of([red], song, ShotList()).identity()
    others = [
        shoot_of([red], song, ShotList(film=Look(smooth="none"))),
        shoot_of([red], song, ShotList(film=Look(smooth_seconds=0.3))),
        shoot_of([red], song, ShotList(film=Look(accent="flash"))),
        shoot_of([red], song, ShotList(), one_in=6),
        replace(again, song_sha256="another"),
        replace(again, eyes=(replace(again.eyes[0], seed=5),)),
        replace(again, eyes=(replace(again.eyes[0], weights_sha256="others"),)),
        shoot,
    ]
    identities = [again.identity(), *(one.identity() for one in others)]
    for place, one in enumerate(identities):
        assert one not in identities[:place]
    moved = replace(again, song=Path("elsewhere.wav"))
    assert moved.identity() == again.identity(), "where the file lies does not matter"


def test_a_draft_blends_between_few_pictures(red, song):
    plain = replace(red, colour=RED)
    full = np.stack(
        list(shoot_of([plain], song, ShotList(film=Look(smooth="none"))).pictures(0, 60))
    )
    draft = shoot_of([plain], song, ShotList(), one_in=6)
    few = np.stack(list(draft.pictures(0, 60)))
    # Where a picture was made it is the film's but for its grain; between two it lies between.
    level_T, few_T = full[..., 0].mean((1, 2)), few[..., 0].mean((1, 2))
    assert np.abs(level_T[::6] - few_T[::6]).max() < 1.5
    between = few_T[:54].reshape(9, 6)
    straight = np.linspace(few_T[:54:6], few_T[6:60:6], 7)[:6].T
    assert np.abs(between - straight).max() < 1.5
    assert np.array_equal(np.stack(list(draft.pictures(7, 33))), few[7:33])


def brightness(film: Path, frames: int, channel: int = 0) -> np.ndarray:
    times = [frame_time(n, FPS) + Fraction(1, 1000) for n in range(frames)]
    return np.array([one[..., channel].mean() for _, one in frames_at(film, times, Fit(16, 16))])


def test_models_take_turns_from_section_to_section(red, song, tmp_path):
    """Which sections there are is the song form's to say; every frame is of one model or both."""
    film = render(
        red, song, tmp_path / "film.mp4", others=[replace(red, colour=BLUE)], fps=FPS, size=(64, 64)
    )
    assert film.frames == 10 * SECONDS
    lit = brightness(film.path, film.frames) + brightness(film.path, film.frames, 2)
    assert (lit > 20).all()


def test_another_song_seen_under_this_ones_sound(red, song, tmp_path):
    silent = tmp_path / "silent.wav"
    write_sound(silent, np.zeros(SECONDS * RATE, np.float32), RATE)
    from soundreel.rendering.film_settings import film_settings

    wanted = film_settings(tmp_path / "x.mp4", fps=FPS, size=(64, 64), smooth="none")
    films = [
        film_of([("m", red)], song, tmp_path / f"{seen}.mp4", wanted, lambda step: None, seen=seen)
        for seen in (None, silent)
    ]
    real, swapped = (brightness(film.path, film.frames) for film in films)
    assert real.std() > 5 * max(swapped.std(), 0.1)
    heard = [read_sound(film.path, RATE, "mono") for film in films]
    assert np.array_equal(heard[0], heard[1])
    short = tmp_path / "short.wav"
    write_sound(short, np.zeros(RATE, np.float32), RATE)
    with pytest.raises(SettingsError, match="ends before"):
        film_of([("m", red)], song, tmp_path / "x.mp4", wanted, lambda step: None, seen=short)


def test_a_blind_pair_has_one_sound_and_the_key_knows(red, song, tmp_path):
    import json

    silent = tmp_path / "silent.wav"
    write_sound(silent, np.zeros(SECONDS * RATE, np.float32), RATE)
    out = tmp_path / "pair"
    made = render_ab(red, song, silent, out, fps=FPS, size=(64, 64), smooth="none")
    assert made.pairs == 1
    real_is = next(iter(json.loads(made.key.read_text())["sides"].values()))
    films = {side: out / f"song {side}.mp4" for side in "AB"}
    assert {path.name for path in out.iterdir()} == {
        *(film.name for film in films.values()),
        made.page.name,
    }
    assert made.key == tmp_path / "pair-key.json"
    with pytest.raises(SettingsError, match="another --out"):
        render_ab(red, song, silent, out, fps=FPS, size=(64, 64), smooth="none")
    spread = {side: brightness(film, 10 * SECONDS).std() for side, film in films.items()}
    assert max(spread, key=lambda side: spread[side]) == real_is
    with pytest.raises(SettingsError, match="itself"):
        render_ab(red, song, song, tmp_path / "none", fps=FPS)


def test_a_folder_of_songs_goes_on_past_what_cannot_be_read(red, song, tmp_path):
    songs, films = tmp_path / "songs", tmp_path / "films"
    songs.mkdir()
    sound = read_sound(song, RATE, "mono")[:RATE]
    for name in ("one.wav", "two.flac", "one.flac"):
        write_sound(songs / name, sound, RATE)
    (songs / "broken.mp3").write_text("no sound in here")
    (songs / "notes.txt").write_text("not a song")
    made = render_songs(red, songs, films, fps=FPS, size=(64, 64))
    assert sorted(film.path.name for film in made.films) == ["one-wav.mp4", "one.mp4", "two.mp4"]
    assert [one.song.name for one in made.left_out] == ["broken.mp3"]
    assert "broken.mp3" in made.table()
    again = render_songs(red, songs, films, fps=FPS, size=(64, 64), watch=True)
    assert again.films == ()
    assert sorted(path.name for path in again.there) == ["one-wav.mp4", "one.mp4", "two.mp4"]
    other = render_songs(red, songs, films, fps=FPS, size=(64, 64), seed=1)
    assert len(other.films) == 3, "with another seed they are other films"
    with pytest.raises(SettingsError, match="even"):
        render_songs(red, songs, tmp_path / "odd", fps=FPS, size=(63, 64))
    write_sound(songs / "long.wav", np.tile(sound, 3), RATE)
    late = render_songs(red, songs, tmp_path / "late", fps=FPS, start_seconds=Fraction(2))
    assert [film.path.name for film in late.films] == ["long.mp4"]
    assert len(late.left_out) == 4, "songs that have ended by then are left out, the others not"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SettingsError, match="no song"):
        render_songs(red, empty, films)


def test_beside_a_video_the_made_picture_is_the_films_own(red, song, tmp_path):
    from clips_made_here import counting_clip

    video = counting_clip(tmp_path / "video.mp4", 3)
    film = render(red, video, tmp_path / "film.mp4", beside=video, fps=FPS, smooth="none")
    alone = render(red, video, tmp_path / "alone.mp4", fps=FPS, smooth="none")
    assert film.frames == alone.frames
    assert film.width > 2 * alone.width
    with pytest.raises(MediaError, match=r"song\.wav"):
        render(red, video, tmp_path / "no.mp4", beside=song, fps=FPS)
