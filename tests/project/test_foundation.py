"""Recipes, settings, seeds, whole-or-nothing files, progress and workers."""

import errno
import io
import os
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.atomic import atomic_file, finish_folder, partial_folder, write_json
from soundreel.errors import SettingsError, SoundreelError, StorageError, storage_errors
from soundreel.parallel import map_items
from soundreel.progress import Step, TerminalProgress, describe
from soundreel.recipe import PRESET_NAMES, Recipe, load_recipe, recipe_from
from soundreel.seeding import generator_for, seed_for
from soundreel.settings import read_config


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_recipe_comes_back_from_its_file_exactly(tmp_path, name):
    recipe = recipe_from(name, every_seconds="1/30")
    write_json(tmp_path / "recipe.json", recipe.model_dump(mode="json"))
    assert load_recipe(tmp_path / "recipe.json") == recipe
    assert recipe.every_seconds == Fraction(1, 30)


def test_the_papers_recipe_has_the_papers_numbers():
    paper = recipe_from("paper")
    assert (paper.sample_rate_hz, paper.window_samples) == (44_100, 65_536)
    assert (paper.segment_samples, paper.hop_samples, paper.fft_samples) == (288, 288 - 33, 510)
    assert (paper.start_seconds, paper.stop_seconds, paper.every_seconds) == (30, 90, 1.5)
    assert (paper.representation, paper.channel, paper.resize) == ("psd", "left", "floor-index")
    assert paper.columns == 256


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sampel_rate_hz": 1}, 'did you mean "sample_rate_hz"'),
        ({"every_seconds": 0}, "more than 0"),
        ({"start_seconds": 9, "stop_seconds": 3}, "after start_seconds"),
        ({"hop_samples": 100}, "256 are needed"),
        ({"fft_samples": 512}, "510 to make 256 rows"),
        ({"picture_aspect": "9/1"}, "between 1/4 and 4"),
        ({"representation": "cake"}, "representation"),
        ({"floor_db": 0}, "above floor_db"),
    ],
)
def test_a_wrong_recipe_is_one_line_that_names_the_key(changes, says):
    with pytest.raises(SettingsError) as caught:
        recipe_from("default", **changes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_file_is_checked_key_by_key(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("[recipe]\npicture_size = 128\n")
    assert read_config(path, {"recipe": Recipe}) == {"recipe": {"picture_size": 128}}
    for text, says in (
        ("[recip]\n", 'did you mean "recipe"'),
        ("recipe = 3\n", "must be a table"),
        ("[recipe\n", "not a TOML file"),
        ("[recipe]\npicture_siz = 3\n", 'did you mean "picture_size"'),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=r"my\.toml") as caught:
            read_config(path, {"recipe": Recipe})
        assert says in str(caught.value)


@given(st.integers(0, 2**53), st.text(max_size=20), st.integers(0, 10**9))
def test_a_seed_depends_on_seed_stream_and_step_alone(seed, stream, step):
    assert seed_for(seed, stream, step) == seed_for(seed, stream, step)
    assert len({seed_for(seed, stream, step), seed_for(seed + 1, stream, step)}) == 2
    assert seed_for(seed, stream, step) != seed_for(seed, stream, step + 1)
    assert seed_for(seed, stream, step) != seed_for(seed, stream + "x", step)
    assert 0 <= seed_for(seed, stream, step) < 2**63


def test_a_generator_gives_the_same_numbers_whatever_was_drawn_before():
    import torch

    torch.rand(7)
    one = torch.rand(5, generator=generator_for(1, "crop", 1_000))
    torch.rand(3)
    assert torch.equal(one, torch.rand(5, generator=generator_for(1, "crop", 1_000)))


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_text("the old one")

    def fail() -> None:
        with atomic_file(path) as partial:
            assert partial.suffix == ".mp4"
            partial.write_text("half of the new one")
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_file(path) as partial:
        partial.write_text("the new one")
        assert path.read_text() == "the old one"
    assert path.read_text() == "the new one"


def test_a_folder_takes_its_name_only_where_nothing_stands(tmp_path):
    folder = tmp_path / "set"
    partial_folder(folder).mkdir()
    (partial_folder(folder) / "a").touch()
    folder.mkdir()
    finish_folder(folder)
    assert (folder / "a").exists()
    partial_folder(folder).mkdir()
    with pytest.raises(StorageError, match="exists already"):
        finish_folder(folder)


def test_a_full_disk_is_said_in_one_line_and_other_errors_stay_errors(tmp_path):
    for number, says in ((errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only")):
        with pytest.raises(StorageError, match=says), storage_errors(tmp_path / "film.mp4"):
            raise OSError(number, "no")
    with pytest.raises(OSError, match="strange"), storage_errors(tmp_path):
        raise OSError(errno.EBADMSG, "strange")


def test_progress_tells_rate_and_time_left():
    line = describe(Step("render", 120, 300, "frames", "film.mp4"), 20, 10.0)
    assert line == "render  120/300 frames  40%  10.0/s  0:18 left  film.mp4"


def test_progress_is_quiet_where_there_is_no_terminal():
    stream = io.StringIO()
    TerminalProgress(stream)(Step("render", 1, 2, "frames"))
    assert stream.getvalue() == ""


def test_progress_rewrites_one_line_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = TerminalProgress(stream)
    for done in (0, 1, 2):
        progress(Step("render", done, 2, "frames"))
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().rstrip().endswith("0:00 left")


def double(number: int) -> tuple[int, int, str]:
    return 2 * number, os.getpid(), os.environ.get("OMP_NUM_THREADS", "")


def refuse(number: int) -> int:
    if number == 2:
        raise SettingsError("two is refused")
    return number


def die(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_from_here_or_from_workers(workers, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    results = list(map_items(double, range(6), workers))
    assert [result[0] for result in results] == [0, 2, 4, 6, 8, 10]
    assert ({result[1] for result in results} == {os.getpid()}) == (workers == 1)
    if workers == 2:
        assert {result[2] for result in results} == {"1"}, "a worker computes in one thread"
    assert dict(os.environ) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_items_error_is_raised_at_its_place(workers):
    results = map_items(refuse, [0, 1, 2, 3], workers)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(SettingsError, match="two is refused"):
        next(results)


def test_a_worker_that_dies_is_an_error_that_says_so():
    with pytest.raises(SoundreelError, match="a worker process died"):
        list(map_items(die, [0, 1, 2], 2))
