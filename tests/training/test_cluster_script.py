"""docs/cluster/train.slurm itself, with an `srun` that starts its tasks on this machine."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soundreel.networks.bundle import load_model
from soundreel.training.checkpoint import checkpoints
from textured_clips import textured_dataset

MAIN = "import sys; from soundreel.cli import main; sys.exit(main())"
SCRIPT = Path(__file__).parents[2] / "docs" / "cluster" / "train.slurm"

#: As srun does: a task a process, each told its number; a signal is passed on to all of them.
SRUN = """#!/bin/bash
echo $$ > {pid}
while [[ "$1" == --* ]]; do shift; done
pids=()
for task in 0 1; do
  SLURM_PROCID=$task SLURM_LOCALID=$task SLURM_NODEID=0 SLURM_STEP_ID=0 "$@" &
  pids+=($!)
done
trap 'kill -TERM "${pids[@]}"' TERM
code=0
for pid in "${pids[@]}"; do
  wait "$pid"; ended=$?
  while kill -0 "$pid" 2>/dev/null; do wait "$pid"; ended=$?; done
  [ "$ended" -gt "$code" ] && code=$ended
done
exit $code
"""
SETTINGS = """
[training]
size = 64
width = 4
discriminator_width = 4
batch = 4
steps = {steps}
checkpoint_every = 1000
measure_every = 20
sheet_every = 1000
"""


@pytest.fixture
def cluster(tmp_path) -> dict[str, str]:
    """An environment as a batch script finds it, on a cluster of this machine."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {
        "srun": SRUN.replace("{pid}", str(tmp_path / "srun.pid")),
        "scontrol": f'#!/bin/bash\necho "$@" >> {tmp_path}/scontrol.txt\n',
        "soundreel": f'#!/bin/bash\nexec {sys.executable} -c "{MAIN}" "$@"\n',
    }.items():
        path = programs / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
    dataset = textured_dataset(tmp_path, 3).folder
    return {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "4711",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_CPUS_PER_TASK": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "DATASET": str(dataset),
        "RUN": str(tmp_path / "run"),
        "PRESET": "quick",
        "CONFIG": str(tmp_path / "train.toml"),
    }


def begin(cluster: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", str(SCRIPT)],
        env=cluster,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow  # four processes, each importing torch
def test_the_job_script_trains_is_stopped_in_time_requeues_itself_and_goes_on(cluster, tmp_path):
    Path(cluster["CONFIG"]).write_text(SETTINGS.format(steps=2_000))
    job = begin(cluster)
    while job.poll() is None and not (tmp_path / "run" / "metrics.jsonl").exists():
        time.sleep(0.05)
    # What the scheduler sends to the tasks (not to the script) before the time is up.
    os.kill(int((tmp_path / "srun.pid").read_text()), signal.SIGTERM)
    said, complained = job.communicate(timeout=120)
    assert job.returncode == 143, complained
    assert "all of it kept" in complained
    assert complained.count("soundreel:") == 1  # one of the two tasks speaks
    assert len(checkpoints(tmp_path / "run" / "checkpoints")) == 1
    assert (tmp_path / "scontrol.txt").read_text() == "requeue 4711\n"
    done = int(checkpoints(tmp_path / "run" / "checkpoints")[0].stem.removeprefix("step-"))
    assert 0 < done < 2_000
    Path(cluster["CONFIG"]).write_text(SETTINGS.format(steps=done + 20))
    job = begin(cluster)
    said, complained = job.communicate(timeout=240)
    assert job.returncode == 0, complained
    assert said.count("trained") == 1
    assert load_model(tmp_path / "run").config["training"]["steps"] == done + 20
