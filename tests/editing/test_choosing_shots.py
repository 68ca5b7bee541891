"""Which piece of which shot: sliding against sums done plainly, planted answers, all ways tried."""

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from soundreel.dataset.letterbox import NO_BARS
from soundreel.editing import candidates, choosing
from soundreel.editing.candidates import candidates_for, in_seconds, shots_of
from soundreel.editing.choosing import choose
from soundreel.editing.footage import Clip
from soundreel.editing.hearing import Hearing
from soundreel.editing.joins import ends_of, join_costs, looks_of
from soundreel.editing.looking import Seen
from soundreel.editing.stretches import Stretch, cut_again, stretches_of

FPS = Fraction(24)
NONE = np.empty(0)


def hearing(seed: int, seconds: int) -> Hearing:
    """Curves that are smooth by chance, and hits here and there."""
    rng = np.random.default_rng(seed)
    moments = 20 * seconds
    slow = np.stack(
        [np.convolve(rng.normal(size=moments + 30), np.ones(31) / 5, "valid") for _ in range(4)], 1
    )
    hits = np.sqrt(np.convolve((rng.random(moments) < 0.08) * 2.0, [0.3, 1, 0.3], "same"))
    both = np.stack([hits, hits * (rng.random(moments) < 0.5)], 1)
    return Hearing(
        Fraction(seconds),
        slow[:moments].astype(np.float32),
        both.astype(np.float32),
        NONE,
        NONE,
        NONE,
    )


def clip(seed: int, seconds: int, cuts: list[float], heard: Hearing | None = None) -> Clip:
    rng = np.random.default_rng(100 + seed)
    count = 15 * seconds
    shot_T = np.searchsorted(cuts, np.arange(count) / 15, "right")
    lab = rng.uniform(0, 1, (len(cuts) + 1, 24, 3))[shot_T]
    return Clip(
        f"clip-{seed}", f"Clip {seed}", Path(f"{seed}.mp4"), f"{seed}", None, 160, 90, FPS,
        NO_BARS,
        Seen(
            Fraction(15),
            lab.astype(np.float16),
            rng.uniform(0, 0.3, count).astype(np.float32),
            rng.normal(0, 0.1, (count, 2)).astype(np.float32),
            np.full(count, 0.5, np.float32),
            np.array(cuts),
        ),
        heard or hearing(seed, seconds),
    )  # fmt: skip


def pool(clips: list[Clip]) -> candidates.Shots:
    shots = shots_of(clips, (160, 90))
    assert shots is not None
    return shots


def test_what_slides_by_transforms_is_what_plain_sums_give():
    shots = pool([clip(0, 70, []), clip(1, 45, [13.0])])
    song = hearing(9, 30)
    slow_LF, hit_LH = song.slow_GF[40:97].astype(float), song.hit_GH[40:97].astype(float)
    difference = candidates._difference(shots, slow_LF)
    correlation = candidates._correlation(shots, hit_LH)
    weight = candidates._SLOW_WEIGHT_F.sum()
    weak = candidates._WEAK_HITS * np.sqrt(hit_LH.size)
    for j in (0, 1, 500, 1023, 1024, 1025, 1600, len(shots.shot_J) - 57):
        slow = shots.slow_JF[j : j + 57].astype(float)
        plain = np.sqrt(((slow - slow_LF) ** 2).sum() / (57 * weight))
        assert difference[j] == pytest.approx(plain, abs=2e-3)
        hits = shots.hit_JH[j : j + 57].astype(float)
        here, there = hits - hits.mean(0), hit_LH - hit_LH.mean(0)
        norm = max(weak, np.sqrt((here**2).sum())) * max(weak, np.sqrt((there**2).sum()))
        assert correlation[j] == pytest.approx((here * there).sum() / norm, abs=2e-3)


@pytest.mark.parametrize(("clip_number", "at"), [(0, 3.0), (1, 7.35), (2, 21.15)])
def test_a_stretch_of_a_clips_own_sound_finds_its_place(clip_number, at):
    clips = [clip(k, 40, [9.0, 20.0, 31.0]) for k in range(3)]
    source = clips[clip_number].heard
    first = round(at * 20)
    part = slice(first, first + 60)
    # The song stands still, and then is the clip's sound for 1.5 s.
    song = hearing(50, 30)
    song.slow_GF[200:260], song.hit_GH[200:260] = source.slow_GF[part], source.hit_GH[part]
    # Its loudness is taken from its own mean and deviation, so these must be the clips'.
    loud = np.concatenate([one.heard.slow_GF[:, 0] for one in clips])
    song.slow_GF[:200, 0] = np.resize(loud, 200)
    shots = pool(clips)
    stretch = Stretch(2, 38, Fraction(10), FPS)
    those = candidates_for(shots, song, stretch, 0, 0)
    best = those.place_K[those.cost_K.argmin()]
    assert shots.clip_J[best] == clip_number
    expected = at + 2 / 24
    assert abs(float(in_seconds(shots, stretch, int(best))) - expected) <= 0.051


def test_no_piece_leaves_its_shot():
    cuts = [2.0, 2.9, 5.0, 11.0]
    clips = [clip(0, 16, cuts)]
    shots = pool(clips)
    for frames in (5, 24, 60, 120):
        stretch = Stretch(7, 7 + frames, Fraction(1, 3), FPS)
        those = candidates_for(shots, hearing(3, 20), stretch, 0, 1)
        assert not those.turned
        for place in those.place_K:
            begins = float(in_seconds(shots, stretch, int(place)))
            last = begins + (frames - 1) / 24
            inside = [a <= begins and last < b for a, b in itertools.pairwise([0, *cuts, 16])]
            assert any(inside), (begins, last)


def test_pieces_begin_on_the_songs_own_grid():
    """Moments of the clip's curves are compared with those of the song that they will meet."""
    shots = pool([clip(0, 30, [])])
    stretch = Stretch(11, 59, Fraction(7, 13), FPS)
    begins = in_seconds(shots, stretch, 100)
    # The song's moment 25, for one, is shown at this time of the film, and of the clip.
    since = Fraction(25, 20) - stretch.from_seconds
    assert ((begins + since) * 20).denominator == 1


def test_cuts_between_like_pictures_and_within_a_shot_cost():
    same = clip(0, 20, [10.0])
    clips = [same, replace(clip(1, 20, [10.0]), id="other")]
    shots = pool(clips)
    looks = looks_of(clips)
    stretch = Stretch(0, 24, Fraction(0), FPS)
    all_of_them = replace(
        candidates_for(shots, hearing(0, 20), stretch, 0, 0),
        place_K=np.array([20, 60, 130, 240, 420]),
        cost_K=np.zeros(5),
    )
    ends = ends_of(shots, looks, all_of_them)
    assert ends.shot_K.tolist() == [0, 0, 0, 1, 2]
    cost = join_costs(ends, ends)
    # The first one ends at 2 s: 1 s before the second, 4.5 s before the third.
    assert cost[0, 1] > cost[0, 2] > cost[0, 3]
    assert cost[0, 2] - cost[0, 3] > 1, "also later on it is the same picture"
    assert abs(cost[0, 3] - cost[0, 4]) < 0.8, "two others are about equally far"


def test_a_pan_that_goes_on_costs_less_than_one_against_it():
    def panning(seed: int, right: float) -> Clip:
        one = clip(seed, 20, [])
        pan = np.tile(np.array([[right, 0.0]], np.float32), (len(one.seen.speed_T), 1))
        speed = np.full(len(pan), abs(right), np.float32)
        return replace(one, seen=replace(one.seen, pan_T2=pan, speed_T=speed))

    clips = [panning(0, 0.5), panning(1, 0.5), panning(2, -0.5), panning(3, 0.01)]
    shots = pool(clips)
    stretch = Stretch(0, 24, Fraction(0), FPS)
    place = np.array([20 + 397 * k for k in range(4)])
    those = replace(
        candidates_for(shots, hearing(0, 20), stretch, 0, 0), place_K=place, cost_K=np.zeros(4)
    )
    ends = ends_of(shots, looks_of(clips), those)
    assert ends.shot_K.tolist() == [0, 1, 2, 3]
    with_it, against, to_rest = join_costs(ends, ends)[0, 1:]
    assert with_it < against
    assert with_it < to_rest


def test_the_beam_finds_the_cheapest_of_all_ways(monkeypatch):
    clips = [clip(k, 12, [4.0, 8.0]) for k in range(2)]
    shots = pool(clips)
    looks = looks_of(clips)
    song = hearing(8, 12)
    stretches = [Stretch(48 * k, 48 * k + 48, Fraction(0), FPS) for k in range(5)]
    found = []
    for number, stretch in enumerate(stretches):
        those = candidates_for(shots, song, stretch, number, 0)
        best = np.sort(np.argsort(those.cost_K)[:5])
        those = replace(those, place_K=those.place_K[best], cost_K=those.cost_K[best])
        found.append((those, ends_of(shots, looks, those)))
    half_life = max(10.0, len(shots.shot_J) / 20 / 2)

    def cost(way: tuple[int, ...]) -> float:
        total, seen, shot = 0.0, {}, {}
        for number, ((those, ends), k) in enumerate(zip(found, way, strict=True)):
            cells = range(
                shots.cell_J[those.place_K[k]],
                shots.cell_J[those.place_K[k] + those.moments - 1] + 1,
            )
            total += those.cost_K[k]
            total += choosing.SEEN_WEIGHT * np.mean([seen.get(c, 0.0) for c in cells])
            total += choosing.SHOT_WEIGHT * shot.get(ends.shot_K[k], 0.0)
            if number:
                total += join_costs(found[number - 1][1], ends)[way[number - 1], k]
            seen = {c: count * 0.5 ** (2 / half_life) for c, count in seen.items()}
            shot = {s: count * 0.5 ** (2 / 8) for s, count in shot.items()}
            for c in cells:
                seen[c] = seen.get(c, 0.0) + 1
            shot[ends.shot_K[k]] = shot.get(ends.shot_K[k], 0.0) + 1
        return total

    best = min(itertools.product(range(5), repeat=5), key=cost)
    monkeypatch.setattr(choosing, "_WAYS", 5**5)
    assert cost(tuple(choosing._cheapest_way(shots, found))) == pytest.approx(cost(best), abs=1e-4)
    monkeypatch.setattr(choosing, "_WAYS", 64)
    few = cost(tuple(choosing._cheapest_way(shots, found)))
    assert few <= cost(best) * 1.03


def test_footage_is_not_repeated_while_there_is_other():
    clips = [clip(k, 40, [5.0, 11.0, 18.0, 30.0]) for k in range(3)]
    stretches = [Stretch(48 * k, 48 * k + 48, Fraction(0), FPS) for k in range(20)]
    chosen = choose(pool(clips), hearing(8, 40), stretches, 0)
    spans = sorted((one.clip, one.from_seconds) for one in chosen)
    overlap = [
        max(0.0, float(a[1] + 2 - b[1]))
        for a, b in itertools.pairwise(spans)
        if a[0] == b[0]
    ]  # fmt: skip
    assert sum(overlap) < 2, "40 s of 120 s"
    shown = [
        (one.clip, int(np.searchsorted([5.0, 11.0, 18.0, 30.0], float(one.from_seconds))))
        for one in chosen
    ]
    assert all(one != two for one, two in itertools.pairwise(shown)), "not one shot in a row"


def test_the_seed_decides_and_nothing_else():
    clips = [clip(k, 30, [7.0, 15.0]) for k in range(3)]
    stretches = [Stretch(30 * k, 30 * k + 30, Fraction(0), FPS) for k in range(12)]
    films = [choose(pool(clips), hearing(8, 20), stretches, seed) for seed in (4, 4, 5)]
    assert films[0] == films[1]
    assert films[0] != films[2]


def test_a_lone_short_shot_is_played_to_and_fro():
    shots = pool([clip(0, 3, [])])
    stretch = Stretch(0, 240, Fraction(0), FPS)
    (chosen,) = choose(shots, hearing(8, 12), [stretch], 0)
    assert chosen.turn_seconds is not None
    assert Fraction(3, 2) < chosen.turn_seconds < 3
    assert chosen.from_seconds + chosen.turn_seconds <= 3


def test_black_is_chosen_last():
    clips = [clip(0, 30, []), clip(1, 30, [8.0, 15.0, 22.0])]
    dark = replace(clips[0].seen, clarity_T=np.zeros(450, np.float32))
    stretches = [Stretch(48 * k, 48 * k + 48, Fraction(0), FPS) for k in range(5)]
    chosen = choose(pool([replace(clips[0], seen=dark), clips[1]]), clips[0].heard, stretches, 0)
    assert sum(one.clip == 1 for one in chosen) == 5, "though the sound is the dark one's"


def test_stretches_cover_the_film_and_begin_at_the_nearest_frame():
    cuts = np.array([0.05, 1.0, 1.02, 2.49, 3.3, 9.95, 11.0])
    stretches = stretches_of(cuts, Fraction(1, 2), 225, FPS)
    assert [one.first for one in stretches] == [0, 12, 48, 67]
    assert [one.stop for one in stretches] == [12, 48, 67, 225]
    assert stretches[1].from_seconds == 1


def test_a_stretch_without_a_shot_long_enough_is_cut_again_on_a_beat():
    stretches = [Stretch(0, 240, Fraction(0), FPS), Stretch(240, 288, Fraction(0), FPS)]
    shots = [Fraction(6), Fraction(5), Fraction(3), Fraction(3), Fraction(1)]
    beats = np.arange(0.1, 12, 0.7)
    cut = cut_again(stretches, shots, beats)
    assert cut[0].first == 0
    assert all(a.stop == b.first for a, b in itertools.pairwise(cut))
    assert all(one.seconds <= 3 for one in cut)
    assert len(cut) == 5
    for one in cut[1:-1]:
        assert np.abs(beats - float(one.from_seconds)).min() <= 0.5 / 24 + 1e-9
    assert cut_again(stretches, [Fraction(2)], beats) == stretches, "one shot: nothing to cut to"
    assert cut_again(stretches, [Fraction(2), Fraction(1, 2)], beats) == stretches
