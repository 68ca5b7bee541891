"""Real clips: twins are refused and named, and of seven short ones nothing is claimed."""

import os
from pathlib import Path

import pytest

import soundreel
from soundreel.asking.settings import question_from

VIDEOS = Path(os.environ.get("SOUNDREEL_MEDIA", "../shared/media")) / "videos"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(not VIDEOS.is_dir(), reason=f"{VIDEOS}: the real clips are not here"),
]


def test_real_clips_with_twins_among_them_are_invalid_and_without_undecided(tmp_path):
    out = tmp_path / "report.html"
    answer = soundreel.ask(VIDEOS, out=out, question=question_from(draws=499))
    assert answer.verdict == "INVALID"
    told = " ".join(answer.numbers["leaks"])
    assert "bbb_30s_vp8 and bbb_opening_720p have the same song" in told
    assert "sintel_trailer_480 and sintel_trailer_mpeg1" in told
    assert any(why.endswith("has no sound: the question needs both") for _, why in answer.left_out)
    chosen = question_from(
        draws=499,
        without=("bbb_opening_720p", "sintel_trailer_mpeg1", "case_*"),
        together=("bbb_*", "sintel*"),
    )
    answer = soundreel.ask(VIDEOS, out=out, question=chosen)
    assert answer.verdict == "UNDECIDED"
    assert len(answer.numbers["videos"]) == 7
    test = answer.numbers["test"]
    assert test["mde80"] > test["effect"]
    assert test["videos_needed"] > 7
