"""Films in parts: the same frames however they are cut, killed or spread; nothing is half."""

import subprocess
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from soundreel.errors import SettingsError
from soundreel.media.film_format import film_format
from soundreel.progress import Step, silent
from soundreel.rendering.filming import film_cover, film_here, film_spread
from soundreel.rendering.parts import FilmParts, film_parts, known_identity, parts_folder, runs_of

FPS = Fraction(5)  # a part is 40 frames


@dataclass(frozen=True)
class Counting:
    """Frame n says its number in grey; `breaks_at` raises there, as a kill would end it."""

    breaks_at: int | None = None
    asked: str | None = None

    def pictures(self, first, stop):
        if self.asked:
            with Path(self.asked).open("a") as told:
                told.write(f"{first} {stop}\n")
        for n in range(first, stop):
            if n == self.breaks_at:
                raise KeyboardInterrupt
            grey = np.full((16, 16, 3), n % 251, np.uint8)
            if n % 40 == 20:
                grey[:8] = 255 - grey[:8]
            yield grey

    def identity(self):
        return {"counting": 1}


def film(folder: Path, name: str = "film") -> Path:
    return folder / name


def make(source, out: Path, frames: int, seen: list[Step] | None = None, spread: int = 0):
    shape = film_format(out, 16, 16, FPS)
    told = silent if seen is None else seen.append
    done: list[int] = []
    with film_parts(out, shape, frames, source.identity()) as parts:
        if spread:
            film_spread(source, parts, spread, "local", told, "render", done.append)
        else:
            film_here(source, parts, told, "render", done.append)
        pictures = [
            int(np.asarray(Image.open(one))[8, 0, 0])
            for path in parts.paths()
            for one in sorted(path.iterdir())
        ]
        cover = film_cover(parts)
    return pictures, done, cover


def test_all_frames_come_once_in_their_order(tmp_path):
    seen: list[Step] = []
    pictures, done, cover = make(Counting(), film(tmp_path), 95, seen)
    assert pictures == [n % 251 for n in range(95)]
    assert done == [0, 1, 2]
    assert [step.done for step in seen] == list(range(96))
    assert cover is not None
    assert cover[0, 0, 0] != cover[15, 0, 0], "the cover is a picture with something in it"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken_at", [0, 1, 39, 40, 41, 79, 80, 94])
def test_who_is_interrupted_goes_on_with_the_part_that_was_lost(tmp_path, broken_at):
    asked = tmp_path / "asked"
    out = film(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        make(Counting(broken_at, str(asked)), out, 95)
    whole = broken_at // 40
    assert parts_folder(out).is_dir() == (whole > 0)
    seen: list[Step] = []
    pictures, done, _ = make(Counting(None, str(asked)), out, 95, seen)
    assert pictures == [n % 251 for n in range(95)]
    assert done == list(range(whole, 3))
    assert seen[0].done == 40 * whole, "what is there counts from the start"
    assert asked.read_text().splitlines()[-1] == f"{40 * whole} 95"
    assert not parts_folder(out).exists()


def test_a_gap_in_the_middle_is_filled_alone(tmp_path):
    out = film(tmp_path)
    asked = tmp_path / "asked"
    shape = film_format(out, 16, 16, FPS)
    source = Counting(None, str(asked))

    def lose_one() -> None:
        with film_parts(out, shape, 95, source.identity()) as parts:
            film_here(source, parts, silent, "render", lambda part: None)
            parts.path(1).rename(tmp_path / "lost")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lose_one()
    pictures, done, _ = make(source, out, 95)
    assert pictures == [n % 251 for n in range(95)]
    assert done == [1]
    assert asked.read_text().splitlines() == ["0 95", "40 80"]


def test_another_film_under_the_same_name_begins_anew(tmp_path):
    out = film(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        make(Counting(60), out, 95)
    assert known_identity(out) == {"counting": 1}
    shape = film_format(out, 16, 16, FPS)
    with film_parts(out, shape, 95, {"counting": 2}) as parts:
        assert parts.began_anew
        assert parts.missing() == [0, 1, 2]


def test_several_processes_make_the_same_parts(tmp_path):
    pictures, done, _ = make(Counting(), film(tmp_path), 650, spread=2)
    assert pictures == [n % 251 for n in range(650)]
    assert done == list(range(17))


def test_two_at_once_are_told_apart(tmp_path):
    out = film(tmp_path)
    shape = film_format(out, 16, 16, FPS)
    with (
        film_parts(out, shape, 95, {"a": 1}),
        pytest.raises(SettingsError, match="another process"),
        film_parts(out, shape, 95, {"a": 1}),
    ):
        pass


def test_a_killed_process_lets_go_of_the_film(tmp_path):
    """The lock is the system's: it is free as soon as who held it is dead."""
    out = film(tmp_path)
    code = f"""
import time
from fractions import Fraction
from pathlib import Path
from soundreel.media.film_format import film_format
from soundreel.rendering.parts import film_parts
out = Path({str(out)!r})
with film_parts(out, film_format(out, 16, 16, Fraction(5)), 95, {{"a": 1}}):
    print("held", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    shape = film_format(out, 16, 16, FPS)
    with pytest.raises(SettingsError), film_parts(out, shape, 95, {"a": 1}):
        pass
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while True:
        try:
            with film_parts(out, shape, 95, {"a": 1}):
                return
        except SettingsError:
            assert time.monotonic() < deadline


def test_neighbours_are_runs():
    assert runs_of([0, 1, 2, 5, 7, 8]) == [(0, 1, 2), (5,), (7, 8)]
    assert runs_of([0, 1, 2, 3, 4], 2) == [(0, 1), (2, 3), (4,)]
    assert runs_of([]) == []


@pytest.mark.parametrize(
    "fps", [Fraction(1, 10), Fraction(24000, 1001), Fraction(30), Fraction(60)]
)
def test_parts_cover_the_film_without_a_gap(tmp_path, fps):
    parts = FilmParts(tmp_path, film_format(tmp_path / "x.mp4", 16, 16, fps), 1001)
    spans = [parts.span(part) for part in range(parts.count)]
    assert spans[0][0] == 0
    assert spans[-1][1] == 1001
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(stop > first for first, stop in spans)
