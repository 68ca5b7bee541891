"""Joining copies packets: what was in two files is in one, to the byte, at the same times."""

import hashlib
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clips_made_here import counting_clip
from soundreel.errors import MediaError
from soundreel.media.joining import join
from soundreel.media.probe import probe
from soundreel.media.sound import write_sound
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter, Song

ROOT = Path(__file__).parents[2]
MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", ROOT.parent / "shared" / "media"))


def one_kind(source: Path, out: Path, kind: str) -> Path:
    """The picture or the sound of a film alone, its packets copied."""
    with av.open(str(source)) as film, av.open(str(out), "w") as target:
        (stream,) = [one for one in film.streams if one.type == kind]
        copy = target.add_stream_from_template(stream)
        for packet in film.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    return out


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as film:
        (stream,) = [one for one in film.streams if one.type == kind]
        found = []
        for packet in film.demux(stream):
            if packet.size:
                assert packet.pts is not None
                assert packet.time_base is not None
                found.append((packet.pts * packet.time_base, bytes(packet)))
        return found


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    """A film in each of two families of codecs."""
    folder = tmp_path_factory.mktemp("films")
    tone = folder / "tone.flac"
    write_sound(tone, np.sin(np.arange(44_100 * 2) / 9).astype(np.float32)[None] * 0.4, 44_100)
    with FilmWriter(folder / "b.webm", 64, 48, Fraction(25), Song(tone, Fraction(0), None)) as film:
        for n in range(50):
            film.write(np.full((48, 64, 3), n, np.uint8))
    return {".mp4": counting_clip(folder / "a.mp4", 2), ".mkv": folder / "b.webm"}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_picture_and_sound_of_two_files_are_in_one(films, suffix, tmp_path):
    film = films[suffix]
    picture = one_kind(film, tmp_path / f"picture{film.suffix}", "video")
    sound = one_kind(film, tmp_path / f"sound{film.suffix}", "audio")
    out = join(picture, sound, tmp_path / "Dr. Zoë")
    assert out == tmp_path / f"Dr. Zoë{suffix}"
    tick = Fraction(2, 1000)  # Matroska counts in milliseconds
    for kind in ("video", "audio"):
        ours, own = packets(out, kind), packets(film, kind)
        assert [data for _, data in ours] == [data for _, data in own]
        drift = [a - b for (a, _), (b, _) in zip(ours, own, strict=True)]
        assert max(drift) - min(drift) <= tick
    offset = packets(out, "audio")[0][0] - packets(out, "video")[0][0]
    own_offset = packets(film, "audio")[0][0] - packets(film, "video")[0][0]
    assert abs(offset - own_offset) <= tick
    again = join(picture, sound, tmp_path / "again")
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in (out, again)}
    assert len(digests) == 1, "the same files give the same bytes"
    assert {path.suffix for path in tmp_path.iterdir()} == {film.suffix, suffix}


def test_a_sound_that_begins_later_still_does(films, tmp_path):
    late = tmp_path / "late.mp4"
    with av.open(str(films[".mp4"])) as film, av.open(str(late), "w") as target:
        stream = film.streams.audio[0]
        copy = target.add_stream_from_template(stream)
        for packet in film.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.dts, packet.pts = packet.dts + 22_050, packet.pts + 22_050
                packet.stream = copy
                target.mux(packet)
    picture = one_kind(films[".mp4"], tmp_path / "picture.mp4", "video")
    out = join(picture, late, tmp_path / "out")
    gap = packets(out, "audio")[0][0] - packets(out, "video")[0][0]
    own = packets(films[".mp4"], "audio")[0][0] - packets(films[".mp4"], "video")[0][0]
    assert abs(gap - own - Fraction(1, 2)) < Fraction(1, 1000)


def test_a_picture_without_sound_stays_without(films, tmp_path):
    picture = one_kind(films[".mp4"], tmp_path / "picture.mp4", "video")
    assert probe(join(picture, None, tmp_path / "out")).audio is None


def test_files_without_the_needed_stream_are_named(films, tmp_path):
    picture = one_kind(films[".mp4"], tmp_path / "picture.mp4", "video")
    sound = one_kind(films[".mp4"], tmp_path / "sound.mp4", "audio")
    (tmp_path / "words.mp4").write_text("this is no film\n" * 99)
    for pair, named in (
        ((sound, sound), r"sound\.mp4: has no picture"),
        ((picture, picture), r"picture\.mp4: has no sound"),
        ((tmp_path / "words.mp4", sound), r"words\.mp4"),
    ):
        with pytest.raises(MediaError, match=named):
            join(*pair, tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("form", ["mpegts", "mp4"])
@pytest.mark.parametrize("name", ["sintel_bridge_480p.mp4", "bbb_opening_720p.mp4"])
def test_real_films_in_segments_show_the_same_pictures(name, form, tmp_path):
    source = MEDIA / "videos" / name
    if not source.exists():
        pytest.skip(f"{name} is not there (SOUNDREEL_MEDIA may say where)")
    pieces = tmp_path / f"pieces.{form}"
    options = {"movflags": "frag_keyframe+empty_moov"} if form == "mp4" else {}
    with (
        av.open(str(source)) as film,
        av.open(str(pieces), "w", format=form, options=options) as to,
    ):
        chosen = [film.streams.video[0], film.streams.audio[0]]
        copies = {one.index: to.add_stream_from_template(one) for one in chosen}
        for packet in film.demux(*chosen):
            if packet.dts is not None and packet.dts * packet.time_base < 8:
                packet.stream = copies[packet.stream.index]
                to.mux(packet)
    out = join(pieces, None, tmp_path / "out")
    assert out.suffix == ".mp4"
    # An odd time, far from the edges of frames, that containers round in different ways.
    times = [Fraction(k, 1) + Fraction(1, 97) for k in range(7)]
    # (The muxer that cuts them may move the picture by a frame or two; joining must not.)
    ours, own = (dict(frames_at(path, times, Fit(64, 64))) for path in (out, pieces))
    assert list(ours) == list(own) == list(range(7))
    assert all(np.array_equal(ours[k], own[k]) for k in own)
    whole = {data for _, data in packets(source, "video")} if form == "mp4" else set()
    assert not whole or {data for _, data in packets(out, "video")} <= whole
