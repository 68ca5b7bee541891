"""From a list of links to a look at the dataset: the README's two commands, as a person types."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clips_made_here import counting_clip
from local_site import Site, serving

README = Path(__file__).parents[2] / "README.md"


def told_in_readme(verb: str) -> list[str]:
    """The arguments of the README's first example of a verb."""
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"soundreel {verb} "):
            return shlex.split(line.split(" #")[0])[1:]
    raise AssertionError(f"the README has no example of {verb}")


def soundreel(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "soundreel.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def site(tmp_path):
    site = Site()
    for n in range(3):
        clip = counting_clip(tmp_path / f"{n}.mp4", seconds=3, tone_hz=300 + 200 * n)
        site.files[f"/{n}/film.mp4"] = clip.read_bytes()
        clip.unlink()
    with serving(site):
        yield site


def test_two_commands_of_the_readme_lead_from_links_to_a_page(site, tmp_path):
    links = [f"{site.url}/{n}/film.mp4" for n in (0, 1, 2)] + [f"{site.url}/gone.mp4"]
    (tmp_path / "links.txt").write_text("# my list\n" + "\n".join(links) + "\n\n")
    fetching = told_in_readme("fetch")
    assert "links.txt" in fetching
    came = soundreel([*fetching, "--allow-private"], tmp_path)
    assert came.returncode == 0, came.stderr
    assert "3 came" in came.stdout
    assert "gone.mp4" in came.stdout
    preparing = told_in_readme("prepare")
    made = soundreel(preparing, tmp_path)
    assert made.returncode == 0, made.stderr
    assert "3 clips, 0 left out" in made.stdout
    page = tmp_path / preparing[preparing.index("--inspect") + 1]
    assert page.read_text(encoding="utf-8").count('class="sound"') >= 3
    rows = [
        json.loads(line)
        for line in (tmp_path / preparing[preparing.index("--out") + 1] / "clips.jsonl").open()
    ]
    assert {row["origin"]["url"] for row in rows} == set(links[:3])
    assert len({row["id"] for row in rows}) == 3, "three films of one name are three clips"


def test_nothing_came_is_exit_1_with_the_table(site, tmp_path):
    done = soundreel(["fetch", f"{site.url}/gone.mp4", "--out", "c", "--allow-private"], tmp_path)
    assert done.returncode == 1
    assert "gone.mp4" in done.stdout
    assert "Traceback" not in done.stderr


def test_private_addresses_are_refused_unless_asked_for(site, tmp_path):
    done = soundreel(["fetch", f"{site.url}/0/film.mp4", "--out", "c"], tmp_path)
    assert done.returncode == 1
    assert "--allow-private" in done.stdout
    assert not site.asked
