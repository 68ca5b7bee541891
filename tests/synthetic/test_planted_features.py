import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.synthetic.features import AUDIO_NAMES, VISUAL_NAMES, planted_features
from soundreel.synthetic.truth import PlantedTruth, cut_times, fade_depth


def within(corpus):
    """The first three curves heard and seen, each video's own mean and spread removed."""

    def centred(curves_VTA):
        x = curves_VTA[..., :3] - curves_VTA[..., :3].mean(axis=1, keepdims=True)
        return x / x.std(axis=1, keepdims=True)

    return centred(corpus.audio_VTA), centred(corpus.visual_VTY)


def correlations(corpus):
    """Within-video correlations heard x seen, [V, 3, 3]."""
    heard, seen = within(corpus)
    return np.einsum("vti,vtj->vij", heard, seen) / heard.shape[1]


def long(truth, seed=0, **more):
    return planted_features(truth, seed, **{"videos": 40, "samples": 200, **more})


@given(st.floats(0, 1))
@settings(max_examples=8, deadline=None)
def test_the_coupling_is_what_was_asked_for(coupling):
    corpus = long(PlantedTruth(coupling=coupling), persistence=0.5)
    matrix = correlations(corpus).mean(axis=0)
    np.testing.assert_allclose(np.diag(matrix), coupling, atol=0.05)
    np.testing.assert_allclose(matrix - np.diag(np.diag(matrix)), 0, atol=0.05)


def test_curves_have_the_shape_names_and_persistence_they_claim():
    corpus = planted_features(PlantedTruth(), 0, videos=60, samples=300, persistence=0.8)
    assert corpus.audio_VTA.shape == (60, 300, len(AUDIO_NAMES))
    assert corpus.visual_VTY.shape == (60, 300, len(VISUAL_NAMES))
    for curves in (corpus.audio_VTA, corpus.visual_VTY):
        x = curves - curves.mean(axis=1, keepdims=True)
        lag_one = (x[:, 1:] * x[:, :-1]).sum(axis=(0, 1)) / (x * x).sum(axis=(0, 1))
        np.testing.assert_allclose(lag_one, 0.8, atol=0.04)


def test_the_extra_curves_heard_are_mixtures_of_the_first_three():
    corpus = long(PlantedTruth())
    x = corpus.audio_VTA - corpus.audio_VTA.mean(axis=1, keepdims=True)
    x = x.reshape(-1, x.shape[-1])
    fit = x[:, :3] @ np.linalg.lstsq(x[:, :3], x[:, 3:], rcond=None)[0]
    explained = fit.var(axis=0) / x[:, 3:].var(axis=0)
    np.testing.assert_allclose(explained, 0.7, atol=0.06)


_TRAPS = {
    "fades": {"shared_fades": True},
    "walk": {"random_walk": True},
    "smooth": {"matched_smoothness": True},
    "tempo": {"same_tempo_random_phase": True},
    "mapping": {"per_video_mapping": True},
    "nonlinear": {"nonlinear": True},
    "offset": {"av_offset_seconds": 0.3},
    "genre": {"look_by_genre": True},
    "twins": {"duplicate_songs": True},
    "one-look": {"look_constant": False},
}


@pytest.mark.parametrize("trap", _TRAPS)
def test_without_coupling_no_trap_couples_within_videos(trap):
    """Averaged over many corpora; shared fades alone do couple loudness and brightness."""
    truth = PlantedTruth(**_TRAPS[trap])
    matrices = np.concatenate([correlations(planted_features(truth, seed)) for seed in range(40)])
    mean = matrices.mean(axis=0)
    if trap == "fades":
        assert mean[0, 0] > 0.3
        mean[0, 0] = 0
    np.testing.assert_allclose(mean, 0, atol=0.05)


def test_random_walks_wander_and_correlate_by_chance():
    calm = correlations(long(PlantedTruth()))
    walking = correlations(long(PlantedTruth(random_walk=True)))
    assert walking.std() > 2 * calm.std()


def test_matched_smoothness_goes_together():
    def smoothness(curves_VT):
        x = curves_VT - curves_VT.mean(axis=1, keepdims=True)
        return (x[:, 1:] * x[:, :-1]).sum(axis=1) / (x * x).sum(axis=1)

    found = {}
    for switch in (False, True):
        corpus = long(PlantedTruth(matched_smoothness=switch))
        pair = smoothness(corpus.audio_VTA[..., 0]), smoothness(corpus.visual_VTY[..., 0])
        found[switch] = np.corrcoef(*pair)[0, 1]
    assert found[True] > 0.9
    assert abs(found[False]) < 0.4


def test_per_video_mapping_hides_from_the_mean_but_not_from_the_video():
    matrices = correlations(long(PlantedTruth(coupling=0.9, per_video_mapping=True)))
    strongest = np.abs(matrices).max(axis=1)
    assert strongest.mean() > 0.8
    assert np.abs(matrices.mean(axis=0)).max() < 0.4


def test_nonlinear_coupling_is_seen_in_squares_only():
    corpus = long(PlantedTruth(coupling=0.9, nonlinear=True), persistence=0.5)
    heard, seen = within(corpus)
    assert np.abs(correlations(corpus).mean(axis=0)).max() < 0.1
    squared = np.corrcoef((heard[..., 0] ** 2).ravel(), seen[..., 0].ravel())[0, 1]
    assert squared > 0.8


def test_the_offset_puts_the_picture_late():
    """With an offset of a share s of a sample, an AR(1) of phi correlates by phi^s, not 1."""
    corpus = long(PlantedTruth(coupling=1, av_offset_seconds=0.3), persistence=0.5, every_seconds=1)
    found = np.diag(correlations(corpus).mean(axis=0))
    np.testing.assert_allclose(found, 0.5**0.3, atol=0.03)


def test_the_same_tempo_pulses_in_all_songs_at_phases_of_their_own():
    corpus = planted_features(
        PlantedTruth(same_tempo_random_phase=True), 0, videos=30, samples=160, every_seconds=1.0
    )
    for curves in (corpus.audio_VTA[..., 0], corpus.visual_VTY[..., 0]):
        spectrum = np.fft.rfft(curves - curves.mean(axis=1, keepdims=True), axis=1)
        assert np.argmax((np.abs(spectrum) ** 2).mean(axis=0)) == 20, "a period of 8 s"
        phases = np.angle(spectrum[:, 20])
        assert np.abs(np.exp(1j * phases).mean()) < 0.4
    gaps = np.concatenate([np.diff(beats) for beats in corpus.beats_seconds])
    np.testing.assert_allclose(gaps, 0.5, rtol=0.03)


def test_the_directors_choice_by_genre_goes_together_between_videos():
    for switch in (False, True):
        corpus = planted_features(PlantedTruth(look_by_genre=switch), 0, videos=300, samples=20)
        means = corpus.audio_VTA.mean(axis=1)[:, 0], corpus.visual_VTY.mean(axis=1)[:, 0]
        together = np.corrcoef(*means)[0, 1]
        assert (together > 0.4) if switch else (abs(together) < 0.2)


def test_a_look_of_its_own_is_a_level_of_its_own():
    spread = {}
    for switch in (False, True):
        corpus = planted_features(PlantedTruth(look_constant=switch), 0, videos=60, samples=300)
        spread[switch] = corpus.visual_VTY.mean(axis=1).std()
    assert spread[True] > 1
    assert spread[False] < 0.4


def test_duplicates_have_the_same_song_and_another_picture():
    corpus = planted_features(PlantedTruth(duplicate_songs=True, coupling=0.5), 0, videos=11)
    assert corpus.song_of_video.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4]
    for video in range(6, 11):
        np.testing.assert_array_equal(corpus.audio_VTA[video], corpus.audio_VTA[video - 6])
        np.testing.assert_array_equal(corpus.beats_seconds[video], corpus.beats_seconds[video - 6])
        assert not np.allclose(corpus.visual_VTY[video], corpus.visual_VTY[video - 6])


@given(st.floats(0, 1), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_share_of_cuts_is_on_beats(share, seed):
    beats = 0.2 + 0.5 * np.arange(7000)
    rng = np.random.default_rng(seed)
    cuts = cut_times(PlantedTruth(cuts_on_beats=share), beats, 3500.0, rng)
    assert (np.diff(cuts) > 0).all()
    hits = np.isin(cuts, beats).mean()
    # A standard error of some 1.6%; doubles that fall on one beat cost a little.
    assert abs(hits - share) < 0.12
    if share == 1:
        assert hits == 1


def test_cuts_come_at_their_rate_and_anywhere():
    rng = np.random.default_rng(0)
    cuts = cut_times(PlantedTruth(), np.arange(0, 10_000, 0.5), 10_000.0, rng)
    assert abs(len(cuts) / 10_000 - 0.3) < 0.02
    phases = cuts % 0.5 / 0.5
    counts = np.histogram(phases, 10, (0, 1))[0]
    assert counts.min() > 0.8 * counts.mean()


def test_fades_are_at_the_ends_only():
    fade = fade_depth(101)
    assert fade[0] == fade[-1] == 1
    assert (fade[11:-11] == 0).all()


def test_the_same_seed_gives_the_same_corpus():
    truth = PlantedTruth(coupling=0.3, per_video_mapping=True, cuts_on_beats=0.5)
    first, again, other = (planted_features(truth, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.visual_VTY, again.visual_VTY)
    np.testing.assert_array_equal(first.cuts_seconds[3], again.cuts_seconds[3])
    assert not np.allclose(first.audio_VTA, other.audio_VTA)


def test_all_traps_together_still_make_a_corpus():
    truth = PlantedTruth(**{key: value for trap in _TRAPS.values() for key, value in trap.items()})
    corpus = planted_features(truth, 0)
    assert np.isfinite(corpus.audio_VTA).all()
    assert np.isfinite(corpus.visual_VTY).all()


@pytest.mark.parametrize(
    ("more", "says"),
    [({"videos": 1}, "1 videos"), ({"persistence": 1.0}, "1.0"), ({"every_seconds": 0.2}, "0.2")],
)
def test_impossible_corpora_are_refused(more, says):
    with pytest.raises(SettingsError, match=says):
        planted_features(PlantedTruth(av_offset_seconds=0.3), 0, **more)
