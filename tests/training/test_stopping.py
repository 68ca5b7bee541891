import pytest
import torch

from soundreel.errors import SettingsError
from soundreel.training import batch_size
from soundreel.training.batch_size import with_fastest_batch
from soundreel.training.ranks import Alone, Together
from soundreel.training.source import InMemory
from soundreel.training.stopping import best_row, ran_out_of_patience
from toy_pairs import toy_pairs, toy_settings


def rows(measure: str, *values: float | None) -> list[dict]:
    return [{"step": 10 * (n + 1), measure: value} for n, value in enumerate(values)]


def test_less_l1_is_better_and_more_of_the_others():
    assert best_row(rows("l1", 0.5, 0.2, 0.3), "l1") == {"step": 20, "l1": 0.2}
    assert best_row(rows("ms_ssim", 0.5, 0.2, 0.6), "ms_ssim") == {"step": 30, "ms_ssim": 0.6}
    assert best_row(rows("follow", -0.5, -0.2, None), "follow") == {"step": 20, "follow": -0.2}


def test_the_first_of_equals_is_the_best_and_nothing_known_is_none():
    assert best_row(rows("l1", 0.2, 0.2), "l1") == {"step": 10, "l1": 0.2}
    assert best_row(rows("follow", None, None), "follow") is None
    assert best_row([], "l1") is None


def test_patience_counts_measurements_since_the_best():
    settings = toy_settings(stop_on="l1", patience=3)
    assert not ran_out_of_patience(rows("l1", 0.2, 0.3, 0.3), settings)
    assert ran_out_of_patience(rows("l1", 0.2, 0.3, 0.3, 0.25), settings)
    assert not ran_out_of_patience(rows("l1", 0.2, 0.3, 0.3, 0.19), settings)
    assert not ran_out_of_patience(rows("l1", *[0.3] * 9), toy_settings())


def test_a_measure_that_never_comes_is_not_waited_for_forever():
    settings = toy_settings(stop_on="follow", patience=3)
    assert not ran_out_of_patience(rows("follow", None, None), settings)
    assert ran_out_of_patience(rows("follow", None, None, None), settings)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({1: 10, 2: 18, 4: 30, 8: 31, 16: 90}, 4),  # 8 does not pay, and 16 is not tried
        ({1: 10, 2: 10.5}, 1),
        ({1: 10, 2: 20, 4: 40, 8: 80, 16: 160}, 16),  # 32 would be more than an epoch
    ],
)
def test_the_batch_doubles_as_long_as_it_pays(monkeypatch, rates, expected):
    tried = []

    def rate(source, settings, *others) -> float:
        tried.append(settings.batch)
        return rates[settings.batch]

    monkeypatch.setattr(batch_size, "_samples_per_second", rate)
    source = InMemory(toy_pairs(range(3)), 0)
    asked = toy_settings(batch=1, automatic_batch=True)
    device = torch.device("cpu")
    found = with_fastest_batch(source, asked, "sound-to-picture", "fp32", device, Alone())
    assert found == asked.model_copy(update={"batch": expected})
    assert tried == [2**n for n in range(len(tried))]


def test_an_automatic_batch_is_for_one_process():
    device = torch.device("cpu")
    asked = toy_settings(batch=2, automatic_batch=True)
    with pytest.raises(SettingsError, match="automatic_batch is for one process"):
        with_fastest_batch(
            InMemory(toy_pairs(range(1)), 0),
            asked,
            "sound-to-picture",
            "fp32",
            device,
            Together(0, 2, device),
        )
