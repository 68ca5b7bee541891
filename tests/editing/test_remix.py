"""`remix` on clips made here: flashes meet clicks, films repeat, what is missing is told."""

import json
import os
import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips_to_cut import (
    FPS,
    HEIGHT,
    WIDTH,
    clicking,
    clicks_at,
    flashing_clip,
    write_clip,
    write_song,
)
from PIL import Image

from soundreel.dataset.build import prepare
from soundreel.editing.footage import gather_footage
from soundreel.editing.remixing import CACHE_FOLDER, remix, remix_frames
from soundreel.errors import DatasetError, SettingsError
from soundreel.evidence.cuts import find_cuts
from soundreel.media.video import Fit, frames_at
from soundreel.progress import Step
from soundreel.recipe import recipe_from
from soundreel.rendering.parts import parts_folder

ROOT = Path(__file__).parents[2]
TEMPI = (84, 100, 120, 138)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for seed, bpm in enumerate(TEMPI):
        flashing_clip(folder / f"at-{bpm}.mp4", bpm, seed=seed)
    return folder


@pytest.fixture(scope="module")
def song_clicks() -> np.ndarray:
    """Ten seconds at 120 beats a minute, then ten at 84."""
    return np.concatenate([clicks_at(10, 120, 0.4), 10 + clicks_at(10, 84, 0.15)])


@pytest.fixture(scope="module")
def song(tmp_path_factory, song_clicks) -> Path:
    return write_song(tmp_path_factory.mktemp("song") / "song.wav", clicking(song_clicks, 20))


@pytest.fixture(scope="module")
def film(tmp_path_factory, clips, song):
    return remix([clips], song, tmp_path_factory.mktemp("film") / "film.mp4")


def pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([one.to_ndarray(format="rgb24") for one in container.decode(video=0)])


def light(frames_FHW3: np.ndarray) -> np.ndarray:
    """The darkest tenth of each picture: patterns are dark there, flashes are not."""
    return np.quantile(frames_FHW3.mean(-1).reshape(len(frames_FHW3), -1), 0.1, axis=1)


def lit_share(frames_FHW3: np.ndarray, times: np.ndarray) -> float:
    """How many times have a flash that begins within 75 ms of them."""
    level = light(frames_FHW3)
    begins = np.flatnonzero(np.diff(level, prepend=level[0]) > 25)
    flash_seconds = (begins + 0.5) / float(FPS)
    return float(np.mean([np.abs(flash_seconds - one).min() < 0.075 for one in times]))


def test_the_songs_clicks_meet_flashes(film, song_clicks):
    frames = pictures(film.film.path)
    assert frames.shape == (400, HEIGHT, WIDTH, 3), "as large and as many as the clips'"
    share = lit_share(frames, song_clicks)
    moved = np.mean([lit_share(frames, song_clicks + by) for by in (0.15, 0.2, 0.25)])
    assert share >= 0.8, share
    assert moved < 0.25, moved
    assert film.cuts >= 5
    assert film.turned == 0


def test_the_film_says_what_it_is_and_what_it_is_made_of(film, clips):
    with av.open(str(film.film.path)) as container:
        comment = container.metadata["comment"]
    assert comment == film.note
    assert comment.startswith("an edit of existing footage made with Soundreel ")
    assert film.edit_list == film.film.path.with_name("film.edit.json")
    told = json.loads(film.edit_list.read_text())
    assert told["note"] == comment
    assert {one["id"] for one in told["clips"]} == set(film.clips)
    assert all(one["title"] in comment for one in told["clips"])
    pieces = told["pieces"]
    assert pieces[0]["film"][0] == 0
    assert pieces[-1]["film"][1] == 20
    assert all(a["film"][1] == b["film"][0] for a, b in pairwise(pieces))
    assert sum(one["shown_seconds"] for one in told["clips"]) == pytest.approx(20)
    # What the list says is what the film shows.
    frames = pictures(film.film.path)
    for piece in pieces:
        middle = Fraction(sum(piece["film"])).limit_denominator(1000) / 2
        since = middle - Fraction(piece["film"][0]).limit_denominator(1000)
        at = Fraction(piece["source"][0]).limit_denominator(1000) + since
        ((_, source),) = frames_at(clips / f"{piece['clip']}.mp4", [at], Fit(HEIGHT, WIDTH))
        shown = frames[int(middle * FPS)].astype(int)
        assert np.abs(shown - source).mean() < 8, piece


def test_the_seed_decides_the_film(film, clips, song, tmp_path):
    again = remix([clips], song, tmp_path / "again.mp4", workers=2)
    other = remix([clips], song, tmp_path / "other.mp4", seed=1)
    assert again.film.path.read_bytes() == film.film.path.read_bytes()
    rows = [json.loads(one.edit_list.read_text())["pieces"] for one in (film, other)]
    assert rows[0] != rows[1]


def test_who_is_stopped_goes_on_and_ends_with_the_same_film(film, clips, song, tmp_path):
    out = tmp_path / "film.mp4"

    def stop_late(step: Step) -> None:
        if step.task == "remix" and step.done == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remix([clips], song, out, progress=stop_late)
    assert len(list(parts_folder(out).glob("*.mp4"))) == 1
    seen: list[Step] = []
    remix([clips], song, out, progress=seen.append)
    assert next(one.done for one in seen if one.task == "remix") == 160, "a part was there"
    assert out.read_bytes() == film.film.path.read_bytes()
    assert {one.name for one in tmp_path.iterdir()} == {
        "film.mp4",
        "film.edit.json",
        CACHE_FOLDER,
    }


@pytest.mark.slow
def test_frames_for_a_comparison_are_those_of_the_film(film, clips, song):
    times = [Fraction(1, 3), Fraction(4), 7.77, 19.99]
    made = remix_frames([clips], song, times, (WIDTH, HEIGHT))
    frames = pictures(film.film.path)
    for time, picture in zip(times, made, strict=True):
        shown = frames[int(Fraction(time) * FPS)].astype(int)
        assert np.abs(shown - picture).mean() < 8
    with pytest.raises(ValueError, match="20 s"):
        remix_frames([clips], song, [20.5], (WIDTH, HEIGHT))
    with pytest.raises(ValueError, match="ascend"):
        remix_frames([clips], song, [2, 1], (WIDTH, HEIGHT))


def test_a_look_is_its_clips_alone(clips, song, tmp_path):
    made = remix([clips], song, tmp_path / "a.mp4", look="at-100, at-138", stop_seconds=Fraction(8))
    assert set(made.clips) <= {"at-100", "at-138"}
    with pytest.raises(SettingsError, match=r"look 'at-10': no clip .* 'at-1\d\d'"):
        remix([clips], song, tmp_path / "b.mp4", look="at-10")


def test_a_span_a_size_and_a_rate(clips, song, tmp_path):
    made = remix(
        [clips],
        song,
        tmp_path / "span.mp4",
        start_seconds=Fraction(9),
        stop_seconds=Fraction(15),
        fps=Fraction(25),
        size=(64, 64),
    )
    frames = pictures(made.film.path)
    assert frames.shape == (150, 64, 64, 3)
    told = json.loads(made.edit_list.read_text())["pieces"]
    assert told[0]["song"][0] == 9
    # Cropped about its middle, not squashed.
    piece = told[0]
    at = Fraction(piece["source"][0]).limit_denominator(1000)
    ((_, source),) = frames_at(clips / f"{piece['clip']}.mp4", [at], Fit(HEIGHT, WIDTH))
    middle = source[:, (WIDTH - HEIGHT) // 2 :][:, :HEIGHT]
    expected = np.asarray(Image.fromarray(middle).resize((64, 64))).astype(int)
    assert np.abs(frames[0] - expected).mean() < 8


def test_what_cannot_be_used_is_left_out_and_told(clips, song, tmp_path):
    sound = clicking(clicks_at(6, 100), 6)
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(clips / "at-120.mp4", folder / "good.mp4")
    write_clip(folder / "mute.mp4", None, 6)
    write_song(folder / "only-sound.wav", sound)
    (folder / "broken.mp4").write_bytes(b"not a film" * 100)
    missing = tmp_path / "missing.mp4"
    made = remix([folder, missing], song, tmp_path / "out.mp4", stop_seconds=Fraction(5))
    why = {one.id: one.why for one in made.left_out}
    assert set(why) == {"mute", "only-sound", "broken", "missing"}
    assert "has no sound" in why["mute"]
    assert f"{missing}: is no longer there" in why["missing"]
    assert made.clips == ("good",)
    told = json.loads(made.edit_list.read_text())["left_out"]
    assert {one["id"] for one in told} == set(why)
    with pytest.raises(DatasetError, match=r"missing\.mp4: is no longer there"):
        remix([missing], song, tmp_path / "none.mp4")
    with pytest.raises(DatasetError, match=r"mute\.mp4: has no sound"):
        remix([folder / "mute.mp4"], song, tmp_path / "none.mp4")


def test_a_datasets_clips_are_read_where_they_came_from(clips, song, tmp_path):
    here = tmp_path / "here"
    shutil.copytree(clips, here)
    recipe = recipe_from(start_seconds=0, stop_seconds=None, picture_size=32)
    prepare([here], tmp_path / "dataset", recipe)
    (here / "at-84.mp4").unlink()
    made = remix([tmp_path / "dataset"], song, tmp_path / "film.mp4", stop_seconds=Fraction(6))
    assert [one.id for one in made.left_out] == ["at-84"]
    assert str(here / "at-84.mp4") in made.left_out[0].why
    assert set(made.clips) <= {"at-100", "at-120", "at-138"}


def test_too_little_footage_still_makes_a_whole_film(song, tmp_path):
    clicks = clicks_at(3, 120)
    sound = clicking(clicks, 3)
    write_clip(tmp_path / "one.mp4", sound, 3, click_seconds=clicks, cut_every=None)
    made = remix([tmp_path / "one.mp4"], song, tmp_path / "film.mp4")
    assert made.turned == 1
    assert made.cuts == 0
    frames = pictures(made.film.path)
    assert len(frames) == 400
    assert light(frames).std() > 5, "it moves"
    short = write_clip(tmp_path / "short.mp4", sound[:6000], 0.25, cut_every=None)
    with pytest.raises(DatasetError, match=r"short\.mp4: no shot lasts 0\.4 s"):
        remix([short.path], song, tmp_path / "none.mp4")


def test_still_clips_are_cut_between(song, tmp_path):
    folder = tmp_path / "stills"
    folder.mkdir()
    for seed in range(3):
        write_clip(folder / f"{seed}.mp4", clicking(clicks_at(6, 90), 6), 6, cut_every=None,
                   seed=seed)  # fmt: skip
    made = remix([folder], song, tmp_path / "film.mp4")
    assert len(pictures(made.film.path)) == 400
    assert made.cuts >= 3, "no shot is as long as the song"
    told = json.loads(made.edit_list.read_text())["pieces"]
    assert all(a["clip"] != b["clip"] for a, b in pairwise(told))


def test_what_was_measured_is_kept_until_a_clip_changes(clips, tmp_path):
    here, cache = tmp_path / "here", tmp_path / "cache"
    here.mkdir()
    shutil.copy(clips / "at-120.mp4", here / "a.mp4")
    first = gather_footage([here], cache=cache)
    kept = list(cache.iterdir())
    assert len(kept) == 1
    (here / "a.mp4").rename(here / "b.mp4")
    again = gather_footage([here], cache=cache)
    assert list(cache.iterdir()) == kept
    assert again.clips[0].id == "b"
    assert again.clips[0].path == here / "b.mp4"
    for name in ("lab_TC3", "cut_seconds", "speed_T"):
        assert np.array_equal(
            getattr(first.clips[0].seen, name), getattr(again.clips[0].seen, name)
        )
    assert first.clips[0].heard.seconds == again.clips[0].heard.seconds
    kept[0].write_bytes(kept[0].read_bytes()[:2000])
    mended = gather_footage([here], cache=cache)
    assert np.array_equal(mended.clips[0].seen.speed_T, first.clips[0].seen.speed_T)


def test_shots_are_where_the_clip_was_cut(clips):
    (clip,) = gather_footage([clips / "at-100.mp4"]).clips
    spans = [(float(a), float(b)) for a, b in clip.shots()]
    edges = np.arange(0, 12.1, 2)
    assert len(spans) == 6
    for (start, stop), a, b in zip(spans, edges, edges[1:], strict=False):
        assert a <= start <= a + 0.16
        assert b - 0.16 <= stop < b


@pytest.mark.slow
def test_real_clips_become_a_film_of_their_shots(tmp_path):
    folder = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))
    names = ("bbb_flight_360p.mp4", "sintel_bridge_480p.mp4", "case_no_audio_cosmos.mp4")
    videos = [folder / "videos" / name for name in names]
    song = folder / "songs" / "boss_action.ogg"
    for path in (*videos, song):
        if not path.exists():
            pytest.skip(f"{path} is not there (SOUNDREEL_MEDIA may say where)")
    made = remix(videos, song, tmp_path / "film.mp4", stop_seconds=Fraction(12), size=(160, 90))
    assert [one.id for one in made.left_out] == ["case_no_audio_cosmos"]
    assert made.film.fps == 24, "that of most of them"
    frames = pictures(made.film.path)
    assert frames.shape == (288, 90, 160, 3)
    # Cuts of the film are where the list says, and pieces have none within them.
    told = json.loads(made.edit_list.read_text())["pieces"]
    begins = {round(piece["film"][0] * 24) for piece in told[1:]}
    found = {round(float(cut) * 24) for cut in find_cuts(frames, Fraction(24))}
    assert len(begins) >= 2
    assert len(begins & found) >= 0.75 * len(begins)
    assert len(found - begins) <= 1
