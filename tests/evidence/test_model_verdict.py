"""The verdict on a model: what was planted is what is said, and why."""

from dataclasses import replace

import numpy as np
import pytest
from planted_models import RATE_HZ, planted

from soundreel.evidence.model_verdict import model_verdict
from soundreel.evidence.quality import sensitivity as sensitivity_of_pictures
from soundreel.evidence.skill import losses_by_clip, skill
from soundreel.evidence.song_sensitivity import Sensitivity, song_sensitivity
from soundreel.evidence.two_afc import two_afc
from soundreel.evidence.usefulness import Usefulness, usefulness

VARIES = Sensitivity(share=0.5, beside_mean=0.7, beside_silence=0.8, spread=0.3)


def found_at(effect: float, sd: float, p: float, clips: int = 10) -> Usefulness:
    none = np.zeros(1)
    return Usefulness(np.zeros((clips, clips)), effect, sd, p, p, none, none, clips, effect, p)


def judged(made, truth, **more):
    mean = np.mean([x.mean(0) for x in made], axis=0)
    return model_verdict(
        song_sensitivity(made, truth, mean, mean), usefulness(made, truth, RATE_HZ), **more
    )


def test_sensitivity_is_that_of_the_pictures():
    torch = pytest.importorskip("torch")
    made, truth = planted(0, 0.3, columns=12)
    found = song_sensitivity(made, truth, np.zeros(12), made[0][0])
    pictures = [
        torch.from_numpy(np.concatenate(x)).reshape(-1, 3, 2, 2).float() for x in (made, truth)
    ]
    assert found.share == pytest.approx(sensitivity_of_pictures(*pictures), rel=1e-5)
    every = np.concatenate(made)
    spread = np.sqrt(np.concatenate(truth).var(0).mean())
    assert found.spread == pytest.approx(spread)
    assert found.beside_mean == pytest.approx(np.sqrt((every**2).mean()) / spread)
    assert found.beside_silence == pytest.approx(
        np.sqrt(((every - made[0][0]) ** 2).mean()) / spread
    )
    assert found.visible


def test_frames_that_do_not_vary_leave_nothing_to_divide_by():
    one = [np.full((9, 12), 0.25)] * 2
    found = song_sensitivity(one, one, one[0][0], one[0][0])
    assert (found.share, found.beside_mean) == (0, 0)
    assert not found.visible
    with pytest.raises(ValueError, match="equally many"):
        song_sensitivity(one, one[:1], one[0][0], one[0][0])
    with pytest.raises(ValueError, match="same shape"):
        song_sensitivity(one, one, one[0][0][:3], one[0][0])
    with pytest.raises(ValueError, match="silence"):
        song_sensitivity(one, one, one[0][0], one[0][0][:3])
    with pytest.raises(ValueError, match="at least one"):
        song_sensitivity([], [], one[0][0], one[0][0])


def test_a_model_that_follows_uses_the_music():
    made, truth = planted(1, 0.8)
    losses = losses_by_clip(
        made, truth, RATE_HZ, made_of_mean_D=np.zeros(12), training_frames_ND=truth[0]
    )
    verdict, reasons = judged(
        made,
        truth,
        controls=[0.01, -0.02, 0.05],
        skill=skill(losses),
        two_afc=two_afc(made, truth, RATE_HZ),
    )
    assert verdict == "uses the music"
    said = " ".join(reasons)
    assert "do go with their own song's frames" in said
    assert "exceeds all 3 controls'" in said
    assert "nearer in" in said
    assert "G(swapped song)" in said
    assert all("\n" not in reason for reason in reasons)


def test_a_model_that_makes_one_picture_ignores_the_song():
    made, truth = planted(2, 0)
    still = [np.full_like(x, 0.1) for x in made]
    verdict, reasons = judged(still, truth)
    assert verdict == "ignores the song"
    assert "do not vary visibly" in reasons[0]
    assert any("squared error" in reason for reason in reasons)
    nearly = [0.1 + 0.05 * (x - x.mean(0)) for x in made]
    verdict, reasons = judged(nearly, truth)
    assert verdict == "ignores the song"
    assert "hardly vary" in reasons[0]


def test_a_faint_answer_that_is_right_is_not_ignoring():
    """What a squared error leaves of a weak dependence is small; and still right."""
    made, truth = planted(3, 0.8)
    faint = [0.06 * (x - x.mean(0)) for x in made]
    verdict, reasons = judged(faint, truth)
    assert verdict == "uses the music"
    assert any("hardly vary, but" in reason for reason in reasons)
    invisible = [1e-3 * x for x in faint]
    assert judged(invisible, truth).verdict == "ignores the song"


def test_a_model_that_answers_at_random_responds_but_not_usefully():
    words = []
    for seed in range(20):
        made, truth = planted(seed, 0, clips=12, moments=240, phi=0.5)
        words.append(judged(made, truth).verdict)
    assert words.count("responds, but not usefully") >= 17
    assert "ignores the song" not in words
    verdict, reasons = model_verdict(VARIES, found_at(0.01, 0.03, 0.4))
    assert verdict == "responds, but not usefully"
    assert any("lies within +-0.1" in reason for reason in reasons)
    assert any("not run" in reason for reason in reasons)


def test_too_little_to_say_is_undecided_and_says_how_much_would_do():
    verdict, reasons = model_verdict(VARIES, found_at(0.03, 0.08, 0.3))
    assert verdict == "undecided"
    assert any("MDE80" in reason and "about 55 held-out songs" in reason for reason in reasons)
    # A wider margin of what does not matter: then that much is ruled out.
    assert model_verdict(VARIES, found_at(0.03, 0.08, 0.3), delta=0.2).verdict == (
        "responds, but not usefully"
    )
    # p small but the interval not above 0.
    assert model_verdict(VARIES, found_at(0.1, 0.06, 0.04)).verdict == "undecided"


@pytest.mark.parametrize("clips", [2, 3, 4])
def test_fewer_than_five_songs_prove_nothing(clips):
    verdict, reasons = judged(*planted(4, 0.95, clips=clips))
    assert verdict == "undecided"
    assert any(f"1/{clips}!" in reason for reason in reasons)
    assert model_verdict(VARIES, found_at(0.0, 0.01, 0.9, clips)).verdict == "undecided"


def test_an_effect_that_controls_reach_is_not_use_of_music():
    strong = found_at(0.3, 0.05, 0.001)
    assert model_verdict(VARIES, strong, [0.1, 0.2, 0.29]).verdict == "uses the music"
    verdict, reasons = model_verdict(VARIES, strong, [0.1, 0.2, 0.3])
    assert verdict == "undecided"
    assert any("does not exceed all 3" in reason for reason in reasons)
    few = model_verdict(VARIES, strong, [0.1])
    assert few.verdict == "uses the music"
    assert any("3 are needed" in reason for reason in few.reasons)


def test_both_nulls_are_required():
    only_swaps = replace(found_at(0.3, 0.05, 0.001), p_shift=0.2)
    assert model_verdict(VARIES, only_swaps).verdict == "undecided"
    short = replace(found_at(0.3, 0.05, 0.001), p_shift=1.0, shifted_clips=0)
    assert any("long enough" in reason for reason in model_verdict(VARIES, short).reasons)


def test_a_verdict_refuses_what_only_a_program_can_do_wrong():
    found = found_at(0.1, 0.1, 0.5)
    with pytest.raises(ValueError, match="give delta above 0"):
        model_verdict(VARIES, found, delta=0)
    with pytest.raises(ValueError, match="alpha 1"):
        model_verdict(VARIES, found, alpha=1)
    with pytest.raises(ValueError, match="controls"):
        model_verdict(VARIES, found, [float("nan")])
