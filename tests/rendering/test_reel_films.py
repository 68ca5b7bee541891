"""Films of a `reel`: the same however they are cut, sharp at their cuts, of the looks asked for."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundreel.cutting.habits import CuttingHabits
from soundreel.errors import ModelError, SettingsError
from soundreel.media.probe import probe
from soundreel.media.sound import write_sound
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.reel import Reel
from soundreel.networks.unet import UNet
from soundreel.progress import silent
from soundreel.recipe import recipe_from
from soundreel.rendering import casting
from soundreel.rendering.casting import cast, trial_cues, trial_windows
from soundreel.rendering.casting_cues import cues_for_times, film_cues, has_looks, hear_song
from soundreel.rendering.cues import CueTrack
from soundreel.rendering.directing import direct
from soundreel.rendering.engines import choose_engine
from soundreel.rendering.film import song_span
from soundreel.rendering.listening import Heard, listen, with_bars
from soundreel.rendering.movie import render
from soundreel.rendering.shoot import Eye, Shoot
from soundreel.rendering.shot_list import At, Length, Look, Shot, ShotList
from soundreel.rendering.smooth import Smoothing, smoothing_kernel
from soundreel.rendering.take_begins import director_cuts
from soundreel.timeline import frame_time

RATE, FPS, SECONDS = 44_100, Fraction(10), 6
CLIPS = ("001-red", "002-green", "003-blue")
HABITS = CuttingHabits(
    shots=20,
    shot_seconds=(0.8, 1.0, 1.6),
    shot_beats=(2.0, 2.0, 4.0),
    on_beat_share=1.0,
    lag_seconds=(0.0, 0.0),
    downbeat_share=0.5,
)


def a_reel(seed: int = 0) -> Reel:
    """Small, with three clips of two shots of 4 s, that it hears and sees as unlike."""
    torch.manual_seed(seed)
    reel = Reel(36, 64, 4, clips=3, references=240, tone=True)
    clip = torch.arange(3).repeat_interleave(80)
    shot = torch.arange(6).repeat_interleave(40)
    reel.reference_clip_R.copy_(clip)
    reel.reference_shot_R.copy_(shot)
    reel.reference_seconds_R.copy_(torch.arange(80).repeat(3) / 10)
    reel.reference_sound_RA.copy_(torch.randn(6, 128)[shot] + 0.3 * torch.randn(240, 128))
    reel.reference_code_RZ.copy_(3 * torch.randn(6, reel.code_numbers)[shot])
    return reel.eval()


ARGUMENTS = {"rows": 36, "columns": 64, "width": 4, "clips": 3, "references": 240, "tone": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("models") / "filmed"
    learnt = {"looks": list(CLIPS), "cuts": HABITS.model_dump(mode="json")}
    save_model(place, a_reel(), ARGUMENTS, recipe_from(), "sound-to-picture", {}, learnt=learnt)
    return place


@pytest.fixture(scope="module")
def reel(folder) -> Model:
    return load_model(folder, "fp32", "cpu")


@pytest.fixture(scope="module")
def unet(tmp_path_factory) -> Path:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    place = tmp_path_factory.mktemp("models") / "square"
    save_model(place, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    return place


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    """A drum at 120 beats a minute over noise that swells."""
    rng = np.random.default_rng(0)
    time_N = np.arange(SECONDS * RATE) / RATE
    sound = rng.uniform(-1, 1, time_N.size) * (0.02 + 0.1 * time_N / SECONDS)
    sound += 0.6 * rng.uniform(-1, 1, time_N.size) * np.exp(-30 * (time_N % 0.5))
    place = tmp_path_factory.mktemp("songs") / "song.wav"
    write_sound(place, sound.astype(np.float32), RATE)
    return place


def shoot_of(models, song: Path, shots=None, eye_of_shot=None, one_in=1, seed=0, fps=FPS) -> Shoot:
    shots = shots or ShotList()
    span = song_span(song, Fraction(0), None)
    heard = listen(span, shots, True, silent)
    shots = with_bars(shots, heard.form)
    eyes = []
    for place, model in enumerate(models):
        seen = [n for n, eye in (eye_of_shot or {}).items() if eye == place]
        track = None
        if has_looks(model):
            track = film_cues(model, span, shots, heard, fps, seed, seen).track
        weights = str(model.config["weights_sha256"])
        eyes.append(Eye(f"m{place}", model, None, model.recipe, weights, seed, track))
    return direct(
        shots, eyes, eye_of_shot or {}, span, "song", fps, heard.onset, heard.beat_seconds, one_in
    )


def track_of(shoot: Shoot) -> CueTrack:
    track = shoot.eyes[0].track
    assert track is not None
    return track


@pytest.fixture(scope="module")
def shoot(reel, unet, song) -> Shoot:
    """The reel, then the U-Net, then the reel with another look."""
    one = Length(seconds=Fraction(1))
    shots = ShotList(
        film=Look(crossfade=one),
        shot=(
            Shot(at=At(seconds=Fraction(0))),
            Shot(at=At(seconds=Fraction(2))),
            Shot(at=At(seconds=Fraction(4)), look="003"),
            Shot(at=At(seconds=Fraction(5)), look="001:1,average:1"),
        ),
    )
    models = [reel, load_model(unet, "fp32", "cpu")]
    return shoot_of(models, song, shots, {0: 0, 1: 1, 2: 0, 3: 0})


@pytest.fixture(scope="module")
def whole(shoot) -> np.ndarray:
    return np.stack(list(shoot.pictures(20, 30)))


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 10 * SECONDS), min_size=2, max_size=3).map(sorted))
def test_the_same_frames_however_it_is_cut(shoot, cuts):
    frames = list(shoot.pictures(0, shoot.frames))
    for first, stop in pairwise(cuts):
        part = list(shoot.pictures(first, stop))
        assert len(part) == stop - first
        assert all(np.array_equal(a, b) for a, b in zip(part, frames[first:stop], strict=True))


def test_pictures_have_the_clips_shape_and_models_of_two_shapes_cross_over(shoot, whole):
    assert whole[0].shape == (64, 64, 3), "with a square one, as large as the larger"
    (first,) = shoot.pictures(0, 1)
    assert first.shape == (36, 64, 3)


def test_neither_smoothing_nor_a_draft_smears_a_cut(reel, song):
    kinds: list[tuple[Smoothing, int]] = [("beats", 1), ("exponential", 1), ("none", 6)]
    for kind, one_in in kinds:
        shots = ShotList(film=Look(smooth=kind, look="002"))
        shoot = shoot_of([reel], song, shots, one_in=one_in)
        track = track_of(shoot)
        assert len(track.cuts) >= 3
        # Two looks that nothing is alike in, and the same sound: what is left of one in the other?
        still = replace(track, paths=tuple(replace(p, code_PZ=p.code_PZ * 0) for p in track.paths))
        eye = shoot.eyes[0]
        cut = track.cuts[1]
        one_shot = replace(shoot, eyes=(replace(eye, track=still),))
        changed = replace(
            still,
            paths=tuple(
                replace(p, code_PZ=p.code_PZ + np.float16(5 * (place == still.takes[2].shot)))
                for place, p in enumerate(still.paths)
            ),
        )
        two_shots = replace(shoot, eyes=(replace(eye, track=changed),))
        before = slice(track.cuts[0], cut)
        if still.takes[1].shot == still.takes[2].shot:
            pytest.fail("a cut within a shot: choose another seed")
        frames = [np.stack(list(one.pictures(0, cut + 2))) for one in (one_shot, two_shots)]
        assert np.array_equal(frames[0][before], frames[1][before]), kind
        assert not np.array_equal(frames[0][cut], frames[1][cut]), kind


@pytest.mark.parametrize("kind", ["beats", "exponential"])
def test_a_kernel_has_no_weight_across_a_cut(kind):
    kernel = smoothing_kernel(kind, 60, FPS, cuts=[20, 21, 40])
    shot = np.searchsorted([20, 21, 40], np.arange(60), "right")
    for n in range(60):
        place = n + np.arange(-kernel.reach, kernel.reach + 1)
        inside = (place >= 0) & (place < 60)
        other = np.zeros_like(inside)
        other[inside] = shot[place[inside]] != shot[n]
        assert (kernel.weights(n)[other] == 0).all()
        assert kernel.weights(n).sum() == 1
    plain = smoothing_kernel(kind, 60, FPS)
    assert np.array_equal(kernel.weights(30), plain.weights(30)), "and away from cuts all as ever"


def test_what_decides_the_pictures_is_in_the_identity(reel, song):
    one = shoot_of([reel], song)
    assert shoot_of([reel], song).identity() == one.identity()
    others = [
        shoot_of([reel], song, ShotList(film=Look(look="002"))),
        shoot_of([reel], song, ShotList(film=Look(look="001:2,002:1"))),
        shoot_of([reel], song, ShotList(film=Look(drive="walk"))),
        shoot_of([reel], song, ShotList(film=Look(drive="hold"))),
        replace(one, eyes=(replace(one.eyes[0], track=track_of(shoot_of([reel], song, seed=3))),)),
        replace(one, eyes=(replace(one.eyes[0], track=None),)),
    ]
    identities = [one.identity(), *(other.identity() for other in others)]
    for place, identity in enumerate(identities):
        assert identity not in identities[:place]


def test_cuts_are_the_directors_and_walks_and_holds_are_none(reel, song):
    span = song_span(song, Fraction(0), None)
    form = listen(span, ShotList(), True, silent).form
    assert form is not None
    track = track_of(shoot_of([reel], song, fps=Fraction(30)))
    sections = [section.start_seconds for section in form.sections]
    cuts = director_cuts(reel, form.beat_seconds_B, form.bar_seconds, 0.0, SECONDS, 0, sections)
    assert len(cuts) >= 3
    on_frames = [float(frame_time(n, Fraction(30))) for n in track.cuts]
    assert np.allclose(on_frames, cuts, atol=1 / 30)
    walking = track_of(shoot_of([reel], song, ShotList(film=Look(drive="walk"))))
    assert not walking.cuts
    assert all(take.fade for take in walking.takes[1:])
    held = track_of(shoot_of([reel], song, ShotList(film=Look(drive="hold"))))
    code = held.cues(range(60))[:, 32:]
    assert (code == code[0]).all(), "one section: one picture's layout"


def test_a_persons_shot_begins_with_a_cut_and_no_planned_one_is_near(reel, song):
    plain = track_of(shoot_of([reel], song, fps=Fraction(100)))
    near = Fraction(plain.cuts[1] - 20, 100)  # a fifth of a second before a planned one
    shots = ShotList(shot=(Shot(at=At(seconds=Fraction(0))), Shot(at=At(seconds=near))))
    track = track_of(shoot_of([reel], song, shots, {0: 0, 1: 0}, fps=Fraction(100)))
    apart = np.abs(np.array(track.cuts) - 100 * float(near))
    assert sorted(apart)[0] == 0
    assert sorted(apart)[1] >= 40


def test_a_trial_is_of_the_films_own_moments(reel, song):
    track = track_of(shoot_of([reel], song))
    span = song_span(song, Fraction(0), None)
    # 16 windows in 6 s: in the middles of 16 equal parts.
    middles = [int(10 * (place + 0.5) * 6 / 16) for place in range(16)]
    assert torch.equal(trial_cues(track, span), track.cues(middles))
    assert len(trial_windows(reel.recipe, span)) == 16


def test_a_draft_has_the_cues_of_the_frames_that_it_draws(reel, song):
    full, draft = shoot_of([reel], song), shoot_of([reel], song, one_in=6)
    assert track_of(draft).takes == track_of(full).takes
    plain = shoot_of([reel], song, ShotList(film=Look(smooth="none")))
    drawn = list(plain.pictures(0, 60))
    drafted = list(draft.pictures(0, 60))
    for n in range(0, 60, 6):
        assert np.array_equal(drafted[n], drawn[n])


def test_an_engine_is_tried_with_the_cues_of_the_film(folder, song, monkeypatch):
    tried_with = []

    def choose(*given):
        tried_with.append(given[-1])
        return choose_engine(*given)

    monkeypatch.setattr(casting, "choose_engine", choose)
    span = song_span(song, Fraction(0), None)
    heard = Heard(None, None, ())
    track = film_cues(folder, span, ShotList(), heard, FPS, 0).track
    eye, choice = cast("m", folder, span, 0, "torch-bf16", silent, None, track)
    assert eye.track is track
    assert torch.equal(tried_with[0], trial_cues(track, span))
    assert choice is not None
    assert choice.trials[0].name == "torch-bf16"
    assert eye.open().frames(torch.zeros(1, 1, 256, 256), [0], track.cues([0])).shape == (
        1, 36, 64, 3,
    )  # fmt: skip


def test_a_film_from_a_folder_says_its_look_and_its_cuts(folder, song, tmp_path):
    wishes = {"fps": FPS, "compute": "torch-fp32", "stop_seconds": Fraction(3)}
    film = render(folder, song, tmp_path / "film.mp4", **wishes)
    assert film.looks[0].startswith("auto -> 00")
    assert film.cuts
    video = probe(film.path).video
    assert video is not None
    assert (video.width, video.height) == (film.width, film.height)
    again = render(folder, song, tmp_path / "again.mp4", **wishes)
    assert again.path.read_bytes() == film.path.read_bytes()
    spread = render(folder, song, tmp_path / "spread.mp4", workers=2, **wishes)
    assert spread.path.read_bytes() == film.path.read_bytes()
    other = render(folder, song, tmp_path / "other.mp4", look="003-b", **wishes)
    assert other.looks == ("003-b -> 003-blue",)
    mixed = render(folder, song, tmp_path / "mixed.mp4", look="001:3,average:1", **wishes)
    assert mixed.looks == ("001:3,average:1 -> 001-red 0.75 + average 0.25",)
    films = {one.path.read_bytes() for one in (film, other, mixed)}
    assert len(films) == 3


def test_a_look_that_is_not_there_is_one_line(folder, unet, song, tmp_path):
    with pytest.raises(SettingsError, match='did you mean "002-green"'):
        render(folder, song, tmp_path / "film.mp4", look="green")
    with pytest.raises(SettingsError, match="square: has no looks to choose from"):
        render(unet, song, tmp_path / "film.mp4", look="average")
    shots = ShotList(shot=(Shot(at=At(seconds=Fraction(0)), look="001"),))
    with pytest.raises(SettingsError, match=r"square: .*\[\[shot\]\] number 1"):
        render(unet, song, tmp_path / "film.mp4", shots=shots)
    assert not list(tmp_path.iterdir())


def test_side_by_side_each_has_its_shape_and_one_may_have_no_looks(folder, unet, song, tmp_path):
    film = render(
        folder, song, tmp_path / "grid.mp4", others=[unet], grid=True, look="001-red", fps=FPS,
        stop_seconds=Fraction(1), compute="torch-fp32",
    )  # fmt: skip
    assert film.looks == ("001-red",)
    assert film.frames == 10


def test_moments_of_a_sound_are_cued_as_a_film_of_it_is(reel, song):
    span = song_span(song, Fraction(0), None)
    heard = hear_song(reel, span)
    track = track_of(shoot_of([reel], song, fps=Fraction(5)))
    cuts = [float(frame_time(n, Fraction(5))) for n in track.cuts]
    cues = cues_for_times(reel, torch.from_numpy(heard.sound_TA), heard.seconds_T, cuts)
    assert torch.allclose(cues, track.cues(range(len(cues))), atol=1e-6)
    with pytest.raises(ValueError, match="times"):
        cues_for_times(reel, torch.zeros(3, 128), [0.0, 1.0])
    with pytest.raises(ValueError, match="ascend"):
        cues_for_times(reel, torch.zeros(2, 128), [1.0, 0.0])


def test_a_model_that_knows_no_habits_cuts_on_the_bars_and_a_broken_one_says_so(reel):
    beats, bars = np.arange(0, 60, 0.5), np.arange(0, 60, 2.0)
    plain = replace(reel, config={**reel.config, "cuts": None})
    cuts = director_cuts(plain, beats, bars, 0, 60, 0)
    assert len(cuts) > 10
    assert np.allclose(np.mod(cuts, 2), 0, atol=1e-6)
    assert len(director_cuts(plain, (), (), 0, 60, 0)) > 10, "a song without beats"
    broken = replace(reel, config={**reel.config, "cuts": {"shots": -1}})
    with pytest.raises(ModelError, match="how its director cuts"):
        director_cuts(broken, beats, bars, 0, 60, 0)
