"""Parts of the sound: light that follows the bass is found there; stems are read or refused."""

import json
import re

import numpy as np
import pytest
from flashing_films import RATE_HZ, film_of

from soundreel.asking.attribution_page import (
    attribution_json,
    attribution_section,
    muting_section,
)
from soundreel.asking.attribution_question import AttributionAnswer, ask_parts
from soundreel.asking.gather import gather
from soundreel.asking.settings import Question
from soundreel.dataset.build import prepare
from soundreel.errors import DatasetError, MediaError, SettingsError
from soundreel.evidence.attribution import muting_effects
from soundreel.media.sound import write_sound
from soundreel.recipe import recipe_from

SECONDS = 18
FEW = Question(draws=199)


def level(seed: int) -> np.ndarray:
    """A level that wanders in steps of a second or so: at each sample, 0.02 to 1."""
    knots = np.random.default_rng(seed).uniform(0.02, 1, SECONDS + 1)
    return np.interp(np.arange(SECONDS * RATE_HZ) / RATE_HZ, np.arange(SECONDS + 1), knots)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Eight films as bright as their bass is loud, whose treble goes its own way; and stems."""
    folder = tmp_path_factory.mktemp("parts")
    at = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    (folder / "films").mkdir()
    for k in range(8):
        bass_level = level(k)
        bass = (0.4 * bass_level * np.sin(2 * np.pi * 70 * at)).astype(np.float32)
        treble = (0.4 * level(k + 100) * np.sin(2 * np.pi * 4_000 * at)).astype(np.float32)
        film_of(
            folder / "films" / f"clip-{k}.mp4",
            lambda time, seen=bass_level: 120 * float(seen[int(time * RATE_HZ)]),
            bass + treble,
            SECONDS,
            seed=k,
        )
        stems = folder / "stems" / f"clip-{k}"
        stems.mkdir(parents=True)
        write_sound(stems / "synth.wav", bass, RATE_HZ)
        write_sound(stems / "bells.flac", treble, RATE_HZ)
    return folder


def cell(answer: AttributionAnswer, part: str, feature: str, picture: str):
    found = answer.found
    return found.rows.index((part, feature)), found.picture_names.index(picture)


def test_light_that_follows_the_bass_is_found_in_the_low_band_and_in_its_stem(made):
    what, out = [made / "films"], made / "r.html"
    gathered = gather(what, made / "r.curves", FEW.every_seconds)
    answer = ask_parts(what, gathered, out, FEW, made / "stems")
    assert answer.stems == ("bells", "synth")
    assert answer.can_stand
    standing = set(answer.found.found(0.05))
    for part in ("low", "synth"):
        assert (part, "loudness", "brightness") in standing
        assert answer.found.correlation_RP[cell(answer, part, "loudness", "brightness")] > 0.7
    for part in ("high", "bells"):
        assert abs(answer.found.correlation_RP[cell(answer, part, "loudness", "brightness")]) < 0.2
        assert not {c for c in standing if c[0] == part}

    # Again, from what was kept; and without stems.
    kept = {path: path.stat().st_mtime_ns for path in (made / "r.curves").glob("*-parts-*")}
    again = ask_parts(what, gathered, out, FEW, made / "stems")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    np.testing.assert_array_equal(again.found.p_RP, answer.found.p_RP)
    what = [made / "films" / f"clip-{k}.mp4" for k in range(3)]
    plain = ask_parts(what, gather(what, made / "r.curves", FEW.every_seconds), out, FEW)
    assert plain.stems == ()
    place = cell(plain, "low", "loudness", "brightness")
    np.testing.assert_allclose(
        plain.found.own_VRP[:, *place],
        answer.found.own_VRP[:3, *cell(answer, "low", "loudness", "brightness")],
    )

    section = attribution_section(answer)
    assert section.label == "exploratory"
    assert "bells, synth" in section.paragraphs[0]
    assert ("low", "loudness", "brightness") in {row[:3] for row in section.tables[0].rows}
    told = json.loads(json.dumps(attribution_json(answer), allow_nan=False))
    assert ["low", "loudness", "brightness"] in told["standing"]


def test_a_dataset_is_heard_at_the_times_of_its_pictures(made):
    """Some films as a dataset that begins late: the same is found as in the films."""
    everything = {"leave_out": (), "letterbox": "keep"}
    recipe = recipe_from(
        "default", picture_size=32, start_seconds="2.5", every_seconds="0.5", selection=everything
    )
    films = [made / "films" / f"clip-{k}.mp4" for k in range(4)]
    dataset = prepare(films, made / "set", recipe)
    gathered = gather([dataset.folder], made / "set.curves")
    answer = ask_parts([dataset.folder], gathered, made / "set.html", FEW)
    low = answer.found.correlation_RP[cell(answer, "low", "loudness", "brightness")]
    high = answer.found.correlation_RP[cell(answer, "high", "loudness", "brightness")]
    assert low > 0.7
    assert abs(high) < 0.35
    assert not answer.can_stand
    assert "With 4 videos nothing can stand" in attribution_section(answer).paragraphs[-1]


def test_stems_that_are_missing_or_differ_are_told_of_in_a_line(made, tmp_path):
    what = [made / "films" / f"clip-{k}.mp4" for k in range(3)]
    gathered = gather(what, made / "r.curves", FEW.every_seconds)
    sound = np.zeros(RATE_HZ, np.float32)

    def refused(match: str, error: type[Exception] = SettingsError) -> None:
        with pytest.raises(error, match=match) as raised:
            ask_parts(what, gathered, tmp_path / "r.html", FEW, tmp_path / "stems")
        assert "\n" not in str(raised.value)

    refused(re.escape(str(tmp_path / "stems" / "clip-0")) + ": no stems there")
    for k in range(3):
        (tmp_path / "stems" / f"clip-{k}").mkdir(parents=True)
        write_sound(tmp_path / "stems" / f"clip-{k}" / "drums.wav", sound, RATE_HZ)
    bass = tmp_path / "stems" / "clip-1" / "bass.wav"
    write_sound(bass, sound, RATE_HZ)
    refused("clip-0 has the stems drums, clip-1 has bass, drums: all clips need")
    bass.rename(bass.with_name("drums.flac"))
    refused(r"drums.wav: drums.flac is there too")
    bass.with_name("drums.flac").rename(bass.with_name("low.wav"))
    refused("low.wav: every sound has a part called low")
    bass.with_name("low.wav").unlink()
    (tmp_path / "stems" / "clip-2" / "drums.wav").write_bytes(b"nothing of the kind")
    refused("drums.wav", MediaError)


def test_two_clips_are_too_few(made):
    what = [made / "films" / f"clip-{k}.mp4" for k in range(2)]
    gathered = gather(what, made / "r.curves", FEW.every_seconds)
    with pytest.raises(DatasetError, match=r"2 clip\(s\): .* at least 3"):
        ask_parts(what, gathered, made / "two.html", FEW)


def test_a_models_section_says_what_moves_more_than_controls():
    rng = np.random.default_rng(0)
    full = rng.standard_normal((50, 2))
    darker = full - [2.0, 0.0]
    noise = [[full + 0.1 * rng.standard_normal((50, 2))] for _ in range(6)]
    effects = muting_effects(
        [full],
        {"drums": [darker], "bass": noise[0]},
        {"drums": noise[1:4], "bass": noise[3:6]},
        ("brightness", "contrast"),
    )
    section = muting_section(effects, {"drums": 0.25})
    assert section.label == "exploratory"
    drums, bass = section.tables[0].rows
    assert drums[:2] == ("drums", "25 %")
    assert drums[2] is not None
    assert drums[2].startswith("brightness 2.")
    assert "\N{MINUS SIGN}" in drums[2]
    assert bass[1] is None
    assert "of twenty cells one lies outside by chance" in section.paragraphs[1]
