"""The command line as a person meets it: exit codes, one line for an error, JSON, no traceback."""

import dataclasses
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from clips_made_here import counting_clip
from soundreel.command_line.results import plain


def soundreel(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "soundreel.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["prepare", "nowhere.mp4", "--out", "set"], "nowhere.mp4"),
        (["inspect", "nowhere", "--out", "sheet.png"], "no such folder"),
        (["train", "nowhere", "--out", "run"], "no such folder"),
        (["render", "nowhere", "song.mp3", "--out", "film.mp4"], "nowhere"),
        (["prepare", "x.mp4", "--out", "set", "--start", "soon"], "is not a time"),
        (["prepare", "x.mp4", "--out", "set", "--recipe", "cake"], "choose one of default"),
        (["prepare", "x.mp4", "--out", "set", "--config", "no.toml"], "no.toml"),
        (["render", "m", "s", "--out", "f.mp4", "--size", "big"], "such as 1280x720"),
        (["render", "m", "s", "--out", "f.mp4", "--fps", "fast"], "is not a frame rate"),
        (["render", "m", "s", "--out", "f.mp4", "--shots", "no.toml"], "no.toml"),
        (["render", "m", "s.mp3", "--plan", "plan.toml"], "s.mp3"),
        (["render", "m", "s", "--out", "pair", "--ab", "t", "--grid"], "leave out --grid"),
        (["render", "m", "s", "--out", "f.mp4", "--look", "walk:often"], "walk:often"),
        (["render", "hf://m", "s", "--out", "f.mp4"], "write hf://owner/name"),
        (["train", "nowhere", "--out", "run", "--preset", "rele"], "reel"),
        (["look", "new", "--model", "nowhere", "--out", "m"], "nowhere"),
        (["remix", "--song", "s", "--out", "f.mp4"], "name at least one video file"),
        (["remix", "x.mp4", "--song", "s.mp3", "--out", "f.mp4"], "s.mp3"),
        (["push", "nowhere", "me/m"], "nowhere"),
        (["push", "nowhere", "m"], "write hf://owner/name"),
        (["export", "nowhere", "--to", "onnx", "--out", "m.onnx"], "nowhere"),
        (["export", "nowhere", "--to", "onnx", "--out", "m.bin"], "ends in .onnx"),
        (["export", "nowhere", "--to", "pairs", "--out", "pairs"], "nowhere"),
    ],
)
def test_a_persons_mistake_is_one_line_and_exit_1(tmp_path, arguments, says):
    done = soundreel(*arguments, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["rendr"],
        ["render"],
        ["render", "m", "s"],
        ["render", "hf://owner/name"],
        ["render", "song.mp3", "--ab", "other.mp3"],
        ["train", "x", "--out", "y", "--eponchs", "3"],
        ["look", "pictures", "--out", "new"],
        ["remix", "a.mp4", "--song", "s.mp3"],
        ["push", "run"],
        ["export", "m", "--to", "cake", "--out", "x"],
    ],
)
def test_wrong_usage_is_exit_2(tmp_path, arguments):
    done = soundreel(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_misspelt_key_in_a_config_is_named_with_a_suggestion(tmp_path):
    (tmp_path / "my.toml").write_text("[recipe]\nsampel_rate_hz = 22050\n")
    done = soundreel("prepare", "x.mp4", "--out", "set", "--config", "my.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert 'my.toml: in [recipe], "sampel_rate_hz" is not a setting: ' in done.stderr
    assert 'did you mean "sample_rate_hz"?' in done.stderr


def test_help_lists_the_verbs_and_version_is_the_packages():
    import soundreel as package

    told = soundreel("--help").stdout
    assert all(verb in told for verb in ("prepare", "train", "look", "render", "remix", "push"))
    assert "render [OPTIONS] [MODEL] SONG" in soundreel("render", "--help").stdout
    assert soundreel("--version").stdout.strip() == package.__version__


def test_json_is_one_object(tmp_path):
    counting_clip(tmp_path / "clip.mp4", seconds=2)
    done = soundreel("prepare", "clip.mp4", "--out", "set", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["pairs"] == 9, "the moment before any sound is left out"
    assert result["clips"][0]["id"] == "clip"


def test_stop_end_takes_whole_clips_and_choices_of_the_selection_are_kept(tmp_path):
    counting_clip(tmp_path / "clip.mp4", seconds=2)
    chosen = ["--leave-out", "none", "--letterbox", "keep", "--together", "cl*"]
    whole = ["--recipe", "paper", "--start", "0", "--stop", "end", "--every", "1/2"]
    done = soundreel("prepare", "clip.mp4", "--out", "set", *whole, *chosen, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    recipe = json.loads((tmp_path / "set" / "recipe.json").read_text())
    assert recipe["stop_seconds"] is None
    assert recipe["selection"]["leave_out"] == []
    assert recipe["together"] == ["cl*"]
    assert "4 pairs from 1 clips" in done.stdout
    exported = soundreel("export", "set", "--to", "pairs", "--out", "pairs", cwd=tmp_path)
    assert exported.stdout.strip() == "pairs: 4 pairs in 4 files"
    dropped = soundreel("inspect", "set", "--drop", "clip:1-2", cwd=tmp_path)
    assert "dropped 2 frames" in dropped.stdout
    again = soundreel("inspect", "set", cwd=tmp_path)
    assert again.returncode == 1
    assert "--out" in again.stderr


def test_photos_that_are_not_there_are_told_of_before_anything_is_read(tmp_path):
    counting_clip(tmp_path / "clip.mp4", seconds=2)
    only = ["--only", "artist", "--artist", "photos"]
    done = soundreel("prepare", "clip.mp4", "--out", "set", *only, cwd=tmp_path)
    assert done.returncode == 1
    assert "photos" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob(".set*"))


def test_help_needs_nothing_heavy():
    heavy = ("torch", "numpy", "av", "PIL", "pydantic", "huggingface_hub")
    code = (
        "import sys; from soundreel.cli import main; main(['render', '--help']); "
        f"print([one for one in {heavy!r} if one in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.rstrip().endswith("[]")


def test_results_within_results_are_json_too():
    @dataclasses.dataclass(frozen=True)
    class Inner:
        fps: Fraction

    @dataclasses.dataclass(frozen=True)
    class Outer:
        seconds: Fraction
        films: tuple[Inner, ...]
        place: Path

    made = plain(Outer(Fraction(3, 2), (Inner(Fraction(25)), Inner(Fraction(1, 4))), Path("a")))
    assert made == {"seconds": 1.5, "films": [{"fps": 25.0}, {"fps": 0.25}], "place": Path("a")}
