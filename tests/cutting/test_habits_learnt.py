"""Habits and shots learnt from pictures and sound: cuts where they are, gaps that are none."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from soundreel.cutting.habits import learn_habits
from soundreel.cutting.learning import habits_of_pairs, shots_of_pairs
from soundreel.dataset.loading import Pairs
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at
from soundreel.recipe import recipe_from
from soundreel.sound.song_form import song_form
from soundreel.synthetic.songs import compose
from soundreel.synthetic.truth import PlantedTruth, cut_times
from soundreel.timeline import frame_count, grid_time, samples_before

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))
RATE_HZ = 22_050
SIZE = 32
STEP = Fraction(1, 12)


def shots_seen(cut_seconds, seconds, step, seed):
    """A new picture from each cut on, with a little grain: N x 3 x S x S, times, shots."""
    rng = np.random.default_rng(seed)
    frames = frame_count(Fraction(seconds), 1 / step)
    times = np.array([float(grid_time(k, Fraction(0), step)) for k in range(frames)])
    shot_N = np.searchsorted(cut_seconds, times, "right")
    coarse = rng.integers(30, 220, (shot_N.max() + 1, 3, 8, 8))
    pictures = coarse.repeat(SIZE // 8, axis=2).repeat(SIZE // 8, axis=3)[shot_N]
    grain = rng.integers(-6, 7, pictures.shape)
    return (pictures + grain).astype(np.uint8), times, shot_N


def pairs_of(clips, every: Fraction | str = STEP):
    """Pairs of clips of (pictures, times, sound)."""
    recipe = recipe_from(every_seconds=every, sample_rate_hz=RATE_HZ)
    times = np.concatenate([times for _, times, _ in clips] or [np.empty(0)])
    return Pairs(
        recipe=recipe,
        clip_ids=[f"clip-{k}" for k in range(len(clips))],
        frames_N3HW=np.concatenate(
            [seen for seen, _, _ in clips] or [np.empty((0, 3, SIZE, SIZE), np.uint8)]
        ),
        clip_N=np.repeat(np.arange(len(clips)), [len(times) for _, times, _ in clips]),
        end_sample_N=np.array([samples_before(Fraction(t), RATE_HZ) for t in times], np.int64),
        time_seconds_N=times,
        sounds=[sound for _, _, sound in clips],
    )


SILENCE = np.zeros(0, np.float32)
CUTS = np.array([1.5, 2.25, 4.0, 7.1, 8.0])


def test_shots_are_counted_through_clips_and_gaps():
    seen, times, shot_N = shots_seen(CUTS, 10, STEP, 0)
    other, other_times, other_shot_N = shots_seen([3.0], 5, STEP, 1)
    pairs = pairs_of([(seen, times, SILENCE), (other, other_times, SILENCE)])
    expected = np.concatenate([shot_N, 6 + other_shot_N])
    np.testing.assert_array_equal(shots_of_pairs(pairs), expected)
    # Without half a second within a shot, from 5 s on, there is one more.
    kept = np.flatnonzero((times < 5) | (times >= 5.5))
    pairs = pairs_of([(seen[kept], times[kept], SILENCE), (other, other_times, SILENCE)])
    later = shot_N[kept] + (times[kept] >= 5.5)
    np.testing.assert_array_equal(shots_of_pairs(pairs), np.concatenate([later, 7 + other_shot_N]))


def test_nothing_makes_no_shots_and_no_habits():
    nothing = pairs_of([])
    assert shots_of_pairs(nothing).shape == (0,)
    assert habits_of_pairs(nothing).summary() == "never cuts"
    one = pairs_of([(np.zeros((1, 3, SIZE, SIZE), np.uint8), np.zeros(1), SILENCE)])
    np.testing.assert_array_equal(shots_of_pairs(one), [0])
    assert habits_of_pairs(one).shots == 0


def test_a_gap_is_no_cut_and_ends_no_shot():
    seen, times, _ = shots_seen(CUTS, 10, STEP, 0)
    whole = habits_of_pairs(pairs_of([(seen, times, SILENCE)]))
    assert whole.shots == 4
    np.testing.assert_allclose(whole.shot_seconds[0], 0.75, atol=0.001)
    assert whole.resolution_seconds == pytest.approx(1 / 12)
    kept = np.flatnonzero((times < 5) | (times >= 5.5))
    habits = habits_of_pairs(pairs_of([(seen[kept], times[kept], SILENCE)]))
    assert habits.shots == 3, "of the shot with the gap neither end is the other's"


def test_a_clip_at_its_own_rate():
    step = Fraction(1001, 24000)
    seen, times, shot_N = shots_seen(CUTS, 10, step, 2)
    pairs = pairs_of([(seen, times, SILENCE)], "frame")
    np.testing.assert_array_equal(shots_of_pairs(pairs), shot_N)
    assert habits_of_pairs(pairs).resolution_seconds == pytest.approx(float(step), rel=1e-5)


def test_a_grid_that_begins_late_and_stored_sound_images():
    """Beats lie by the song's time, not by the first frame's; without sound there are none."""
    song = compose(3, 20, "house", RATE_HZ)
    cuts = song.beat_times_seconds[8::4]
    seen, times, _ = shots_seen(cuts, 20, Fraction(1, 24), 3)
    late = times >= 5.3
    sound = song.sound.mean(0)
    found = habits_of_pairs(pairs_of([(seen[late], times[late], sound)], Fraction(1, 24)))
    assert found.on_beat_share is not None
    assert found.on_beat_share > 0.8
    assert np.abs(found.lag_seconds).max() < 0.05
    assert found.downbeat_share is not None
    deaf = habits_of_pairs(pairs_of([(seen[late], times[late], SILENCE)], Fraction(1, 24)))
    assert deaf.on_beat_share is None
    assert deaf.shot_seconds == found.shot_seconds


@pytest.fixture(scope="module")
def songs():
    genres = ["synthwave", "house", "rock-ballad", "hip-hop"]
    return [compose(seed, 40, genre, RATE_HZ) for seed, genre in enumerate(genres)]


@pytest.mark.parametrize("share", [0.2, 0.85])
def test_planted_directors_are_learnt_from_what_is_seen_and_heard(songs, share):
    """Songs of a steady beat, cut by the corpus's own rule, at 12 frames a second.

    Against the planted cuts themselves, on the beats tracked: what pictures lose; and against the
    planted share: what trackers lose, too.
    """
    rng = np.random.default_rng(4)
    clips, cuts, beats, bars, on_beat = [], [], [], [], 0
    for seed, song in enumerate(songs):
        planned = cut_times(PlantedTruth(cuts_on_beats=share), song.beat_times_seconds, 40, rng)
        planned = planned[np.diff(planned, prepend=0) > 0.3]  # all of them can be seen
        seen, times, _ = shots_seen(planned, 40, STEP, seed)
        form = song_form([song.sound.mean(0)], RATE_HZ)
        clips.append((seen, times, song.sound.mean(0)))
        cuts.append(planned)
        beats.append(form.beat_seconds_B)
        bars.append(form.bar_seconds)
        on_beat += np.isin(planned, song.beat_times_seconds).sum()
    found = habits_of_pairs(pairs_of(clips))
    known = learn_habits(cuts, [40.0] * 4, beats, bars, 0.0)
    assert found.on_beat_share is not None
    assert known.on_beat_share is not None
    assert found.shots == known.shots
    np.testing.assert_allclose(found.shot_seconds[4:-4], known.shot_seconds[4:-4], atol=0.09)
    # Some 45 cuts, chance near .4 at this step.
    assert abs(found.on_beat_share - known.on_beat_share) < 0.2
    assert abs(found.on_beat_share - on_beat / sum(map(len, cuts))) < 0.3
    if share > 0.5:
        assert abs(found.lag_seconds[10] - known.lag_seconds[10]) < 0.02, "half a step is taken off"


def test_on_a_coarse_grid_beats_are_not_told():
    seen, times, _ = shots_seen(np.arange(3.0, 60, 3), 60, Fraction(1, 2), 5)
    found = habits_of_pairs(pairs_of([(seen, times, np.zeros(10, np.float32))], Fraction(1, 2)))
    assert (found.on_beat_share, found.shot_beats) == (None, None)
    assert found.shots > 10


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("bbb_flight_360p.mp4", 15, 40), ("sintel_bridge_480p.mp4", 5, 30)],
)
def test_real_films_are_cut_a_sensible_number_of_times_a_minute(name, least, most):
    path = MEDIA / "videos" / name
    if not path.exists():
        pytest.skip(f"videos/{name} is not there (SOUNDREEL_MEDIA may say where)")
    times = [grid_time(k, Fraction(0), STEP) for k in range(12 * 50)]
    taken = list(frames_at(path, times, Fit(SIZE, SIZE)))
    seen = np.stack([frame for _, frame in taken]).transpose(0, 3, 1, 2)
    seconds = np.array([float(times[k]) for k, _ in taken])
    sound = read_sound(path, RATE_HZ, "mono", Fraction(0), Fraction(50))
    pairs = pairs_of([(seen, seconds, sound)])
    found = habits_of_pairs(pairs)
    assert least < found.cuts_per_minute < most
    assert found.shots + 2 == shots_of_pairs(pairs)[-1] + 1
