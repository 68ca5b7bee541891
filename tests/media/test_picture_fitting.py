"""Colour, rotation, pixel shape, crop and resize, against formulas, numpy and ffmpeg."""

import itertools
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st

from soundreel.errors import SettingsError
from soundreel.media.fitting import Fit, floor_index
from soundreel.media.probe import probe
from soundreel.media.video import frames_at

PATCHES = np.array(
    [[230, 40, 30], [30, 200, 60], [40, 60, 220], [200, 200, 60], [128, 128, 128], [20, 150, 160]]
)
# Kr and Kb of ITU-R BT.601, BT.709 and BT.2020; numbers of ITU-T H.273.
MATRICES = {6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}


def patches(width: int, height: int) -> np.ndarray:
    """Three columns by two rows of flat colours."""
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 3 // width
    return PATCHES[rows[:, None] * 3 + columns].astype(np.uint8)


def to_yuv(rgb: np.ndarray, kr: float, kb: float, bits: int, full: bool) -> list[np.ndarray]:
    """Y', Cb, Cr of R'G'B' by the formulas of BT.601, 709 and 2020."""
    r, g, b = (rgb[..., k] / 255 for k in range(3))
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 - 2 * kb), (r - y) / (2 - 2 * kr)
    unit = 2 ** (bits - 8)
    if full:
        peak = 2**bits - 1
        planes = [y * peak, cb * peak + 128 * unit, cr * peak + 128 * unit]
    else:
        planes = [(219 * y + 16) * unit, (224 * cb + 128) * unit, (224 * cr + 128) * unit]
    return [np.rint(plane).clip(0, 2**bits - 1) for plane in planes]


def write_yuv(
    path: Path,
    picture: np.ndarray,
    *,
    matrix: int,
    tag: int | None = None,
    full: bool = False,
    bits: int = 8,
    degrees: float = 0,
    mirror: bool = False,
    sample_aspect: Fraction | None = None,
) -> Path:
    """Two lossless H.264 frames of a picture, Y'CbCr made by `to_yuv`."""
    pixel_format = "yuv444p" if bits == 8 else "yuv444p10le"
    planes = to_yuv(picture, *MATRICES[matrix], bits, full)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixel_format
        if sample_aspect:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        stream.codec_context.colorspace = 2 if tag is None else tag
        stream.codec_context.color_range = 2 if full else 1
        if degrees or mirror:
            stream.set_display_rotation(degrees, hflip=mirror)
        for n in range(2):
            frame = av.VideoFrame(picture.shape[1], picture.shape[0], pixel_format)
            for plane, values in zip(frame.planes, planes, strict=True):
                item = np.dtype("uint8" if bits == 8 else "<u2")
                rows = np.zeros((plane.height, plane.line_size // item.itemsize), item)
                rows[:, : plane.width] = values
                plane.update(rows.tobytes())
            frame.pts, frame.time_base = n, Fraction(1, 25)
            frame.colorspace, frame.color_range = (2 if tag is None else tag), 2 if full else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def first(path: Path, fit: Fit) -> np.ndarray:
    return next(iter(frames_at(path, [Fraction(0)], fit)))[1]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_tagged_colours_come_out_as_they_went_in(
    tmp_path: Path, matrix: int, full: bool, bits: int
) -> None:
    picture = patches(96, 64)
    path = write_yuv(tmp_path / "c.mp4", picture, matrix=matrix, tag=matrix, full=full, bits=bits)
    shown = first(path, Fit(64, 96))
    middles = (slice(16, None, 32), slice(16, None, 32))
    assert np.abs(shown[middles].astype(int) - picture[middles]).max() <= 3


@pytest.mark.parametrize(("size", "matrix"), [((64, 96), 6), ((576, 720), 6), ((720, 1280), 1)])
def test_untagged_colours_are_taken_by_size(
    tmp_path: Path, size: tuple[int, int], matrix: int
) -> None:
    picture = patches(size[1], size[0])
    path = write_yuv(tmp_path / "c.mp4", picture, matrix=matrix)
    other = write_yuv(tmp_path / "o.mp4", picture, matrix=7 - matrix)
    middles = (slice(16, None, 32), slice(16, None, 32))
    shown, mistaken = (first(file, Fit(64, 96))[middles].astype(int) for file in (path, other))
    assert np.abs(shown - PATCHES.reshape(2, 3, 3)).max() <= 3
    assert np.abs(mistaken - PATCHES.reshape(2, 3, 3)).max() > 12


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_is_as_ffmpeg_shows_it(tmp_path: Path, degrees: int, mirror: bool) -> None:
    """All six patches in their places, cropped or not."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("the ffmpeg program is not installed")
    path = write_yuv(
        tmp_path / "r.mp4", patches(96, 64), matrix=1, tag=1, degrees=degrees, mirror=mirror
    )
    info = probe(path).video
    assert info is not None
    expected_size = (96, 64) if degrees % 180 == 0 else (64, 96)
    assert (info.width, info.height) == expected_size
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-pix_fmt", "rgb24"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    theirs = np.frombuffer(raw, np.uint8).reshape(info.height, info.width, 3)
    ours = first(path, Fit(info.height, info.width))
    assert np.abs(ours.astype(int) - theirs).mean() < 3
    assert np.array_equal(ours, first(path, Fit(info.height, info.width, "floor-index")))
    # The top quarter and the left eighth of what is shown.
    cut = first(path, Fit(info.height // 4, info.width // 8, crop=(0, 0.75, 0, 0.875)))
    corner = ours[: info.height // 4, : info.width // 8]
    assert np.abs(cut.astype(int) - corner).max() <= 2


def test_pixel_shape_and_central_crop(tmp_path: Path) -> None:
    """Shown twice as wide as stored; a crop to 1:1 keeps the middle third's colour only."""
    path = write_yuv(
        tmp_path / "s.mp4", patches(96, 64), matrix=1, tag=1, sample_aspect=Fraction(2)
    )
    info = probe(path)
    assert info.video is not None
    assert (info.video.width, info.video.height) == (192, 64)
    assert info.display_aspect == 3
    middle = first(path, Fit(32, 32, aspect=Fraction(1)))
    expected = np.repeat(PATCHES[[1, 4]], 16, axis=0)[:, None]
    assert np.abs(middle[2:14, 2:-2].astype(int) - expected[2:14]).max() <= 3
    assert np.abs(middle[18:30, 2:-2].astype(int) - expected[18:30]).max() <= 3
    upper = first(path, Fit(8, 8, crop=(0, 0.5, 0, Fraction(2, 3))))
    assert np.abs(upper[1:-1, 1:-1].astype(int) - PATCHES[0]).max() <= 3


def test_floor_index_is_the_papers(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 134, 3)).astype(np.uint8)
    path = write_yuv(tmp_path / "n.mp4", noise, matrix=6, tag=6)
    whole = first(path, Fit(90, 134, "floor-index"))
    rows = np.floor(np.linspace(0, 89, 64)).astype(int)
    columns = np.floor(np.linspace(0, 133, 256)).astype(int)
    assert np.array_equal(first(path, Fit(64, 256, "floor-index")), whole[rows][:, columns])
    assert np.abs(whole.astype(int) - noise).mean() < 2  # it is the picture, not a neighbour


@given(st.integers(1, 300), st.integers(1, 300))
def test_floor_index_keeps_first_and_last(count: int, size: int) -> None:
    picked = floor_index(np.arange(count)[:, None, None] * np.ones((1, 1, 3), int), size, 1)[
        :, 0, 0
    ]
    assert picked[0] == 0
    assert size == 1 or picked[-1] == count - 1
    assert (np.diff(picked) >= 0).all()


def test_area_is_the_mean_of_what_falls_into_a_pixel(tmp_path: Path) -> None:
    gray = np.random.default_rng(1).integers(0, 256, (64, 96, 1)).astype(np.uint8)
    picture = np.repeat(gray, 3, axis=2)
    path = write_yuv(tmp_path / "g.mp4", picture, matrix=1, tag=1)
    expected = picture.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(first(path, Fit(16, 24)).astype(float) - expected).max() <= 2


@pytest.mark.parametrize(("width", "height"), [(97, 65), (33, 1), (10, 6), (255, 7)])
def test_odd_and_tiny_sizes(tmp_path: Path, width: int, height: int) -> None:
    path = write_yuv(tmp_path / "o.mp4", np.full((height, width, 3), 90, np.uint8), matrix=1, tag=1)
    for method in ("area", "lanczos", "floor-index"):
        shown = first(path, Fit(31, 45, method, aspect=Fraction(4, 3)))
        assert shown.shape == (31, 45, 3)
        assert np.abs(shown.astype(int) - 90).max() <= 2


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    rgba = np.zeros((32, 64, 4), np.uint8)
    rgba[..., 0], rgba[:, 32:, 3] = 200, 255
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = 32, 64, "rgba"
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    shown = first(tmp_path / "a.mov", Fit(32, 64))
    assert np.array_equal(shown[:, :30], np.zeros((32, 30, 3), np.uint8))
    assert np.abs(shown[:, 34:].astype(int) - [200, 0, 0]).max() <= 1


@pytest.mark.parametrize(
    "wrong",
    [{"height": 0}, {"width": 10**6}, {"method": "cubic"}, {"aspect": Fraction(0)}]
    + [{"crop": crop} for crop in itertools.permutations((0.6, 0.4, 0, 0)) if sum(crop[:2]) == 1],
)
def test_impossible_fits_are_refused(wrong: dict) -> None:
    with pytest.raises(SettingsError):
        Fit(**{"height": 8, "width": 8, **wrong})
