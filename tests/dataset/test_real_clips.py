"""All the real media, broken ones too, in one command: a table says what became of each file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soundreel.dataset.store import open_dataset
from soundreel.media.probe import MEDIA_SUFFIXES

MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[3] / "shared" / "media"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MEDIA.is_dir(), reason=f"no media in {MEDIA}"),
]

#: Clips of one scene, or of one trailer, under other names and in other encodings.
SAME = [
    {"bbb_opening_720p", "bbb_30s_vp8", "case_51_audio_bbb", "case_hevc_51"},
    {"sintel_trailer_480", "sintel_trailer_mpeg1"},
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("real") / "set"
    command = ["prepare", str(MEDIA), "--out", str(out), "--every", "0.5"]
    done = subprocess.run(
        [sys.executable, "-m", "soundreel.cli", *command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, out


def test_the_table_names_every_file_and_what_became_of_it(prepared):
    table, out = prepared
    files = [path for path in MEDIA.rglob("*") if path.suffix.lower() in MEDIA_SUFFIXES]
    rows = open_dataset(out).rows
    assert len(files) == len(rows) > 0
    assert {Path(row.source) for row in rows} == set(files)
    for row in rows:
        (line,) = [line for line in table.splitlines() if line.split()[:1] == [row.id]]
        assert ("left out" in line) == (row.split is None)
        if row.left_out:
            assert Path(row.source).name in line
        else:
            assert f"{row.pairs} pairs" in line


def test_songs_and_silent_films_are_left_out_and_films_with_music_go_in(prepared):
    _, out = prepared
    became = {row.id: row for row in open_dataset(out).rows}
    for name in ("vibe_ace_jazz", "soul_hop_hiphop", "case_audio_only_two_51"):
        assert "has no picture" in (became[name].left_out or "")
    for name in ("case_no_audio_cosmos", "case_1fps_no_audio"):
        assert "has no sound" in (became[name].left_out or "")
    for name in ("bbb_flight_360p", "sintel_bridge_480p", "ed_opening_two_audio"):
        assert became[name].pairs > 40


def test_scenes_under_other_names_are_found_and_not_split(prepared):
    _, out = prepared
    rows = {row.id: row for row in open_dataset(out).rows if row.split is not None}
    for names in SAME:
        assert len({rows[name].group for name in names}) == 1
        assert len({rows[name].split for name in names}) == 1
        assert all(rows[name].same_as for name in names)
    tied = set.union(*SAME)
    for name, row in rows.items():
        if name not in tied:
            assert row.group == name, f"{name} is tied to {row.group} by mistake"
