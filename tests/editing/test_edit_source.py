"""The pictures of an edit: the right ones of the clip, however the film is asked for."""

import json
import pickle
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from flash_and_click import HEIGHT, WIDTH, number_of, steady_times, write_flash_and_click
from soundreel.editing.edit_source import EditSource, Piece
from soundreel.media.video import Fit

FPS = Fraction(25)
FIT = Fit(HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("numbered")
    made = {
        "even": write_flash_and_click(folder / "even.mp4", steady_times(FPS, 120)),
        "slow": write_flash_and_click(folder / "slow.webm", steady_times(Fraction(12), 60),
                                      video_codec="libvpx-vp9"),
        "short": write_flash_and_click(folder / "short.mp4", steady_times(FPS, 30)),
    }  # fmt: skip
    return {name: one.path for name, one in made.items()}


def source_of(clips: dict[str, Path]) -> EditSource:
    turn = Fraction(40, 25)
    pieces = (
        Piece(0, 30, clips["even"], "e", Fraction(50, 25), None, FIT),
        Piece(30, 37, clips["slow"], "s", Fraction(1), None, FIT),
        # To and fro over 40 frames: 10..50..10..50.
        Piece(37, 147, clips["even"], "e", Fraction(10, 25), turn, FIT),
        # Half of what is asked for is there.
        Piece(147, 177, clips["short"], "h", Fraction(15, 25), None, FIT),
    )
    return EditSource(pieces, FPS)


def expected_numbers() -> list[int]:
    first = list(range(50, 80))
    slow = [12 + 12 * n // 25 for n in range(7)]
    swing = [10 + (n % 80 if n % 80 <= 40 else 80 - n % 80) for n in range(110)]
    held = [min(15 + n, 29) for n in range(30)]
    return first + slow + swing + held


def test_every_frame_shows_the_picture_of_its_time(clips):
    shown = [number_of(one) for one in source_of(clips).pictures(0, 177)]
    assert shown == expected_numbers()


@pytest.mark.parametrize("step", [1, 7, 32, 50])
def test_the_frames_are_the_same_however_the_film_is_cut(clips, step):
    source = source_of(clips)
    whole = list(source.pictures(0, 177))
    first = 0 if step > 1 else 140  # one by one: the end, where pictures are missing
    for start in range(first, 177, step):
        stop = min(177, start + step)
        for n, picture in enumerate(source.pictures(start, stop), start):
            assert np.array_equal(picture, whole[n]), n


def test_some_frames_of_all_can_be_asked_for(clips):
    source = source_of(clips)
    frames = [0, 3, 31, 40, 90, 90, 130, 160, 176]
    numbers = expected_numbers()
    assert [number_of(one) for one in source.at(frames)] == [numbers[n] for n in frames]


def test_it_is_known_by_what_it_shows_not_by_where_it_lies(clips):
    source = source_of(clips)
    moved = replace(source.pieces[0], clip=Path("elsewhere.mp4"))
    other = replace(source.pieces[0], from_seconds=Fraction(1))
    known = json.dumps(source.identity())
    assert known == json.dumps(EditSource((moved, *source.pieces[1:]), FPS).identity())
    assert known != json.dumps(EditSource((other, *source.pieces[1:]), FPS).identity())
    assert pickle.loads(pickle.dumps(source)) == source, "workers are sent it"
