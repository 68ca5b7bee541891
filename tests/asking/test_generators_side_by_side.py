"""The benchmark that puts generators side by side, small: it trains, and finds its runs."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from soundreel.dataset.build import prepare
from soundreel.recipe import recipe_from
from soundreel.synthetic.corpus import make_corpus
from soundreel.synthetic.truth import PlantedTruth

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "generators.py"
SMALL = {"width": 4, "discriminator_width": 4, "batch": 2}
REEL = SMALL | {"reel": {"consecutive": 1, "references": 64}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    truth = PlantedTruth(coupling=1.0, look_by_genre=True)
    genres = ("synthwave",)
    films = make_corpus(folder, 4, 8.0, truth, width=64, height=36, fps=Fraction(8), genres=genres)
    recipe = recipe_from(
        "default",
        picture_size=64,
        every_seconds=Fraction(1, 8),
        held_out_fraction=0.5,
        picture_aspect=Fraction(16, 9),
    )
    return prepare(films, folder / "dataset", recipe).folder


def compared(dataset: Path, out: Path, *more: str) -> tuple[dict, str]:
    command = [
        *(sys.executable, SCRIPT, "--dataset", dataset, "--out", out, "--moments", "24"),
        *("--seconds", "0.2", "--timed-steps", "2", "--threads", "1"),
        *("--settings", f"reel={json.dumps(REEL)}", "--settings", f"pix2pix={json.dumps(SMALL)}"),
        *more,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((out / "results.json").read_text()), done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_it_runs_small_on_a_processor(dataset, tmp_path):
    told, said = compared(dataset, tmp_path)
    rows = told["rows"]
    assert list(rows) == ["reel", "pix2pix", "remix", "nearest", "mean", "real"]
    assert told["shape"] == [36, 64]
    real, mean, nearest = rows["real"], rows["mean"], rows["nearest"]
    assert real["flicker"] == real["motion"] == real["sharpness"] == pytest.approx(1)
    assert real["margin"] == max(row["margin"] for row in rows.values())
    assert mean["margin"] == mean["useful"] == mean["motion"] == 0
    assert nearest["near"] == pytest.approx(0, abs=0.01)
    assert rows["remix"]["realism"] < mean["realism"]
    assert set(told["differences"]) == {f"reel beside {name}" for name in list(rows)[1:]}
    for name in ("reel", "pix2pix"):
        run = told["generators"][name]
        planned = json.loads(Path(f"{run['run']}.json").read_text())
        assert planned["steps"] == run["steps"] == max(1, int(200 / run["ms_a_step"]))
    assert (tmp_path / "results.md").read_text() in said
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 8 * 192
    # The same call again trains nothing, and a run may stand under another name.
    run = told["generators"]["reel"]["run"]
    again, said = compared(dataset, tmp_path, "--only", "reel,real", "--run", f"other={run}")
    assert list(again["rows"]) == ["reel", "real", "other"]
    assert again["rows"]["reel"] == rows["reel"] == again["rows"]["other"]
    assert "with loading and measuring" not in said
