"""Ctrl-C and SIGTERM of a real process: the exit code, and one line that says what is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textured_clips import textured_dataset

SETTINGS = """
[training]
size = 64
width = 4
discriminator_width = 4
steps = 5000
measure_every = 5
checkpoint_every = 1000
sheet_every = 1000
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_says_what_it_kept(tmp_path, number, code):
    dataset = textured_dataset(tmp_path, 3).folder
    (tmp_path / "train.toml").write_text(SETTINGS)
    run = tmp_path / "run"
    # Ctrl-C as in a terminal, also where the tests themselves run in the background.
    main = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from soundreel.cli import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", main, "train", dataset, "--out", run),
            *("--preset", "quick", "--config", tmp_path / "train.toml"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while process.poll() is None and not (run / "metrics.jsonl").exists():
        time.sleep(0.05)
    process.send_signal(number)
    said, complained = process.communicate(timeout=120)
    assert process.returncode == code, complained
    assert said == ""
    lines = complained.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"soundreel: {run}: stopped after step ")
    assert lines[0].endswith("of 5,000, all of it kept: the same command goes on")
    assert len(list(Path(run, "checkpoints").glob("*.safetensors"))) == 1


def test_a_reader_who_has_had_enough_is_no_error(tmp_path):
    """`soundreel ... | head -1`: no traceback when nobody reads on."""
    main = "import sys; from soundreel.cli import main; sys.exit(main())"
    command = f"{sys.executable} -c '{main}' inspect {textured_dataset(tmp_path, 2).folder} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
