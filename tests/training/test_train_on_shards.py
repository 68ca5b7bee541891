"""Training from shards: the same pairs, resumed to the bit, however many processes read them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from soundreel.dataset.exchange.export import export
from soundreel.errors import DatasetError, SettingsError
from soundreel.progress import Step
from soundreel.training.run import train
from textured_clips import textured_dataset

CHANGES = {
    "size": 64,
    "width": 4,
    "discriminator_width": 4,
    "measure_every": 10,
    "checkpoint_every": 10,
    "sheet_every": 40,
    "steps": 40,
}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("clips")
    dataset = textured_dataset(folder, 4).folder
    export(dataset, "shards", folder / "shards")
    return dataset, folder / "shards"


def rows(run: Path) -> list[dict]:
    read = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if "second" not in k} for row in read]


@pytest.mark.slow
def test_a_run_on_shards_measures_what_a_run_on_the_folder_measures(places, tmp_path):
    dataset, shards = places
    from_folder = train(dataset, tmp_path / "folder", "quick", changes=CHANGES)
    from_shards = train(shards, tmp_path / "shards", "quick", changes=CHANGES)
    # Other orders, so other weights; but the same clips are held out, and as many pairs seen.
    assert from_shards.mean_l1 == pytest.approx(from_folder.mean_l1, abs=1e-5)
    assert from_shards.epochs == from_folder.epochs
    assert from_shards.l1 < 1.2 * from_folder.l1


def test_a_stopped_run_on_shards_ends_as_if_it_had_not_been(places, tmp_path):
    def stop(step: Step) -> None:
        if step.task == "train" and step.done == 23:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(places[1], tmp_path / "run", "quick", changes=CHANGES, progress=stop)
    train(places[1], tmp_path / "run", "quick", changes=CHANGES)
    train(places[1], tmp_path / "once", "quick", changes=CHANGES)
    weights = [tmp_path / name / "model" / "model.safetensors" for name in ("run", "once")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert rows(tmp_path / "run") == rows(tmp_path / "once")


def test_balanced_clips_want_a_folder(places, tmp_path):
    with pytest.raises(SettingsError, match="balance_clips needs all pairs in reach"):
        train(places[1], tmp_path / "run", "quick", changes={**CHANGES, "balance_clips": True})


def test_where_no_shards_lie_is_said_before_anything_begins(tmp_path):
    with pytest.raises(DatasetError, match=r"^memory://nothing/here: no shards lie there"):
        train("memory://nothing/here", tmp_path / "run", "quick")
    with pytest.raises(SettingsError, match="batch = 4 cannot be shared evenly by 3 processes"):
        train(tmp_path / "no-dataset", tmp_path / "run", "quick", devices=3)
    assert not (tmp_path / "run").exists()


def test_a_damaged_shard_is_named_and_the_run_goes_on_when_it_is_mended(places, tmp_path):
    shards = shutil.copytree(places[1], tmp_path / "shards")
    name = (shards / "train.txt").read_text().splitlines()[0]
    whole = (shards / name).read_bytes()
    (shards / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=Path(name).name):
        train(shards, tmp_path / "run", "quick", changes=CHANGES)
    (shards / name).write_bytes(whole)
    assert train(shards, tmp_path / "run", "quick", changes=CHANGES).steps == 40


@pytest.mark.slow
def test_the_benchmark_of_a_whole_run_runs_small_on_a_processor(places):
    script = Path(__file__).parents[2] / "benchmarks" / "training_run.py"
    small = ["--seconds", "0.1", "--size", "64", "--width", "4", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, script, *small, "--dataset", places[0], "--samples", "16"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "paper, batch 16, eager" in done.stdout
    assert done.stdout.count("280,000 in") == 2
    assert done.stdout.count("MS-SSIM") == 2
