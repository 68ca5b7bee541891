"""Films of several models: the right picture in the right place, named, with the song's sound."""

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from soundreel.cli import app
from soundreel.errors import ModelError, SettingsError, SoundreelError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.model_folder import Direction
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.grid import render_grid
from soundreel.rendering.movie import render
from soundreel.rendering.panels import grid_layout
from soundreel.timeline import frame_time

RATE, FPS = 44_100, Fraction(10)
SMALL = recipe_from("default", picture_size=64, picture_aspect="16/9")
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


@dataclass(frozen=True)
class Painting(Model):
    """A model that paints one colour while it hears nothing, and white while it hears a sound."""

    colour: tuple[int, int, int] = RED

    def pictures(self, x_B1SS, seeds, cue_BK=None):
        heard_B111 = x_B1SS[:, :, :, -6:].amax(dim=(1, 2, 3))[:, None, None, None] > -0.5
        quiet_1311 = torch.tensor(self.colour).reshape(1, 3, 1, 1) / 127.5 - 1
        return torch.where(heard_B111, torch.ones(()), quiet_1311).expand(-1, 3, 64, 64)


def snapshot(folder: Path, shade: float, direction: Direction = "sound-to-picture") -> Path:
    """A model folder whose pictures are all of one grey: tanh(shade), whatever it hears."""
    sound_in, picture_out = (1, 3) if direction == "sound-to-picture" else (3, 1)
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": sound_in}
    generator = UNet(**arguments, out_channels=picture_out)
    with torch.no_grad():
        *_, last = (m for m in generator.modules() if isinstance(m, torch.nn.ConvTranspose2d))
        last.weight.zero_()
        assert last.bias is not None
        last.bias.fill_(shade)
    save_model(folder, generator, {**arguments, "out_channels": picture_out}, SMALL, direction, {})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run folder with three snapshots, from dark to light."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    for epoch, shade in (("0.5", -1.0), ("95", 0.0), ("180", 1.0)):
        snapshot(folder / "snapshots" / f"epoch-{epoch}", shade)
    snapshot(folder / "model", 2.0)
    return folder


@pytest.fixture(scope="module")
def painting(run) -> Painting:
    model = load_model(run, "fp32")
    return Painting(**{name: getattr(model, name) for name in model.__dataclass_fields__})


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    """A second of silence but for noise from 0.5 to 0.6 s."""
    path = tmp_path_factory.mktemp("songs") / "song.flac"
    sound = np.zeros((2, RATE), np.float32)
    sound[:, RATE // 2 : RATE * 6 // 10] = np.random.default_rng(0).uniform(-0.8, 0.8, RATE // 10)
    write_sound(path, sound, RATE)
    return path


def first_frame(folder: Path) -> np.ndarray:
    with Image.open(folder / "000000.png") as image:
        return np.asarray(image)


def box_of(frame_HW3: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of all that has a colour, which must be a whole rectangle."""
    found_HW = (frame_HW3 == colour).all(-1)
    rows, columns = np.flatnonzero(found_HW.any(1)), np.flatnonzero(found_HW.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    assert found_HW[top:bottom, left:right].all()
    return int(left), int(top), int(right), int(bottom)


def grey(film: Path, fps: Fraction, number: int, height: int, width: int) -> np.ndarray:
    time_seconds = frame_time(number, fps) + Fraction(1, 1000)
    return next(iter(frames_at(film, [time_seconds], Fit(height, width))))[1].mean(-1)


def test_up_to_three_models_stand_in_one_row_each_in_its_place_and_size(painting, song, tmp_path):
    models = [(name, replace(painting, colour=c)) for name, c in (("a", RED), ("b", GREEN))]
    film = render_grid(
        [*models, ("c", replace(painting, colour=BLUE))], song, tmp_path / "film", fps=FPS
    )
    frame = first_frame(film.path)
    assert frame.shape == (film.height, film.width, 3)
    boxes = [box_of(frame, colour) for colour in (RED, GREEN, BLUE)]
    assert [(right - left, bottom - top) for left, top, right, bottom in boxes] == [(114, 64)] * 3
    assert len({top for _, top, _, _ in boxes}) == 1
    assert boxes[0][2] < boxes[1][0] < boxes[1][2] < boxes[2][0]


def test_four_models_stand_two_by_two_and_fill_the_size_that_is_asked(painting, song, tmp_path):
    colours = (RED, GREEN, BLUE, YELLOW)
    models = [(str(n), replace(painting, colour=colour)) for n, colour in enumerate(colours)]
    film = render_grid(
        models,
        song,
        tmp_path / "film",
        fps=FPS,
        size=(640, 400),
        smooth="none",
        compute="torch-fp32",
    )
    frame = first_frame(film.path)
    assert frame.shape == (400, 640, 3)
    red, green, blue, yellow = (box_of(frame, colour) for colour in colours)
    assert (red[1], red[0]) == (green[1], blue[0])
    assert (blue[1], green[0]) == (yellow[1], yellow[0])
    assert red[2] < green[0]
    assert red[3] < blue[1]
    assert abs((red[2] - red[0]) / (red[3] - red[1]) - 16 / 9) < 0.02
    assert yellow[2] - red[0] > 560 or yellow[3] - red[1] > 330, "as large as fits"
    assert abs(red[0] - (640 - green[2])) <= 4, "in the middle"


def test_each_model_has_the_shape_of_its_own_recipe(painting, song, tmp_path):
    square = recipe_from("default", picture_size=48, picture_aspect="1/1")
    models = [("wide", painting), ("square", replace(painting, recipe=square, colour=BLUE))]
    frame = first_frame(
        render_grid(
            models, song, tmp_path / "film", fps=FPS, smooth="none", compute="torch-fp32"
        ).path
    )
    wide, low = box_of(frame, RED), box_of(frame, BLUE)
    assert (low[2] - low[0], low[3] - low[1]) == (48, 48)
    assert low[3] == wide[3], "both stand on their labels"


def test_each_picture_has_its_label_under_it(painting, song, tmp_path):
    names, colours = ("epoch 95", "epoch 180", "epoch 95"), (RED, GREEN, BLUE)
    models = [
        (name, replace(painting, colour=colour))
        for name, colour in zip(names, colours, strict=True)
    ]
    frame = first_frame(
        render_grid(
            models, song, tmp_path / "film", fps=FPS, smooth="none", compute="torch-fp32"
        ).path
    )
    bands = []
    for colour in colours:
        left, _, right, bottom = box_of(frame, colour)
        bands.append(frame[bottom + 1 :, left:right].astype(int))
        ink = bands[-1].max(-1) > 120
        assert ink.sum() > 40
        assert 7 <= np.ptp(np.flatnonzero(ink.any(1))) + 1 <= 20, "one line, large enough to read"
    assert (bands[0] == bands[2]).all()
    assert (bands[0] != bands[1]).any()
    between = frame[:, box_of(frame, RED)[2] + 1 : box_of(frame, GREEN)[0] - 1]
    assert (between == between[0, 0]).all(), "nothing reaches into the gap"


def test_a_label_too_long_for_its_picture_is_cut(painting, song, tmp_path):
    models = [("word " * 30, painting), ("", replace(painting, colour=GREEN))]
    frame = first_frame(
        render_grid(
            models, song, tmp_path / "film", fps=FPS, smooth="none", compute="torch-fp32"
        ).path
    )
    right = box_of(frame, RED)[2]
    assert frame[:, :right].max() == 255
    background = frame[0, 0]
    below = frame[box_of(frame, RED)[3] + 1 :]
    assert (below[:, right:] == background).all()
    assert (below[:, :right] != background).any()


def test_pictures_of_a_grid_are_those_of_films_of_their_own(run, song, tmp_path):
    models = [(str(epoch), load_model(run / "snapshots" / f"epoch-{epoch}")) for epoch in (95, 180)]
    whole = render_grid(
        models, song, tmp_path / "grid", fps=FPS, smooth="none", compute="torch-fp32"
    )
    tiles = grid_layout([(114, 64), (114, 64)]).tiles
    for (name, model), tile in zip(models, tiles, strict=True):
        alone = first_frame(
            render(model, song, tmp_path / name, fps=FPS, smooth="none", compute="torch-fp32").path
        )
        rows, columns = slice(tile.top, tile.top + 64), slice(tile.left, tile.left + 114)
        assert (first_frame(whole.path)[rows, columns] == alone).all()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_grid_film_has_the_songs_sound_and_all_its_frames(painting, song, tmp_path, suffix):
    models = [("one", painting), ("two", replace(painting, colour=BLUE))]
    film = render_grid(
        models, song, tmp_path / f"film{suffix}", fps=FPS, smooth="none", compute="torch-fp32"
    )
    info = probe(film.path)
    assert info.video is not None
    assert (info.video.width, info.video.height, film.frames) == (film.width, film.height, 10)
    times = [frame_time(n, FPS) + Fraction(1, 1000) for n in range(19)]
    seen = np.array([frame.mean() for _, frame in frames_at(film.path, times, Fit(16, 16))])
    assert len(seen) == 10
    # The frame at 0.5 s has heard the sound before it: silence.
    assert np.flatnonzero(seen > seen.min() + 60).tolist() == [6]
    heard = read_sound(film.path, RATE, "mono")
    assert abs(np.flatnonzero(np.abs(heard) > 0.2)[0] / RATE - 0.5) < 0.005


def test_a_span_of_the_song_can_be_chosen(painting, song, tmp_path):
    models = [("one", painting), ("two", replace(painting, colour=BLUE))]
    start, stop = Fraction(2, 5), Fraction(4, 5)
    out = tmp_path / "film"
    film = render_grid(
        models, song, out, start_seconds=start, stop_seconds=stop, fps=FPS, smooth="none"
    )
    means = [np.asarray(Image.open(path)).mean() for path in sorted(film.path.iterdir())]
    assert (film.frames, film.seconds, len(means)) == (4, Fraction(2, 5), 4)
    assert int(np.argmax(means)) == 2, "0.6 s is the third frame from 0.4 s on"


@given(
    shapes=st.lists(
        st.tuples(st.fractions("1/4", 4), st.sampled_from([16, 128, 256, 360])),
        min_size=1,
        max_size=17,
    ),
    size=st.none() | st.tuples(st.integers(1600, 2500), st.integers(800, 2500)),
)
def test_tiles_and_labels_lie_in_the_film_and_do_not_meet(shapes, size):
    sizes = [(2 * round(height * aspect / 2), height) for aspect, height in shapes]
    layout = grid_layout(sizes, size)
    if size is None:
        assert [(tile.width, tile.height) for tile in layout.tiles] == sizes
        assert (layout.width % 2, layout.height % 2) == (0, 0)
    else:
        assert (layout.width, layout.height) == size
    assert layout.label_band >= 1.3 * layout.label_size, "room for a line"
    claimed = np.zeros((layout.height, layout.width), bool)
    for tile, (width, height) in zip(layout.tiles, sizes, strict=True):
        assert tile.left >= 1
        assert tile.top >= 1
        assert tile.left % 2 == 0
        assert tile.label_width >= tile.width
        right, bottom = tile.left + tile.label_width, tile.top + tile.height + layout.label_band
        assert right < layout.width
        assert bottom < layout.height
        assert not claimed[tile.top : bottom, tile.left : right].any()
        claimed[tile.top : bottom, tile.left : right] = True
        slack = 0.51 * (1 + width / height)  # each side was rounded to a pixel
        assert abs(tile.width - width * tile.height / height) <= slack, "its own shape"


def test_one_epoch_is_the_film_of_that_snapshot(run, song, tmp_path):
    film = render(
        run, song, tmp_path / "film.mp4", epoch=95, fps=FPS, smooth="none", compute="torch-fp32"
    )
    same = render(
        run / "snapshots" / "epoch-95", song, tmp_path / "same.mp4", fps=FPS, smooth="none"
    )
    assert film.paths == (film.path,) == (tmp_path / "film.mp4",)
    assert film.path.read_bytes() == same.path.read_bytes()
    assert (
        render(run, song, film.path, epoch=[95], fps=FPS, smooth="none", compute="torch-fp32")
        == film
    )


def test_several_epochs_are_films_named_after_them(run, song, tmp_path):
    film = render(
        run,
        song,
        tmp_path / "film.mp4",
        epoch=(180, 0.5, 95),
        fps=FPS,
        smooth="none",
        compute="torch-fp32",
    )
    names = ["film-epoch-180.mp4", "film-epoch-0.5.mp4", "film-epoch-95.mp4"]
    assert film.paths == tuple(tmp_path / name for name in names)
    assert film.path == film.paths[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    shades = [np.median(grey(path, FPS, 0, 64, 114)) for path in film.paths]
    expected = [(np.tanh(shade) + 1) * 127.5 for shade in (1.0, -1.0, 0.0)]
    assert np.abs(np.array(shades) - expected).max() < 4


def test_several_epochs_are_folders_of_pngs_where_the_name_has_no_suffix(run, song, tmp_path):
    film = render(
        run,
        song,
        tmp_path / "frames",
        epoch=(0.5, 95),
        fps=FPS,
        smooth="none",
        compute="torch-fp32",
    )
    assert [path.name for path in film.paths] == ["frames-epoch-0_5", "frames-epoch-95"]
    assert [len(list(path.glob("*.png"))) for path in film.paths] == [10, 10]


def test_a_grid_of_epochs_is_one_film_in_the_order_that_was_asked(run, song, tmp_path):
    film = render(
        run, song, tmp_path / "film.mp4", epoch=(180, 0.5, 95), grid=True, fps=FPS, smooth="none"
    )
    assert film.paths == (film.path,)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    frame = grey(film.path, FPS, 0, film.height, film.width)
    tiles = grid_layout([(114, 64)] * 3).tiles
    shades = [np.median(frame[t.top : t.top + 64, t.left : t.left + 114]) for t in tiles]
    expected = [(np.tanh(shade) + 1) * 127.5 for shade in (1.0, -1.0, 0.0)]
    assert np.abs(np.array(shades) - expected).max() < 4


def test_progress_tells_films_and_frames_apart(run, song, tmp_path):
    steps = []
    for epoch, grid in (((0.5, 95), False), ((0.5, 95), True)):
        out = tmp_path / f"{grid}.gif"
        render(run, song, out, epoch=epoch, grid=grid, fps=FPS, progress=steps.append)
    tasks = ("render epoch 0.5", "render epoch 95", "render")
    seen = [(step.task, step.done, step.total) for step in steps if step.task in tasks]
    assert seen == [(task, n, 10) for task in tasks for n in range(11)]
    assert "join" in {step.task for step in steps}


def test_what_a_person_can_get_wrong_is_one_line_and_leaves_nothing(run, song, tmp_path):
    inverse = snapshot(tmp_path / "inverse" / "snapshots" / "epoch-1", 0.0, "picture-to-sound")
    snapshot(inverse.with_name("epoch-2"), 0.0)
    before = sorted(path.name for path in tmp_path.iterdir())
    cases: list[tuple[type[SoundreelError], str, dict]] = [
        (SettingsError, "add --epoch", {"epoch": None}),
        (SettingsError, "add --epoch", {"epoch": 95}),
        (SettingsError, "names 95 twice", {"epoch": (95, 180, 95)}),
        (SettingsError, "too small for 2 pictures", {"size": (60, 60)}),
        (SettingsError, "nothing is left", {"start_seconds": Fraction(9)}),
        (SettingsError, "films are written as", {"out": tmp_path / "film.xyz"}),
        (ModelError, "no snapshot of epoch 7", {"epoch": (95, 7)}),
        (ModelError, "picture-to-sound model", {"model": tmp_path / "inverse", "epoch": (2, 1)}),
    ]
    for error, says, wrong in cases:
        call = {"model": run, "song": song, "out": tmp_path / "film.mp4", "epoch": (95, 180)}
        call |= wrong
        with pytest.raises(error, match=says) as caught:
            render(call.pop("model"), call.pop("song"), call.pop("out"), grid=True, **call)
        assert "\n" not in str(caught.value)
        assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_least_size_that_is_named_is_enough():
    tiles = [(456, 256)] * 5
    with pytest.raises(SettingsError, match="or more") as caught:
        grid_layout(tiles, (100, 100))
    width, height = map(int, str(caught.value).split("give ")[1].split()[0].split("x"))
    assert len(grid_layout(tiles, (width, height)).tiles) == 5
    with pytest.raises(SettingsError):
        grid_layout(tiles, (width - 2, height))


def test_epochs_belong_to_a_run_folder_not_to_a_loaded_model(painting, song, tmp_path):
    with pytest.raises(ValueError, match="run folder"):
        render(painting, song, tmp_path / "film.mp4", epoch=95)


def test_the_command_line_says_which_films_it_made(run, song, tmp_path, capsys):
    command = ["render", str(run), str(song), "--fps", "10", "--stop", "0.3"]
    film = tmp_path / "film.gif"
    assert app([*command, "--out", str(film), "--epoch", "95, 0.5"]) == 0
    named = f"{tmp_path / 'film-epoch-95.gif'}, {tmp_path / 'film-epoch-0.5.gif'}"
    told = capsys.readouterr().out
    assert told.startswith(f"{named}: 3 frames, 114x64, 10 fps, ")
    assert told.count("\n") == 1
    assert app([*command, "--out", str(film), "--epoch", "95,0.5", "--grid", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["path"], made["paths"], made["frames"]) == (str(film), [str(film)], 3)
    assert made["width"] > 2 * 114


@pytest.mark.parametrize("epochs", ["", "95,", "last", "-95", "nan", "inf", "95;180"])
def test_what_is_no_list_of_epochs_is_refused_with_an_example(run, song, tmp_path, epochs):
    with pytest.raises(SettingsError, match="write 95 or 95,180,200"):
        app(["render", str(run), str(song), "--out", str(tmp_path / "f.gif"), f"--epoch={epochs}"])
