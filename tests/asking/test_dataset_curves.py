"""The curves of a dataset's clip, whose first picture need not be where the sound begins."""

from fractions import Fraction

import numpy as np
from flashing_films import flashing_film

from soundreel.asking.dataset_curves import dataset_curves
from soundreel.asking.secondary import onset_peaks
from soundreel.dataset.build import prepare
from soundreel.recipe import recipe_from


def test_all_times_count_from_the_first_picture(tmp_path):
    film = flashing_film(tmp_path / "film.mp4", 3, 3, seconds=12)
    plain = {
        "every_seconds": Fraction(1, 10),
        "picture_size": 64,
        "selection": {"leave_out": ()},
    }
    whole = prepare([film], tmp_path / "whole", recipe_from("default", **plain))
    later = prepare(
        [film], tmp_path / "later", recipe_from("default", start_seconds=Fraction(3), **plain)
    )
    first, second = (dataset_curves(made, made.rows[0]) for made in (whole, later))
    assert second.lead == 30
    assert len(second.seen_TP) == len(first.seen_TP) - 30
    # The brightness: the hue is told along the mean hue of other pictures.
    np.testing.assert_allclose(second.seen_TP[:, 0], first.seen_TP[30:, 0])
    shifted = onset_peaks(first) - 3
    np.testing.assert_allclose(
        onset_peaks(second)[2:], shifted[shifted > onset_peaks(second)[1] + 0.05], atol=0.011
    )
    beats = first.beat_seconds - 3
    np.testing.assert_allclose(second.beat_seconds, beats[beats >= 0])
    # What is heard at a picture is the same, wherever the pictures begin.
    np.testing.assert_allclose(second.heard_SA[30:60], first.heard_SA[30:60])
