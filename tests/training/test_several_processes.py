"""Two processes on one machine, joined by gloo, learn what one learns from the same batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from process_of_several import steps_in_float64, whole_run
from soundreel.errors import SettingsError
from soundreel.networks.bundle import load_model
from soundreel.training.checkpoint import checkpoints, step_of
from soundreel.training.ranks import Alone, Together

SCRIPT = Path(__file__).parent / "process_of_several.py"


def launch(
    *arguments: object, torchrun: int = 0, **environment: str
) -> subprocess.CompletedProcess:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={torchrun}"]
    command = [sys.executable, *(launcher if torchrun else []), str(SCRIPT), *map(str, arguments)]
    return subprocess.run(
        command,
        # One thread each: two processes share the cores. gloo talks over this machine only.
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize("launcher", ["torchrun", "its own"])
def test_two_processes_take_the_steps_of_one(tmp_path, launcher):
    """To 1e-9 in float64: batch norm, both losses, dropout masks and Adam see the whole batch."""
    if launcher == "torchrun":
        done = launch("steps", tmp_path / "two.safetensors", torchrun=2)
    else:
        done = launch("steps", tmp_path / "two.safetensors", 2)
    assert done.returncode == 0, done.stderr[-2000:]
    steps_in_float64(Alone(), tmp_path / "one.safetensors")
    two, one = load_file(tmp_path / "two.safetensors"), load_file(tmp_path / "one.safetensors")
    assert two.keys() == one.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], atol=1e-9, rtol=1e-7, msg=key)


def test_several_processes_do_not_give_way_to_each_other(tmp_path):
    with pytest.raises(SettingsError, match="threads = 'free' is for one process"):
        whole_run(Together(0, 2, torch.device("cpu")), tmp_path / "run", threads="free")


@pytest.mark.slow  # six processes, each importing torch
def test_a_run_of_two_processes_is_stopped_and_goes_on_with_one_or_two(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    done = launch("run", whole, torchrun=2)
    assert done.returncode == 0, done.stderr[-2000:]
    done = launch("run", stopped, torchrun=2, STOP_AT="23")
    assert done.returncode != 0
    # One process was asked after step 23; both agree at the next step where they ask each other.
    assert step_of(checkpoints(stopped / "checkpoints")[-1]) == 40
    done = launch("run", stopped, torchrun=2)
    assert done.returncode == 0, done.stderr[-2000:]
    one, other = (load_file(run / "model" / "model.safetensors") for run in (whole, stopped))
    for key in one:
        assert torch.equal(one[key], other[key]), key
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(4, 61, 4))
    assert load_model(whole).config["training"]["steps"] == 60
    whole_run(Alone(), stopped, steps=72)
    assert load_model(stopped).config["training"]["steps"] == 72
