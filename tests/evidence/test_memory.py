"""Memorisation: planted copies are found, unseen frames of the same look are not accused."""

import io
from fractions import Fraction

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from soundreel.evidence.memory import memorisation
from soundreel.evidence.realism import lab_of
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.songs import drift
from soundreel.synthetic.visuals import Controls, film_frames, look_for

LOOK = look_for(3)
CUTS = tuple(range(6, 60, 6))


def film(seed: int, frames: int = 40, spread: float = 1, shots: int | None = None) -> np.ndarray:
    """A frame every 1.5 s of a film of one look; `shots`: another seed for the shots."""
    rng = numpy_generator_for(seed, "controls")
    controls = Controls(*(spread * drift(frames, 3, rng) for _ in range(3)))
    fps, cuts = Fraction(2, 3), CUTS if shots is None else ()
    seed = seed if shots is None else shots
    return np.stack(list(film_frames(LOOK, controls, cuts, fps, 64, 64, seed)))


@pytest.fixture(scope="module")
def training() -> np.ndarray:
    return np.concatenate([film(seed) for seed in range(12)])


@pytest.fixture(scope="module")
def held_out() -> np.ndarray:
    return np.concatenate([film(seed) for seed in (100, 101, 102)])


@pytest.fixture(scope="module")
def unseen() -> np.ndarray:
    return np.concatenate([film(seed) for seed in (200, 201, 202)])


def encoded(pictures_NHW3: np.ndarray, quality: int) -> np.ndarray:
    found = []
    for picture_HW3 in pictures_NHW3:
        jpeg = io.BytesIO()
        Image.fromarray(picture_HW3).save(jpeg, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(jpeg)))
    return np.stack(found)


def test_training_frames_encoded_again_are_found_and_named(training, held_out):
    places = np.random.default_rng(0).choice(len(training), 100, replace=False)
    found = memorisation(encoded(training[places], 50), training, held_out, 0)
    assert found.verdict == "copies"
    assert found.copy_rate > 0.97
    assert found.median_ratio < 0.4
    assert (found.nearest_N == places).mean() > 0.97
    assert found.is_copy_N.sum() == found.copies


def test_unseen_frames_of_the_same_look_are_not_accused(training, held_out, unseen):
    found = memorisation(unseen, training, held_out, 0)
    assert found.verdict == "does not copy"
    assert found.copy_rate < 0.05
    assert 0.8 < found.median_ratio < 1.25


def test_soft_unseen_frames_are_not_accused(training, held_out, unseen):
    soft = np.stack([cv2.GaussianBlur(picture, (0, 0), 3) for picture in unseen])
    assert memorisation(soft, training, held_out, 0).copy_rate < 0.05


def test_the_mean_frame_is_no_copy(training, held_out):
    mean = training.mean(axis=0).round().astype(np.uint8)
    found = memorisation(np.repeat(mean[None], 50, axis=0), training, held_out, 0)
    assert found.copies == 0
    assert found.judged == 50
    assert found.verdict == "does not copy"


def test_some_copies_among_others_are_counted(training, held_out, unseen):
    made = np.concatenate([encoded(training[:24], 50), unseen[:96]])
    found = memorisation(made, training, held_out, 0)
    assert found.verdict == "copies"
    assert found.copies == pytest.approx(24, abs=2)
    assert found.judged == 120
    exact = binomtest(found.copies, 120).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_where_all_frames_are_alike_nothing_can_be_told():
    """One shot that hardly changes: unseen frames are as near as copies."""
    training = np.concatenate([film(seed, spread=0.1, shots=7) for seed in range(5)])
    held_out, unseen = (film(seed, spread=0.1, shots=7) for seed in (100, 200))
    found = memorisation(unseen, training, held_out, 0)
    assert found.unseen_distance < found.altered_distance
    assert found.verdict == "cannot tell"
    assert found.copy_rate < 0.2


def test_too_few_held_out_frames_cannot_tell(training, held_out):
    found = memorisation(training[:50], training, held_out[:19], 0)
    assert found.verdict == "cannot tell"
    assert found.reason.startswith("19 held-out frames")
    none = memorisation(training[:50], training, held_out[:0], 0)
    assert none.verdict == "cannot tell"
    assert none.copies == 0


def test_black_frames_are_neither_copies_nor_a_reference(training, held_out, unseen):
    black = np.zeros((30, 64, 64, 3), np.uint8)
    seen = np.concatenate([training, black])
    copies = memorisation(
        np.concatenate([encoded(training[:60], 50), black]),
        seen,
        np.concatenate([held_out, black]),
        0,
    )
    assert (copies.judged, copies.plain) == (60, 30)
    assert copies.copy_rate > 0.95
    others = memorisation(np.concatenate([unseen, black]), seen, held_out, 0)
    assert others.copies <= 2
    only = memorisation(black, seen, held_out, 0)
    assert (only.judged, only.verdict) == (0, "cannot tell")


def test_distances_are_those_of_all_pairs_one_by_one(training, unseen):
    """In more than one chunk, and with the nearest in each."""
    many = np.concatenate([training] * 3)
    many[: 2 * len(training)] = 255 - many[: 2 * len(training)]
    made = np.concatenate([unseen[:20], 255 - unseen[20:40]])

    def small(pictures_NHW3: np.ndarray) -> np.ndarray:
        # 64 to 32: means of four pixels, a half away from zero.
        blocks = pictures_NHW3.reshape(-1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
        return lab_of(np.floor(blocks + 0.5).astype(np.uint8)).reshape(len(pictures_NHW3), -1)

    all_pairs = cdist(small(made), small(many)) / 32
    found = memorisation(made, many, unseen, 0)
    assert found.distance_N == pytest.approx(all_pairs.min(axis=1), abs=0.3)
    assert found.distance_N.mean() == pytest.approx(all_pairs.min(axis=1).mean(), abs=0.02)
    at_least = all_pairs[np.arange(40), found.nearest_N]
    assert at_least == pytest.approx(all_pairs.min(axis=1), abs=0.3)
    assert memorisation(many[-5:], many, unseen, 0).distance_N == pytest.approx(0, abs=1e-3)


def test_the_same_seed_gives_the_same_answer(training, held_out, unseen):
    one, other = (memorisation(unseen, training, held_out, 4) for _ in range(2))
    assert one.altered_distance == other.altered_distance
    assert np.array_equal(one.distance_N, other.distance_N)


def test_what_is_no_picture_is_refused(training, held_out):
    with pytest.raises(ValueError, match=r"made pictures are \(2, 64, 64, 3\) float32"):
        memorisation(np.zeros((2, 64, 64, 3), np.float32), training, held_out, 0)
    with pytest.raises(ValueError, match="no made pictures"):
        memorisation(training[:0], training, held_out, 0)
    with pytest.raises(ValueError, match="no training pictures"):
        memorisation(training, training[:0], held_out, 0)
