import pytest

from soundreel.errors import SettingsError
from soundreel.training.presets import PRESET_NAMES, training_preset, usual_preset
from soundreel.training.step import rate_share


def test_the_paper_is_the_paper():
    paper = training_preset("paper")
    assert (paper.size, paper.width, paper.discriminator_width) == (256, 64, 64)
    assert (paper.norm, paper.bias_before_norm, paper.innermost_norm) == ("batch", True, True)
    assert (paper.dropout, paper.dropout_at_generation) == (0.5, True)
    assert (paper.scale_to, paper.mirror, paper.sound_channels) == (286, True, 3)
    assert (paper.gain_db, paper.time_mask, paper.band_mask) == (0, 0, 0)
    assert (paper.batch, paper.epochs, paper.steps) == (1, 200, None)
    assert (paper.learning_rate, paper.discriminator_learning_rate) == (2e-4, 2e-4)
    assert (paper.beta1, paper.beta2) == (0.5, 0.999)
    assert (paper.l1_weight, paper.gan_weight) == (100, 1)
    assert (paper.schedule, paper.ema_decay, paper.precision) == ("constant", 0, "fp32")
    assert paper.total_steps(1_400) == 280_000


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_only_the_paper_reverses_time_or_moves_frequencies(name):
    settings = training_preset(name)
    assert (settings.mirror or settings.scale_to is not None) == (name == "paper")


def test_quick_is_given_in_steps():
    assert training_preset("quick").total_steps(10) == training_preset("quick").total_steps(10_000)


def test_epochs_replace_steps_and_the_other_way_round():
    assert training_preset("quick", epochs=2).total_steps(11) == 6
    assert training_preset("paper", steps=5).total_steps(1_400) == 5
    assert training_preset("default", epochs=0.5, batch=4).total_steps(10) == 2


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("papper", {}, "choose one of paper, default, reel, reel-quick, score, score-quick, quick"),
        ("paper", {"widht": 3}, 'did you mean "width"'),
        ("paper", {"size": 100}, "size = 100"),
        ("paper", {"scale_to": 200}, "scale_to must be at least size"),
        ("paper", {"epochs": 3, "steps": 3}, "either epochs or steps"),
        ("paper", {"norm": "frozen-batch"}, "batch of 2 or more"),
        ("paper", {"l1_weight": 0, "gan_weight": 0}, "nothing to learn from"),
        ("quick", {"learning_rate": 0}, "learning_rate = 0"),
        ("quick", {"step_engine": "graph", "automatic_batch": True}, "a batch that is given"),
        ("quick", {"accumulate": 3}, r"must divide batch \(4\)"),
        ("quick", {"keep_epochs": [0]}, "keep_epochs must be greater than 0"),
    ],
)
def test_what_is_wrong_is_one_line(name, changes, message):
    with pytest.raises(SettingsError, match=message) as caught:
        training_preset(name, **changes)
    assert "\n" not in str(caught.value)


def test_schedules():
    assert [rate_share("constant", step, 10) for step in (0, 9)] == [1, 1]
    assert [rate_share("linear", step, 10) for step in (0, 5, 9)] == pytest.approx([1, 1, 0.2])
    assert [rate_share("cosine", step, 10) for step in (0, 5)] == pytest.approx([1, 0.5])
    assert 0 < rate_share("cosine", 9, 10) < 0.05


def test_who_names_no_preset_gets_the_generator_of_that_direction():
    assert training_preset(usual_preset("sound-to-picture")).architecture == "reel"
    assert training_preset(usual_preset("picture-to-sound")).architecture == "score"
