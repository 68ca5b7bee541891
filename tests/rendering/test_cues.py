"""Cues: a take walks along its shot at the clip's speed, and is of the shot that sounds alike."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.networks.reel import References
from soundreel.rendering.blending import crossfade_share
from soundreel.rendering.cue_planning import (
    HeardSong,
    LookChooser,
    LookSpan,
    Part,
    TakeBegin,
    chosen_looks,
    plan_track,
)
from soundreel.rendering.cues import (
    CueTrack,
    LookTurn,
    ShotPath,
    Take,
    turned,
)
from soundreel.rendering.looks import read_look
from soundreel.rendering.remembered import EVENED_SECONDS, Memory, clip_distances, distances, evened
from soundreel.rendering.takes import Wanted, choose_takes

FPS = Fraction(30)
SOUNDS, CODES = 6, 4
CLIPS = ("calm", "wild", "third")
LOOKS = np.eye(4, 3, dtype=np.float32)


def path(seconds, codes) -> ShotPath:
    return ShotPath(0, 0, np.array(seconds, float), np.array(codes, np.float16)[:, None])


ONE_LOOK = (LookTurn(0, 0, (1.0, 0, 0, 0)),)


def track(takes, paths, looks=ONE_LOOK, fps=FPS) -> CueTrack:
    return CueTrack(fps, LOOKS, tuple(looks), tuple(takes), tuple(paths))


def codes(of: CueTrack, frames) -> np.ndarray:
    return of.cues(list(frames))[:, 3:].numpy()


RAMP = path(np.arange(11) / 5, np.arange(11) / 5)  # a code that tells the time, 0 to 2 s


def test_a_take_walks_at_the_clips_own_speed_and_turns_round_at_the_shots_ends():
    walked = codes(track([Take(0, 0, 0, 0.5)], [RAMP]), range(180))[:, 0]
    gone = 0.5 + np.arange(180) / 30
    wanted = np.abs((gone + 2) % 4 - 2)  # a triangle between 0 and 2 s
    assert np.allclose(walked, wanted, atol=1e-3)
    backwards = codes(track([Take(0, 0, 0, 1.5, -1)], [RAMP]), range(30))[:, 0]
    assert np.allclose(backwards, 1.5 - np.arange(30) / 30, atol=1e-3)
    held = codes(track([Take(0, 0, 0, 0.75, 0)], [RAMP]), range(90))[:, 0]
    assert np.ptp(held) == 0
    assert held[0] == pytest.approx(0.75, abs=1e-3)


def test_at_a_cut_it_jumps_and_in_a_glide_it_crosses_over():
    takes = [Take(0, 0, 0, 0.0), Take(30, 0, 0, 1.5, 0), Take(60, 12, 1, 0.0)]
    still = path([3.0], [10.0])  # a shot of which one frame is remembered
    of = track(takes, [RAMP, still])
    walked = codes(of, range(90))[:, 0]
    assert of.cuts == (30,)
    assert walked[29] == pytest.approx(29 / 30, abs=1e-3)
    assert np.allclose(walked[30:60], 1.5, atol=1e-3)
    for n in range(55, 90):
        share = crossfade_share(n, 60, 72)
        assert walked[n] == pytest.approx(1.5 + share * 8.5, abs=0.01), n


def test_looks_take_turns_as_takes_do():
    looks = [LookTurn(0, 0, (0.25, 0.75, 0, 0)), LookTurn(10, 4, (0, 0, 1.0, 0))]
    seen = track([Take(0, 0, 0, 0.0)], [RAMP], looks).cues(range(20))[:, :3].numpy()
    assert np.allclose(seen[:10], [0.25, 0.75, 0])
    assert np.allclose(seen[14:], [0, 0, 1])
    assert (np.diff(seen[9:15, 2]) > 0).all()
    assert np.allclose(seen.sum(1), 1)


@settings(max_examples=25, deadline=None)
@given(frames=st.lists(st.integers(0, 200), min_size=1, max_size=12))
def test_a_cue_depends_on_its_frames_place_alone(frames):
    takes = [Take(0, 0, 0, 0.3), Take(40, 25, 1, 5.0), Take(101, 0, 0, 1.9)]
    other = path([4.0, 4.5, 6.0], [1.0, -3.0, 2.0])
    looks = [LookTurn(0, 0, (1.0, 0, 0, 0)), LookTurn(90, 20, (0, 0.4, 0.6, 0))]
    of = track(takes, [RAMP, other], looks)
    whole = of.cues(range(201)).numpy()
    assert np.array_equal(of.cues(frames).numpy(), whole[frames]), "to the bit"


@given(st.floats(-50, 50), st.floats(0, 5), st.floats(0.01, 5))
def test_a_walk_to_and_fro_never_leaves_its_ends(at, first, length):
    last = first + length
    there = float(turned(np.array([at]), first, last)[0])
    assert first - 1e-9 <= there <= last + 1e-9
    if first <= at <= last:
        assert there == pytest.approx(at, abs=1e-9)
    assert turned(np.array([at]), first, first)[0] == first


def test_codes_are_evened_out_by_a_hann_window():
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.uniform(0, 6, 50))
    code = rng.standard_normal((50, 3)).astype(np.float16)
    apart = seconds[:, None] - seconds
    turn = np.abs(apart) / EVENED_SECONDS
    weight = np.where(turn < 0.5, 0.5 + 0.5 * np.cos(2 * np.pi * turn), 0)
    wanted = weight / weight.sum(1, keepdims=True) @ code.astype(float)
    assert np.allclose(evened(seconds, code), wanted, atol=2e-3)
    assert np.array_equal(evened(seconds[:1], code[:1]), code[:1])


def remembered(clips=3, shots=4, frames=30, seed=0) -> References:
    """Shots of 3 s, ten frames a second; each shot has a sound of its own that drifts, and a code
    that tells its clip, its shot and the time in its clip."""
    rng = np.random.default_rng(seed)
    rows = clips * shots * frames
    clip = np.repeat(np.arange(clips), shots * frames)
    shot = np.repeat(np.arange(clips * shots), frames)
    seconds = np.tile(np.arange(shots * frames) / 10, clips)
    sound = rng.standard_normal((clips * shots, SOUNDS))[shot]
    sound += 0.5 * np.sin(seconds[:, None] * np.arange(1, SOUNDS + 1))
    code = np.stack([clip, shot, seconds, np.zeros(rows)], 1)
    return References(
        torch.tensor(sound, dtype=torch.float32),
        torch.tensor(code, dtype=torch.float32),
        torch.tensor(clip),
        torch.tensor(shot),
        torch.tensor(seconds, dtype=torch.float64),
    )


MEMORY = Memory.of(remembered(), 3)


def song_of(rows, noise=0.0, rate=10) -> HeardSong:
    """A song that sounds as rows of the memory did, so many of them a second."""
    sound = MEMORY.sound_RA[list(rows)]
    sound = sound + noise * np.random.default_rng(1).standard_normal(sound.shape)
    return HeardSong(sound.astype(np.float32), np.arange(len(sound)) / rate)


def test_the_memory_is_in_order_however_it_is_given():
    known = remembered()
    mixed = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
    shuffled = Memory.of(
        References(
            known.sound_RA[mixed],
            known.code_RZ[mixed],
            known.clip_R[mixed],
            known.shot_R[mixed],
            known.seconds_R[mixed],
        ),
        3,
    )
    assert np.array_equal(shuffled.sound_RA, MEMORY.sound_RA)
    assert shuffled.shots == MEMORY.shots
    assert [(shot.clip, shot.stop - shot.first) for shot in MEMORY.shots] == [
        (clip, 30) for clip in (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)
    ]


def test_distances_are_those_of_the_nearest_moments():
    rng = np.random.default_rng(2)
    sound = (rng.standard_normal((7, SOUNDS)) + 100).astype(np.float32)
    near = distances(sound, MEMORY.sound_RA)
    wanted = np.linalg.norm(sound[:, None].astype(float) - MEMORY.sound_RA, axis=2)
    assert np.allclose(near, wanted, rtol=1e-5)
    by_clip = clip_distances(MEMORY, sound)
    assert np.allclose(by_clip, wanted.reshape(7, 3, -1).min(2), rtol=1e-5)
    lacking = Memory.of(remembered(2), 3)
    assert np.isinf(clip_distances(lacking, sound)[:, 2]).all()


@pytest.mark.parametrize("clip", [0, 2])
def test_a_take_is_of_the_place_that_sounded_as_the_song_does(clip):
    # The song: 1.2 s of the clip's third shot from 0.8 s on, then as much of its first from 1 s.
    first = 120 * clip
    rows = [*range(first + 68, first + 80), *range(first + 10, first + 22)]
    song = song_of(rows, noise=0.01)
    wanted = [Wanted(0.0, 1.2, clip), Wanted(1.2, 2.4, clip)]
    for seed in range(5):
        one, two = choose_takes(MEMORY, song.sound_TA, song.seconds_T, wanted, seed)
        assert MEMORY.shots[one.shot].shot == 4 * clip + 2
        assert one.start_seconds == pytest.approx(6.8)
        assert MEMORY.shots[two.shot].shot == 4 * clip
        assert two.start_seconds == pytest.approx(1.0)


def test_the_same_shot_does_not_come_twice_at_once_nor_all_the_time():
    song = song_of([7] * 300)  # always as the first shot
    wanted = [Wanted(t, t + 1.0, 0) for t in range(30)]
    takes = choose_takes(MEMORY, song.sound_TA, song.seconds_T, wanted, 0)
    shots = [take.shot for take in takes]
    assert all(a != b for a, b in pairwise(shots))
    assert set(shots) <= {0, 1, 2, 3}, "of this clip"
    assert shots.count(0) >= 10, "what sounds alike comes most often"
    assert len(set(shots)) > 2
    for take, one in zip(takes, wanted, strict=True):
        shot = MEMORY.shots[take.shot]
        assert take.start_seconds + one.stop_seconds - one.begin_seconds <= (
            MEMORY.seconds_R[shot.stop - 1] + 1e-9
        ), "it ends before its shot does"
    again = choose_takes(MEMORY, song.sound_TA, song.seconds_T, wanted, 0)
    assert again == takes
    assert any(
        choose_takes(MEMORY, song.sound_TA, song.seconds_T, wanted, seed) != takes
        for seed in range(1, 4)
    )


def test_in_a_clip_of_one_shot_a_cut_goes_elsewhere():
    memory = Memory.of(remembered(1, 1, 100), 1)
    song = HeardSong(memory.sound_RA[:40], np.arange(40) / 10)
    wanted = [Wanted(0.0, 1.0, 0), Wanted(1.0, 2.0, 0), Wanted(2.0, 3.0, 0)]
    takes = choose_takes(memory, song.sound_TA, song.seconds_T, wanted, 0)
    for before, after in pairwise(takes):
        assert abs(after.start_seconds - (before.start_seconds + 1.0)) >= 2.0


def test_a_clip_of_one_frame_and_a_song_of_one_moment_make_a_take():
    memory = Memory.of(remembered(1, 1, 1), 1)
    takes = choose_takes(
        memory, memory.sound_RA, np.zeros(1), [Wanted(0, 1, 0), Wanted(1, 9, 0)], 0
    )
    assert [(take.shot, take.start_seconds) for take in takes] == [(0, 0.0)] * 2
    with pytest.raises(ValueError, match="nothing is remembered"):
        choose_takes(memory, memory.sound_RA, np.zeros(1), [Wanted(0, 1, 2)], 0)


def looks_of(song, text, stop, others=(), parts=(), bars=()):
    chooser = LookChooser(MEMORY, CLIPS, song, parts, bars)
    film = LookSpan(Fraction(0), Fraction(stop), read_look(text), Fraction(1, 2))
    return chosen_looks(chooser, film, others)


def told(looks) -> list[tuple[float, str]]:
    names = [*CLIPS, "average"]
    return [
        (
            float(look.begin_seconds),
            "+".join(name for name, share in zip(names, look.shares, strict=True) if share),
        )
        for look in looks
    ]


def test_auto_is_the_look_of_the_clip_that_sounds_nearest():
    mostly_wild = song_of([*range(120, 200), *range(240, 260)], noise=0.2)
    assert told(looks_of(mostly_wild, "auto", 10)) == [(0, "wild")]
    assert looks_of(mostly_wild, "auto", 10)[0].takes_of == ((1, 1.0),)
    assert told(looks_of(mostly_wild, "calm", 10)) == [(0, "calm")]
    average = looks_of(mostly_wild, "average", 10)
    assert told(average) == [(0, "average")]
    assert average[0].takes_of == ((1, 1.0),), "its layouts are those of the nearest clip"
    mixed = looks_of(mostly_wild, "calm:1,third:2,average:1", 10)
    assert mixed[0].takes_of == ((0, 0.25), (2, 0.5))


def test_a_walk_goes_to_each_sections_nearest_look_and_never_stays():
    song = song_of([*range(30), *range(120, 150), *range(20), *range(250, 280)], noise=0.1)
    parts = [Part(Fraction(t), label) for t, label in ((0, "A"), (3, "B"), (6, "A"), (8, "C"))]
    walked = told(looks_of(song, "walk:sections", 11, parts=parts))
    assert walked == [(0, "calm"), (3, "wild"), (6, "calm"), (8, "third")]
    alike = song_of([5] * 60)
    names = [name for _, name in told(looks_of(alike, "walk:1.5", 6))]
    assert names[0] == names[2] == "calm"
    assert names[1] == names[3] != "calm", "from the nearest to the next nearest and back"
    bars = told(looks_of(alike, "walk:2 bars", 6, bars=(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)))
    assert [begin for begin, _ in bars] == [0, 0.5, 2.5, 4.5]
    without = told(looks_of(alike, "walk:1 bar", 6))
    assert [begin for begin, _ in without] == [0, 2, 4], "a song without beats: two seconds each"


def test_a_shots_own_look_lies_over_the_films():
    song = song_of(range(100), noise=0.1)
    fade = Fraction(1)
    others = [
        LookSpan(Fraction(2), Fraction(4), read_look("wild"), fade, fade / 2),
        LookSpan(Fraction(4), Fraction(5), read_look("average"), fade / 2, fade / 4),
        LookSpan(Fraction(8), Fraction(10), read_look("calm"), fade, fade),
    ]
    looks = looks_of(song, "auto", 10, others)
    assert told(looks) == [(0, "calm"), (2, "wild"), (4, "average"), (5, "calm")], "8 s: as before"
    assert [look.fade_seconds for look in looks[1:]] == [1, Fraction(1, 2), Fraction(1, 4)]


def planned(seed=0, fps=FPS, text="auto", begins=(1.0, 2.02, 2.9), start=0, stop=6, others=()):
    song = song_of(range(70), noise=0.1)
    looks = looks_of(song, text, stop, others)
    takes = [TakeBegin(Fraction(str(one))) for one in begins]
    return plan_track(MEMORY, LOOKS, song, looks, takes, Fraction(start), Fraction(stop), fps, seed)


def test_a_cut_is_the_first_frame_not_before_its_time():
    assert planned().cuts == (30, 61, 87)
    assert planned(fps=Fraction(24_000, 1001)).cuts == (24, 49, 70)
    assert planned(begins=(1.0, 1.001, 1.002, 9.0)).cuts == (30, 31), "one cut a frame at most"


def test_a_track_walks_within_one_shot_between_two_cuts_and_is_the_same_at_each_rate():
    slow, fast = planned(), planned(fps=Fraction(60))
    assert [(take.shot, take.start_seconds) for take in slow.takes] == [
        (take.shot, take.start_seconds) for take in fast.takes
    ]
    code = codes(slow, range(180))
    edges = [0, *slow.cuts, 180]
    for first, stop in pairwise(edges):
        assert len(np.unique(code[first:stop, 1])) == 1, "one shot"
        speed = np.diff(code[first:stop, 2]) * 30
        assert np.allclose(np.abs(np.median(speed)), 1, atol=0.1)
    assert (np.diff(code[:, 1])[np.array(slow.cuts) - 1] != 0).all(), "another one at each cut"
    assert planned(seed=0).takes == slow.takes
    assert any(planned(seed=seed).takes != slow.takes for seed in range(1, 5))


def test_with_a_look_another_take_begins_and_both_glide():
    other = LookSpan(Fraction(3), Fraction(6), read_look("third"), Fraction(1))
    of = planned(others=[other], text="calm")
    assert of.cuts == (30, 61), "the cut at 2.9 s is so near that it is the look's"
    assert [(take.first, take.fade) for take in of.takes][-1] == (90, 30)
    clip = codes(of, range(180))[:, 0]
    look = of.cues(range(180))[:, 2].numpy()
    assert (clip[:90] == 0).all()
    assert np.allclose(clip[120:], 2, atol=0.01)
    assert np.allclose(look, clip / 2, atol=0.01), "look and layout go over together"


def test_of_a_mixture_takes_are_of_its_clips_by_their_shares():
    begins = np.arange(0.05, 6, 0.05).round(2)
    of = planned(text="calm:0.75,third:0.25", begins=begins)
    clips = [of.paths[take.shot].clip for take in of.takes]
    assert set(clips) == {0, 2}
    assert 0.6 < clips.count(0) / len(clips) < 0.9
