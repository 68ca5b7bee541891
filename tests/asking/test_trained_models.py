"""Trained for real: a model of a coupled corpus uses the music, the same on swapped songs not."""

from fractions import Fraction

import pytest

import soundreel
from soundreel.asking.settings import question_from
from soundreel.dataset.build import prepare
from soundreel.recipe import recipe_from
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth
from soundreel.training.run import train

SMALL = {
    "size": 64,
    "width": 16,
    "discriminator_width": 16,
    "steps": 300,
    "measure_every": 150,
    "sheet_every": 300,
}


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_model_of_a_coupled_corpus_uses_the_music_and_its_controls_do_not(tmp_path):
    films = make_corpus(
        tmp_path / "films",
        20,
        24.0,
        PlantedTruth(coupling=1.0, look_by_genre=True),
        seed=7,
        width=96,
        height=54,
        fps=Fraction(10),
        genres=("synthwave",),
        workers=2,
    )
    recipe = recipe_from(
        "default", every_seconds=Fraction(1, 5), picture_size=64, held_out_fraction=0.5
    )
    dataset = prepare(films, tmp_path / "dataset", recipe, workers=2)
    run = tmp_path / "run"
    train(dataset.folder, run, "quick", changes=SMALL)
    out = tmp_path / "report.html"
    question = question_from(draws=999)
    answer = soundreel.ask(dataset.folder, out=out, model=run, controls=3, question=question)
    assert answer.verdict == "uses the music"
    assert answer.numbers["model"]["usefulness"] > max(answer.numbers["model"]["controls"])
    assert answer.numbers["model"]["memorisation"] == "does not copy"
    for number in range(3):
        control = tmp_path / "report.controls" / str(number) / "run"
        told = soundreel.ask(
            dataset.folder, out=tmp_path / f"{number}.html", model=control, question=question
        )
        assert told.verdict != "uses the music"
