"""Every real and every malformed file ends in a result or in one line, within a bounded time."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from soundreel.errors import MediaError
from soundreel.media import video
from soundreel.media.probe import MEDIA_SUFFIXES, probe
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))

# In a process of its own: a decoder that hangs or crashes must not take the tests with it.
READ_ALL = """
import json, sys, time
from fractions import Fraction
from pathlib import Path
from soundreel.errors import MediaError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at

def attempt(act):
    try:
        return act()
    except MediaError as error:
        return str(error)

for path in sorted(Path(sys.argv[1]).iterdir()):
    began = time.monotonic()
    row = {"name": path.name}
    info = attempt(lambda: probe(path))
    row["probe"] = info if isinstance(info, str) else None
    times = [Fraction(k, 3) for k in range(12)]
    row["frames"] = attempt(lambda: [k for k, _ in frames_at(path, times, Fit(36, 64))])
    row["samples"] = attempt(lambda: len(read_sound(path, 22_050, "mono", 0, Fraction(4))))
    row["seconds"] = time.monotonic() - began
    print(json.dumps(row), flush=True)
"""


def real(*names: str) -> Path:
    path = MEDIA.joinpath(*names)
    if not path.exists():
        pytest.skip(f"{'/'.join(names)} is not there (SOUNDREEL_MEDIA may say where)")
    return path


@pytest.mark.parametrize("folder", ["videos", "songs", "malformed"])
def test_every_file_gives_a_result_or_one_line(folder: str) -> None:
    place = real(folder)
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(place)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["name"] for row in rows] == sorted(p.name for p in place.iterdir()), done.stderr
    assert done.returncode == 0
    for row in rows:
        for said in (row["probe"], row["frames"], row["samples"]):
            if isinstance(said, str):
                assert row["name"] in said
                assert "\n" not in said
        assert row["seconds"] < 60, row
    if folder == "videos":
        assert all(row["frames"] or "audio_only" in row["name"] for row in rows)
    if folder == "songs":
        assert all(row["samples"] > 20_000 for row in rows)
        assert all("no video" in row["frames"] for row in rows)  # cover art is none


def test_what_the_headers_of_hard_cases_say() -> None:
    sizes = {
        "case_rot90_51_bbb.mp4": (1080, 1920, 90),
        "case_rot180_vfr_mono.mp4": (1280, 720, 180),
        "case_sar_2x1.mp4": (1280, 360, 0),
        "case_many_streams_nasa.mp4": (480, 270, 0),  # the larger of two default streams
    }
    for name, expected in sizes.items():
        film = probe(real("videos", name)).video
        assert film is not None
        assert (film.width, film.height, film.rotation_degrees) == expected, name
    assert probe(real("songs", "macleod_30s_cover_art.mp3")).video is None
    assert {p.suffix for p in real("videos").iterdir()} <= MEDIA_SUFFIXES


@pytest.mark.parametrize(
    ("name", "words"),
    [("nowhere.mp4", "no such file"), ("", "is a folder"), ("notes.mp4", "cannot be read"),
     ("empty.mp4", "is empty"), ("pixel.png", "picture"), ("list.mp4", "playlist|cannot be read")],
)  # fmt: skip
def test_what_is_no_media_is_said_in_one_line(tmp_path: Path, name: str, words: str) -> None:
    from PIL import Image

    (tmp_path / "notes.mp4").write_text("dear diary, today I named a text .mp4\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(tmp_path / "pixel.png")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/hosts\n")
    for read in (
        probe,
        lambda path: next(frames_at(path, [Fraction(0)], Fit(8, 8))),
        lambda path: read_sound(path, 44_100, "mono"),
    ):
        with pytest.raises(MediaError, match=words) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a:b.mp4", "a%03d.mp4", "ä ☂.mp4", "-i.mp4"])
def test_names_that_mean_something_to_ffmpeg(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(real("videos", "case_rot90_no_audio.mov").read_bytes())
    assert probe(path).video is not None


@pytest.mark.parametrize(
    "name",
    [
        "bbb_opening_720p.mp4",
        "sintel_bridge_480p.mp4",
        "case_vp9_no_audio.webm",
        "bbb_30s_vp8.webm",
    ],
)
def test_dropping_packets_changes_no_pixel_of_real_films(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fit = real("videos", name), Fit(256, 256)
    times = [Fraction(2) + Fraction(3, 2) * k for k in range(12)]
    quick = dict(frames_at(path, times, fit))
    monkeypatch.setattr(video, "rules_for", lambda stream: None)
    slow = dict(frames_at(path, times, fit))
    assert list(quick) == list(slow)
    assert len(quick) >= 5
    assert all(np.array_equal(quick[k], slow[k]) for k in quick)
