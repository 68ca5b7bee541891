"""How `ask` has a `reel` film an unseen song: by the plan that a film of that song has."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from soundreel.asking.controls import settings_of
from soundreel.asking.filming import film_clips, made_of, silence_image
from soundreel.asking.muting import muted_pictures
from soundreel.asking.shared_looks import frames_of, sharing_look, told_looks
from soundreel.asking.song_cues import song_cues
from soundreel.atomic import write_json
from soundreel.cutting.habits import CuttingHabits
from soundreel.dataset.build import prepare
from soundreel.dataset.loading import load_pairs
from soundreel.networks.bundle import Model
from soundreel.networks.reel import LOOK_NUMBERS, SOUND_NUMBERS, Reel
from soundreel.networks.unet import UNet
from soundreel.progress import silent
from soundreel.recipe import recipe_from
from soundreel.rendering.casting_cues import film_cues
from soundreel.rendering.film import song_span
from soundreel.rendering.listening import listen, with_bars
from soundreel.rendering.shot_list import ShotList
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth
from soundreel.training.presets import training_preset

CLIPS = ("001-red", "002-green", "003-blue")
HABITS = CuttingHabits(
    shots=20,
    shot_seconds=(0.8, 1.0, 1.6),
    shot_beats=(2.0, 2.0, 4.0),
    on_beat_share=1.0,
    lag_seconds=(0.0, 0.0),
    downbeat_share=0.5,
)
RECIPE = recipe_from(
    "default",
    picture_size=32,
    every_seconds=Fraction(1, 8),
    held_out_fraction=0.5,
    picture_aspect=Fraction(16, 9),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Four planted clips of one look and one of another; some are held out."""
    folder = tmp_path_factory.mktemp("planted")
    genres = ("synthwave", "house")
    truth = PlantedTruth(coupling=1.0, look_by_genre=True)
    films = make_corpus(folder, 6, 10.0, truth, width=64, height=36, fps=Fraction(8), genres=genres)
    return prepare(films, folder / "dataset", RECIPE)


@pytest.fixture(scope="module")
def held_out(dataset):
    return [load_pairs(dataset, split) for split in ("val", "test") if dataset.clips(split)]


@pytest.fixture(scope="module")
def model(held_out) -> Model:
    """A `reel` of three clips; the second has the sounds of the first held-out song."""
    torch.manual_seed(0)
    reel = Reel(36, 64, 4, clips=3, references=120).eval().requires_grad_(False)
    clip = torch.arange(3).repeat_interleave(40)
    reel.reference_clip_R.copy_(clip)
    shot = torch.arange(24).repeat_interleave(5)
    reel.reference_shot_R.copy_(shot)
    reel.reference_seconds_R.copy_(torch.arange(40).repeat(3) / 8)
    heard = reel.sound_codes(held_out[0].sound_images(np.arange(40)))
    reel.reference_sound_RA.copy_(torch.cat([heard + 9, heard, heard - 9]))
    reel.reference_code_RZ.copy_(2 * torch.randn(24, reel.code_numbers)[shot])
    learnt = {"architecture": "reel", "looks": list(CLIPS), "cuts": HABITS.model_dump(mode="json")}
    return Model(reel, RECIPE, "sound-to-picture", learnt, Path("toy"), "fp32")


def cues_of(model: Model, pairs, clip: int = 0, seed: int = 3):
    places = np.flatnonzero(pairs.clip_N == clip)
    images = (pairs.sound_images(part) for part in np.array_split(places, 5))
    cues = song_cues(model, pairs.sounds[clip], images, pairs.time_seconds_N[places], seed)
    return places, cues


def test_the_look_and_the_cuts_are_those_of_a_film_of_the_song(model, held_out, dataset):
    places, cues = cues_of(model, held_out[0])
    assert cues is not None
    assert cues.look == CLIPS[1]
    source = Path(next(row.source for row in dataset.rows if row.id == held_out[0].clip_ids[0]))
    span = song_span(source, Fraction(float(cues.times_seconds_T[0])), None)
    heard = listen(span, ShotList(), True, silent)
    film = film_cues(model, span, with_bars(ShotList(), heard.form), heard, Fraction(8), 3)
    assert film.told == "auto -> 002-green"
    # The film listens at half the rate and goes on to the song's end, so cuts are the same but
    # for where they fall between its frames, and the last ones.
    film_seconds = float(span.start_seconds) + np.array(film.track.cuts) / 8
    ours = cues.cut_seconds[cues.cut_seconds < cues.times_seconds_T[-1] - 2]
    assert len(ours) > 2
    assert np.abs(film_seconds[: len(ours)] - ours).max() < 0.25
    reel = model.generator
    assert isinstance(reel, Reel)
    look_TL, code_TZ = cues.cue_TK.split([LOOK_NUMBERS, reel.code_numbers], 1)
    assert torch.equal(look_TL, reel.look_NL[1].expand(len(places), -1))
    # Each shot has one code here: it changes at cuts, and where a take is of another shot.
    changes = np.flatnonzero(code_TZ.diff(dim=0).abs().amax(1).numpy() > 1e-3) + 1
    assert set(changes) <= set(cues.cuts_within(cues.times_seconds_T))
    assert len(changes) > len(ours) // 2


def test_a_network_without_cues_has_none(held_out):
    unet = Model(UNet(64, 1, width=4), RECIPE, "sound-to-picture", {}, Path("toy"), "fp32")
    assert cues_of(unet, held_out[0])[1] is None


def test_without_a_sound_it_is_cut_by_seconds(model, held_out):
    pairs = replace(held_out[0], sounds=[np.empty(0, np.float32)] * len(held_out[0].sounds))
    times = np.arange(40) / 8
    images = [held_out[0].sound_images(np.arange(40))]
    cues = song_cues(model, pairs.sounds[0], images, times, 0)
    assert cues is not None
    assert len(cues.cut_seconds) > 1
    assert cues.at(times[[4, 9]]).equal(cues.cue_TK[[4, 9]])
    assert cues.cuts_within(times[8:]).tolist() == [
        np.searchsorted(times[8:], cut) for cut in cues.cut_seconds if times[8] < cut <= times[-1]
    ]


def test_a_clip_is_filmed_by_its_plan_and_one_moment_by_what_is_remembered(model, held_out):
    _, cues = cues_of(model, held_out[0])
    assert cues is not None
    clip = film_clips(model, held_out[:1], 10_000, 1 / 8, 3, silent)[0]
    assert clip.look == CLIPS[1]
    assert clip.made_KHW3.shape[1:] == (36, 64, 3)
    assert clip.run_cuts
    assert all(0 < cut < len(clip.made_run_RHW3) for cut in clip.run_cuts)
    at = [4, 20]
    by_hand = model.pictures(held_out[0].sound_images(at), [0, 0], cues.cue_TK[at])
    assert clip.made_TD[at].mean(1) == pytest.approx(by_hand.mean((1, 2, 3)).numpy(), abs=0.01)
    x_1SS = silence_image(model)
    remembered = model.pictures(x_1SS[None], [0])
    assert made_of(model, x_1SS, 0).mean() == pytest.approx(float(remembered.mean()), abs=0.01)


def test_muting_does_not_plan_the_film_anew(model, held_out):
    """A `reel` that is deaf but for its plan: without any part of the song it draws the same."""
    reel = model.generator
    assert isinstance(reel, Reel)
    style = reel.style[0]
    assert isinstance(style, nn.Linear)
    kept = style.weight.clone()
    pairs = held_out[0]
    times = pairs.time_seconds_N[pairs.clip_N == 0][::6]
    made = muted_pictures(model, pairs.sounds[0], times, draws=1, seed=1)
    assert any(np.abs(without - made.full_TP).max() > 1e-4 for without in made.muted.values())
    try:
        style.weight[:, :SOUND_NUMBERS] = 0
        deaf = muted_pictures(model, pairs.sounds[0], times, draws=1, seed=1)
    finally:
        style.weight.copy_(kept)
    assert len(np.unique(deaf.full_TP[:, 0].round(6))) > 2
    for without_TP in (*deaf.muted.values(), *(one[0] for one in deaf.controls.values())):
        np.testing.assert_array_equal(without_TP, deaf.full_TP)


def test_planted_clips_tell_which_share_a_look(dataset):
    told = told_looks(dataset.rows)
    assert len(told) == 6
    assert len(set(told.values())) == 2
    training = load_pairs(dataset, "train")
    first = training.clip_ids[0]
    sharing = sharing_look(first, training.clip_ids, told)
    assert first not in sharing
    assert all(one.split("-", 1)[1] == first.split("-", 1)[1] for one in sharing)
    assert sharing_look("of-elsewhere", training.clip_ids, told) == []
    frames = frames_of(training, [first], (18, 32), most=5)
    assert frames.shape == (5, 18, 32, 3)
    assert frames_of(training, [], (18, 32)).shape == (0, 18, 32, 3)


def test_of_other_clips_no_look_is_told(dataset, tmp_path):
    rows = [row.model_copy(update={"source": str(tmp_path / "a.mp4")}) for row in dataset.rows]
    assert told_looks(rows) == {}
    (tmp_path / "a.truth.json").write_text("[1]")
    assert told_looks(rows) == {}
    link = [row.model_copy(update={"source": "https://there.example/watch"}) for row in rows]
    assert told_looks(link) == {}


def test_a_control_of_a_reel_has_its_settings(model, tmp_path):
    settings = training_preset(
        "reel", steps=7, size=64, width=4, reel={"consecutive": 1, "references": 64}
    )
    run = {
        "format": "soundreel-run",
        "preset": "reel",
        "settings": settings.model_dump(mode="json"),
    }
    write_json(tmp_path / "config.json", run)
    preset, changes = settings_of(replace(model, folder=tmp_path / "model"))
    assert training_preset(preset, **{**changes, "seed": 5}) == settings.model_copy(
        update={"seed": 5}
    )
