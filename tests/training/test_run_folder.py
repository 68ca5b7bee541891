import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image

from soundreel.dataset.loading import Pairs
from soundreel.errors import StorageError, TrainingError
from soundreel.networks.bundle import load_model
from soundreel.progress import Step
from soundreel.training import checkpoint
from soundreel.training import step as step_module
from soundreel.training.checkpoint import checkpoints, save_checkpoint, step_of
from soundreel.training.interrupt import Interrupted
from soundreel.training.run import TrainingResult, train_on_pairs
from toy_pairs import toy_pairs, toy_settings

pytestmark = pytest.mark.usefixtures("two_threads")  # runs are the same to the bit with several

TRAINING, HELD_OUT, NONE = toy_pairs(range(3)), toy_pairs(range(50, 52)), toy_pairs(range(0))


def trained(out: Path, held_out: Pairs = HELD_OUT, **options) -> TrainingResult:
    listener = options.pop("progress", lambda step: None)
    device = options.pop("device", "cpu")
    direction = options.pop("direction", "sound-to-picture")
    return train_on_pairs(
        options.pop("pairs", TRAINING),
        held_out,
        out,
        toy_settings(**options),
        "toy",
        direction,
        device=device,
        progress=listener,
    )


def rows(out: Path) -> list[dict]:
    read = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    timed = ("seconds", "samples_per_second")
    return [{key: value for key, value in row.items() if key not in timed} for row in read]


def weights(out: Path) -> bytes:
    return (out / "model" / "model.safetensors").read_bytes()


def state(out: Path) -> dict[str, torch.Tensor]:
    with safetensors.safe_open(checkpoints(out / "checkpoints")[-1], "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    trained(out)
    return out


class StopAt:
    """A listener that acts once, after a step."""

    def __init__(self, step: int, act) -> None:
        self.step, self.act = step, act

    def __call__(self, step: Step) -> None:
        if step.task == "train" and step.done == self.step:
            self.act()


def interrupt() -> None:
    raise KeyboardInterrupt


def same(one: Path, other: Path) -> None:
    assert weights(one) == weights(other)
    assert rows(one) == rows(other)
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_run_explains_itself(whole):
    assert sorted(p.name for p in whole.iterdir()) == [
        "checkpoints",
        "config.json",
        "curve.png",
        "index.html",
        "metrics.jsonl",
        "model",
        "samples",
        "tensorboard",
    ]
    assert [row["step"] for row in rows(whole)] == [4, 8, 12]
    assert rows(whole)[-1]["measured_on"] == "held-out"
    assert rows(whole)[-1]["epoch"] == 1.0
    assert [p.name for p in sorted((whole / "samples").iterdir())] == [
        "step-00000006.png",
        "step-00000012.png",
    ]
    with Image.open(whole / "samples" / "step-00000012.png") as sheet:
        assert sheet.width > 4 * 64
    assert [step_of(p) for p in checkpoints(whole / "checkpoints")] == [10, 12]
    model = load_model(whole)
    assert model.config["training"]["preset"] == "toy"
    assert model.pictures(HELD_OUT.sound_images([0, 1]), [0, 0]).shape == (2, 3, 64, 64)


def test_the_baseline_is_the_mean_training_frame(whole):
    mean = TRAINING.frames_N3HW.astype(np.float64).mean(0)
    expected = np.abs(HELD_OUT.frames_N3HW - mean).mean() / 127.5
    assert rows(whole)[0]["mean_l1"] == pytest.approx(expected, abs=1e-5)


def test_the_measured_l1_is_that_of_the_saved_model(whole):
    model = load_model(whole, precision="fp32")
    places = range(len(HELD_OUT))
    made = model.pictures(HELD_OUT.sound_images(places), list(places))
    expected = (made - HELD_OUT.pictures(places)).abs().mean().item()
    assert rows(whole)[-1]["l1"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("stop", [3, 5, 9])
def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path, whole, stop):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        trained(out, progress=StopAt(stop, interrupt))
    assert step_of(checkpoints(out / "checkpoints")[-1]) == stop
    assert load_model(out).config["training"]["steps"] == stop
    assert not trained(out).already_done
    same(out, whole)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_an_interrupted_run_on_a_gpu_ends_as_if_it_had_not_been(tmp_path, engine):
    options = {"device": "cuda", "step_engine": engine, "steps": 40, "checkpoint_every": 50}
    trained(tmp_path / "once", **options)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "run", progress=StopAt(25, interrupt), **options)
    trained(tmp_path / "run", **options)
    same(tmp_path / "run", tmp_path / "once")


def test_sigterm_keeps_what_was_done(tmp_path, whole):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(
        Interrupted, match=r"stopped after step [78] of 12, all of it kept"
    ) as caught:
        trained(tmp_path / "run", progress=StopAt(7, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert caught.value.signal == signal.SIGTERM
    assert "interrupted" in (tmp_path / "run" / "index.html").read_text()
    assert signal.getsignal(signal.SIGTERM) is before
    assert step_of(checkpoints(tmp_path / "run" / "checkpoints")[-1]) in (7, 8)
    trained(tmp_path / "run")
    same(tmp_path / "run", whole)


_KILLED = """
import sys
from pathlib import Path
from test_run_folder import trained

def begun(step):
    if step.task == "train" and not begun.told:
        begun.told = True
        print("begun", flush=True)

begun.told = False
trained(Path(sys.argv[1]), steps=4000, progress=begun, checkpoint_every=2, measure_every=30,
        sheet_every=60)
"""


@pytest.mark.slow  # fifty processes, each importing torch
@pytest.mark.timeout(1200)
def test_a_run_killed_fifty_times_ends_as_if_it_had_not_been(tmp_path):
    rng = random.Random(0)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    out, once = tmp_path / "killed", tmp_path / "once"
    command = [sys.executable, "-c", _KILLED]
    kills, moments = 0, set()
    while kills < 50:
        process = subprocess.Popen([*command, str(out)], env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()  # it has begun to train
        time.sleep(rng.uniform(0, 0.6))
        assert process.poll() is None, "the run must be too long to end between two kills"
        process.kill()
        process.communicate()
        kills += 1
        kept = checkpoints(out / "checkpoints")
        moments.add(step_of(kept[-1]) if kept else 0)
        if kept:
            load_model(out)
    assert len(moments) > 10, moments  # it did get on between the kills
    for place in (out, once):
        subprocess.run([*command, str(place)], env=environment, check=True, capture_output=True)
    same(out, once)
    assert not list((out / "checkpoints").glob(".*"))
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in once.iterdir())


def test_a_finished_run_says_so_and_is_left_alone(whole):
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*") if p.suffix == ".safetensors"}
    result = trained(whole)
    assert result.already_done
    assert "trained already" in result.summary
    assert result.steps == 12
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_more_epochs_continue_a_finished_run(tmp_path):
    first = trained(tmp_path / "run", epochs=1, schedule="constant")
    again = trained(tmp_path / "run", epochs=1.5, schedule="constant")
    at_once = trained(tmp_path / "other", epochs=1.5, schedule="constant")
    assert (first.steps, again.steps, again.epochs) == (12, 18, 1.5)
    assert weights(tmp_path / "run") == weights(tmp_path / "other")
    assert again.l1 == at_once.l1
    assert trained(tmp_path / "run", epochs=1, schedule="constant").already_done


def test_a_longer_run_with_a_schedule_goes_on_at_the_longer_schedules_rate(tmp_path):
    trained(tmp_path / "run", steps=8, schedule="linear")
    trained(tmp_path / "run", steps=16, schedule="linear")
    rates = [row["learning_rate"] / 2e-4 for row in rows(tmp_path / "run")]
    assert rates == pytest.approx([1, 0.25, 0.625, 0.125])


@pytest.mark.slow
def test_chosen_epochs_are_kept_as_models(tmp_path):
    out = tmp_path / "run"
    kept = {"schedule": "constant", "keep_epochs": (0.5, 1, 1.25)}
    trained(out, epochs=1.5, **kept)
    names = sorted(path.name for path in (out / "snapshots").iterdir())
    assert names == ["epoch-0.5", "epoch-1", "epoch-1.25"]
    for epoch, steps in ((0.5, 6), (1, 12), (1.25, 15)):
        alone = tmp_path / f"alone-{epoch}"
        trained(alone, steps=steps, schedule="constant")
        snapshot = load_model(out / "snapshots" / f"epoch-{epoch:g}")
        assert snapshot.config["training"]["steps"] == steps
        assert snapshot.config["weights_sha256"] == load_model(alone).config["weights_sha256"]
    # Choosing others is no other run.
    assert trained(out, epochs=2, schedule="constant", keep_epochs=(2,)).steps == 24
    assert (out / "snapshots" / "epoch-2").is_dir()


def test_a_run_stops_when_nothing_gets_better_and_keeps_its_best(tmp_path):
    out = tmp_path / "run"
    # A rate that soon spoils what was learnt.
    spoilt = {"learning_rate": 0.05, "schedule": "constant", "steps": 400, "ema_decay": 0}
    result = trained(out, stop_on="l1", patience=3, **spoilt)
    measured = [row["l1"] for row in rows(out)]
    best = int(np.argmin(measured))
    assert result.stopped_early
    assert len(measured) == best + 4
    assert (result.steps, result.best_step) == (4 * len(measured), 4 * (best + 1))
    assert result.model == out / "best"
    assert load_model(out).config["training"]["steps"] == result.best_step
    assert "stopped early" in (out / "index.html").read_text()
    again = trained(out, stop_on="l1", patience=3, **spoilt)
    assert again.already_done
    assert again.best_step == result.best_step
    # By another measure another would have been the best, and best/ not be it.
    with pytest.raises(TrainingError, match=r"stop_on \('l1' then, None now\)"):
        trained(out, **spoilt)
    # More patience goes on from where it was.
    assert trained(out, stop_on="l1", patience=5, **spoilt).steps > result.steps


def test_the_fastest_batch_is_found_once_and_kept_with_the_run(tmp_path):
    out = tmp_path / "run"
    first = trained(out, batch=1, automatic_batch=True, epochs=1)
    config = json.loads((out / "config.json").read_text())
    batch = config["settings"]["batch"]
    assert batch in (1, 2, 4, 8, 16)
    assert first.steps == -(-24 // batch)
    again = trained(out, batch=1, automatic_batch=True, epochs=2)
    assert again.steps == -(-48 // batch)
    assert json.loads((out / "config.json").read_text())["settings"]["batch"] == batch


def test_a_run_that_gives_way_to_others_is_the_same_run_and_leaves_the_threads_as_they_were(
    tmp_path,
):
    before = torch.get_num_threads()
    trained(tmp_path / "run", steps=6, threads="free")
    assert torch.get_num_threads() == before
    assert trained(tmp_path / "run", steps=12).steps == 12


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    out = tmp_path / "run"
    trained(out, steps=4)
    config = json.loads((out / "config.json").read_text())
    for key in ("keep_epochs", "accumulate", "automatic_batch", "jitter_seconds", "step_engine"):
        del config["settings"][key]
    (out / "config.json").write_text(json.dumps(config))
    assert trained(out, steps=8).steps == 8


def test_other_settings_in_the_same_folder_are_named(whole):
    with pytest.raises(TrainingError, match=r"batch \(2 then, 3 now\), seed \(0 then, 1 now\)"):
        trained(whole, batch=3, seed=1)
    with pytest.raises(TrainingError, match="direction"):
        trained(whole, direction="picture-to-sound")


def test_other_pairs_in_the_same_folder_are_named(whole):
    fewer = replace(
        TRAINING,
        frames_N3HW=TRAINING.frames_N3HW[1:],
        clip_N=TRAINING.clip_N[1:],
        end_sample_N=TRAINING.end_sample_N[1:],
        time_seconds_N=TRAINING.time_seconds_N[1:],
    )
    with pytest.raises(TrainingError, match="24 for training then, 23 now"):
        trained(whole, pairs=fewer)


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path):
    (tmp_path / "holiday.jpg").write_text("precious")
    with pytest.raises(TrainingError, match="not a training run"):
        trained(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]
    (tmp_path / "config.json").write_text('{"format": "soundreel-model", "format_version": 1}')
    with pytest.raises(TrainingError, match="not a run"):
        trained(tmp_path)


def test_without_held_out_clips_training_clips_stand_in_and_are_called_so(tmp_path):
    result = trained(tmp_path / "run", NONE, steps=4)
    assert result.measured_on == "training"
    assert rows(tmp_path / "run")[-1]["measured_on"] == "training"
    assert "training L1" in result.summary


def test_losses_that_are_no_numbers_stop_the_run(tmp_path):
    # A damaged sound: not a number for a moment that some windows hear.
    sounds = [np.array(sound) for sound in TRAINING.sounds]
    sounds[1][19_800:19_900] = np.nan
    broken = replace(TRAINING, sounds=sounds)
    with pytest.raises(TrainingError, match="no numbers any more") as caught:
        trained(tmp_path / "run", pairs=broken, checkpoint_every=1, measure_every=100)
    kept = checkpoints(tmp_path / "run" / "checkpoints")
    expected = f"last good checkpoint is {kept[-1]}" if kept else "no checkpoint yet"
    assert expected in str(caught.value)
    for path in kept:
        with safetensors.safe_open(path, "pt") as file:
            assert all(file.get_tensor(key).isfinite().all() for key in file.keys())  # noqa: SIM118
    assert "stopped by an error" in (tmp_path / "run" / "index.html").read_text()


@pytest.mark.slow
def test_losses_that_explode_stop_the_run_and_name_the_last_good_checkpoint(tmp_path, monkeypatch):
    plain = step_module.Networks.step

    def thrown_off(networks, step, total, batch):
        if step == 140:  # as one wild step would: red where all is blue, and no way back
            with torch.no_grad():
                networks.generator.ups[-1].bias.copy_(torch.tensor([50.0, 0.0, -50.0]))
        return plain(networks, step, total, batch)

    monkeypatch.setattr(step_module.Networks, "step", thrown_off)
    plainly = {"gain_db": 0, "time_mask": 0, "band_mask": 0, "dropout": 0, "gan_weight": 0}
    with pytest.raises(TrainingError, match=r"have exploded .* last good checkpoint is"):
        trained(
            tmp_path / "run",
            NONE,
            pairs=toy_pairs(range(1)),
            **plainly,
            **{"steps": 260, "width": 12, "learning_rate": 2e-3, "schedule": "constant"},
            **{"measure_every": 20, "checkpoint_every": 70, "sheet_every": 300},
        )
    assert step_of(checkpoints(tmp_path / "run" / "checkpoints")[-1]) == 140


def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    networks = step_module.Networks(toy_settings(), "sound-to-picture", "fp32", torch.device("cpu"))
    with torch.no_grad():
        next(iter(networks.discriminator.parameters()))[0] = torch.inf
    with pytest.raises(TrainingError, match="no numbers"):
        save_checkpoint(tmp_path, networks, 1, torch.zeros(3), {})
    assert not checkpoints(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch, whole):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        trained(out, progress=StopAt(5, interrupt))

    def full(tensors, path, metadata):
        Path(path).write_bytes(b"half of it")
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(StorageError, match="disk is full"):
            trained(out)
    assert [step_of(p) for p in checkpoints(out / "checkpoints")] == [5]
    trained(out)
    same(out, whole)


def test_a_damaged_checkpoint_is_one_line(tmp_path, whole):
    out = tmp_path / "run"
    trained(out, steps=6)
    checkpoints(out / "checkpoints")[-1].write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="not a checkpoint of this run"):
        trained(out)
    checkpoints(out / "checkpoints")[-1].unlink()
    assert trained(out).steps == 12


def test_lost_metrics_are_measured_again(tmp_path):
    first = trained(tmp_path / "run", steps=4)
    (tmp_path / "run" / "metrics.jsonl").unlink()
    again = trained(tmp_path / "run", steps=4)
    assert again.l1 == first.l1


def test_the_inverse_trains_too(tmp_path):
    result = trained(tmp_path / "run", direction="picture-to-sound", steps=4)
    model = load_model(tmp_path / "run")
    assert model.direction == "picture-to-sound"
    assert model.sound_images(HELD_OUT.pictures([0])[:, None], [0]).shape == (1, 1, 64, 64)
    mean = TRAINING.sound_images(range(24)).mean(0)
    expected = (HELD_OUT.sound_images(range(16)) - mean).abs().mean().item()
    assert result.mean_l1 == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_a_small_set_is_learnt_by_heart_and_the_sound_tells_the_pictures_apart(tmp_path):
    pairs = toy_pairs(range(1), 8)
    result = trained(
        tmp_path / "run",
        NONE,
        pairs=pairs,
        **{"width": 12, "steps": 160, "batch": 4, "learning_rate": 1e-3, "ema_decay": 0.9},
        **{"gain_db": 0, "time_mask": 0, "band_mask": 0, "dropout": 0, "gan_weight": 0.2},
        **{"measure_every": 160, "sheet_every": 160, "checkpoint_every": 160},
    )
    assert result.l1 < 0.4 * result.mean_l1


def test_bf16_trains(tmp_path):
    result = trained(tmp_path / "run", steps=4, precision="bf16")
    assert 0 < result.l1 < 1
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["precision"] == "bf16"
