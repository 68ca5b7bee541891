"""Cuts are where they were planted; flashes, fades and movement are none."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from soundreel.evidence.cuts import find_cuts
from soundreel.synthetic.songs import drift
from soundreel.synthetic.visuals import KINDS, Controls, cut_frames, film_frames, look_for
from soundreel.timeline import frame_rate

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))
FPS = Fraction(24)


def drawn(kind, fps, seconds, cuts, seed):
    """A film of that look whose light, hue and speed wander: an iterator, and its cut frames."""
    frames = int(fps * seconds)
    rng = np.random.default_rng(seed)
    controls = Controls(*(drift(frames, float(fps), rng) for _ in range(3)))
    film = film_frames(look_for(seed, kind), controls, cuts, fps, 128, 72, seed)
    return film, cut_frames(cuts, fps, frames)


def places(seconds, fps):
    frames = np.asarray(seconds) * float(fps)
    np.testing.assert_allclose(frames, np.round(frames), atol=1e-6)
    return np.round(frames).astype(int)


def texture(seed, height=72, width=128):
    """A picture with structure at all sizes, the larger the stronger, uint8."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for size in (3, 6, 12, 24):
        coarse = rng.standard_normal((size, 2 * size, 3))
        rows, columns = np.arange(height) * size // height, np.arange(width) * 2 * size // width
        picture += coarse[rows][:, columns] * 6 / size
    return np.clip(128 + 25 * picture, 0, 255).astype(np.uint8)


def lit(picture, light):
    return np.clip(picture * light, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("fps", [Fraction(12), Fraction(25)])
def test_planted_cuts_are_found_in_all_looks(fps):
    """Within a frame. Over all looks; some have shots that are much alike."""
    right = found_all = planted = 0
    for seed, kind in enumerate(KINDS):
        cuts = (1.3, 2.9, 3.8, 6.05, 7.6, 9.0)
        film, truth = drawn(kind, fps, 10, cuts, 40 + seed)
        found = places(find_cuts(film, fps), fps)
        near = np.abs(found[:, None] - truth).min(axis=0, initial=99) <= 1
        right, found_all, planted = right + near.sum(), found_all + len(found), planted + len(truth)
    assert right >= 0.9 * planted
    assert right >= 0.9 * found_all


@pytest.mark.parametrize("rate", ["12", "24000/1001", "60"])
def test_the_time_is_that_of_the_first_new_frame(rate):
    fps = frame_rate(rate)
    film = [texture(1)] * 40 + [texture(2)] * 50 + [texture(3)] * 30
    np.testing.assert_allclose(find_cuts(film, fps), [float(40 / fps), float(90 / fps)])


def test_a_film_of_one_shot_has_no_cut_and_its_beginning_is_none():
    for frames in (1, 2, 3, 100):
        assert len(find_cuts([texture(0)] * frames, FPS)) == 0
    noise = np.random.default_rng(0).integers(0, 256, (60, 72, 128, 3), dtype=np.uint8)
    assert len(find_cuts(noise, FPS)) == 0


@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.parametrize("flash", ["white", "black", "negative", "another picture"])
def test_a_flash_is_no_cut(length, flash):
    scene = texture(1)
    shown = {
        "white": np.full_like(scene, 255),
        "black": np.zeros_like(scene),
        "negative": 255 - scene,
        "another picture": texture(9),
    }[flash]
    film = [scene] * 30 + [shown] * length + [scene] * 30
    assert len(find_cuts(film, FPS)) == 0
    strobe = ([scene] * 3 + [shown] * length) * 8 + [scene] * 10
    assert len(find_cuts(strobe, FPS)) == 0


def test_a_flash_on_a_cut_leaves_one_cut():
    film = [texture(1)] * 30 + [np.full((72, 128, 3), 255, np.uint8)] + [texture(2)] * 30
    (found,) = places(find_cuts(film, FPS), FPS)
    assert found in (30, 31)
    mixed = ((texture(1).astype(int) + texture(2)) // 2).astype(np.uint8)
    (found,) = places(find_cuts([texture(1)] * 30 + [mixed] + [texture(2)] * 30, FPS), FPS)
    assert found in (30, 31)


@pytest.mark.parametrize("length", [12, 24, 48])
def test_fades_and_dissolves_are_no_cuts(length):
    one, two = texture(1), texture(2)
    rising = np.linspace(0, 1, length)
    down, up = [lit(one, 1 - share) for share in rising], [lit(two, share) for share in rising]
    black = np.zeros_like(one)
    assert len(find_cuts([one] * 20 + down + [black] * 20 + up + [two] * 20, FPS)) == 0
    across = [((1 - share) * one + share * two).astype(np.uint8) for share in rising]
    assert len(find_cuts([one] * 20 + across + [two] * 20, FPS)) == 0


def test_lamps_are_no_cuts():
    """Light that is switched, dimmed for good, or coloured leaves the picture where it was."""
    scene = lit(texture(1), 0.55)
    red = (scene * np.array([1.0, 0.5, 0.4])).astype(np.uint8)
    film = [scene] * 25 + [lit(scene, 1.6)] * 25 + [lit(scene, 0.5)] * 25 + [red] * 25
    assert len(find_cuts(film, FPS)) == 0


@pytest.mark.parametrize("each", [1, 2, 3])
def test_fast_movement_is_no_cut_and_hides_none(each):
    """Pans, the width in under three seconds, on ones, twos or threes; a cut between two."""

    def pan(seed):
        wide = np.concatenate([texture(seed), texture(seed + 9)], axis=1)
        steps = np.arange(60) // each * each * 2
        return [wide[:, step : step + 128] for step in steps]

    assert places(find_cuts(pan(4) + pan(5), FPS), FPS).tolist() == [60]


def test_frames_may_come_one_at_a_time_in_any_size():
    film = [texture(1)] * 100 + [texture(2)] * 100
    large = [np.kron(frame, np.ones((5, 5, 1), np.uint8)) for frame in (film[0], film[-1])]
    for frames in (iter(film), np.stack(film), [large[0]] * 50 + [large[1]] * 40):
        assert len(find_cuts(frames, FPS)) == 1
    tall = [np.ascontiguousarray(frame.transpose(1, 0, 2)) for frame in film]
    assert find_cuts(tall, FPS).tolist() == find_cuts(film, FPS).tolist()
    tiny = [np.zeros((2, 3, 3), np.uint8)] * 9
    assert len(find_cuts(tiny, FPS)) == 0


def test_what_is_no_film_is_refused():
    with pytest.raises(ValueError, match="without frames"):
        find_cuts([], FPS)
    with pytest.raises(ValueError, match=r"\(72, 128\) uint8"):
        find_cuts([np.zeros((72, 128), np.uint8)], FPS)
    with pytest.raises(ValueError, match="float64"):
        find_cuts([np.zeros((72, 128, 3))], FPS)
    with pytest.raises(ValueError, match="one size"):
        find_cuts([np.zeros((72, 128, 3), np.uint8), np.zeros((72, 99, 3), np.uint8)], FPS)


def scene_changes(path, most_frames):
    """(small frames, fps, frames at which FFmpeg's own filter sees a new scene)."""
    av = pytest.importorskip("av")
    pictures, changes = [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        source, sink = graph.add_buffer(template=stream), graph.add("buffersink")
        detector = graph.add("scdet", "threshold=10")
        source.link_to(detector)
        detector.link_to(sink)
        graph.configure()
        for frame in container.decode(stream):
            graph.push(frame)
            seen = graph.pull()
            if "lavfi.scd.time" in seen.metadata:
                changes.append(len(pictures))
            pictures.append(frame.reformat(128, 72, "rgb24").to_ndarray())
            if len(pictures) == most_frames:
                break
        return pictures, stream.average_rate, changes


@pytest.mark.parametrize("name", ["sintel_bridge_480p.mp4", "bbb_flight_360p.mp4"])
def test_real_films_are_cut_where_ffmpeg_sees_it(name):
    path = MEDIA / "videos" / name
    if not path.exists():
        pytest.skip(f"videos/{name} is not there (SOUNDREEL_MEDIA may say where)")
    pictures, fps, changes = scene_changes(path, 700)
    found = np.round(find_cuts(pictures, fps) * float(fps)).astype(int)
    assert len(changes) >= 6
    assert np.abs(found[:, None] - changes).min(axis=0).max() <= 1, "each of its cuts is ours"
    assert len(found) <= len(changes) + 1
