"""A song's own stream in a film: the same packets, the same samples, or else encoded and said."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from flash_and_click import steady_times, write_flash_and_click
from songs_made_here import CLICK_SECONDS, write_parts, write_song
from soundreel.errors import MediaError
from soundreel.media.film_format import film_format
from soundreel.media.film_joining import JoinedFilm, join_parts
from soundreel.media.film_sound import Sound
from soundreel.media.song_track import Song
from soundreel.media.sound import read_sound, sound_duration
from test_real_media import real

FPS = Fraction(25)


def film_of(tmp_path: Path, kind: str, song: Song, sound: Sound = "auto") -> JoinedFilm:
    """A film of 2 s with a song."""
    out = tmp_path / f"film.{kind}"
    form = film_format(out, 64, 64, FPS, draft=True)
    parts = write_parts(tmp_path / f"parts-{kind}", form, [50])
    return join_parts(out, form, parts, 50, song, sound=sound)


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize(
    ("song_kind", "film_kind", "said"),
    [
        (".m4a", "mp4", "copied aac"),
        (".mp3", "mp4", "copied mp3"),
        (".m4a", "mov", "copied aac"),
        (".mp3", "mov", "copied mp3"),
        (".alac.m4a", "mov", "copied alac"),
        (".wav", "mov", "copied pcm_s16le"),
        (".aiff", "mov", "copied pcm_s24be"),
        (".opus", "webm", "copied opus"),
        (".webm", "webm", "copied opus"),
        (".ogg", "webm", "copied vorbis"),
    ],
)
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_a_copied_song_is_bit_for_bit_and_lies_where_it_was(
    tmp_path: Path, song_kind: str, film_kind: str, said: str, rate_hz: int
) -> None:
    if said == "copied opus":
        rate_hz = 48_000
    song = write_song(tmp_path / f"song{song_kind}", song_kind, rate_hz)
    seconds = sound_duration(song)
    film = film_of(tmp_path, film_kind, Song(song, stop_seconds=seconds))
    assert (film.sound, film.sound_reason) == (said, "")
    theirs, ours = packets(song), packets(film.path)
    if "pcm" in said:  # which has no packets of its own
        assert b"".join(ours) == b"".join(theirs)
    else:
        assert ours == theirs[: len(ours)]
        assert len(theirs) - len(ours) <= 1  # what fills MP3's last frames up
    expected = read_sound(song, rate_hz, "left")
    heard = read_sound(film.path, rate_hz, "left")
    assert abs(int(np.abs(heard).argmax()) - CLICK_SECONDS * rate_hz) < rate_hz // 200
    # The same packets at the same place are the same samples; MP3's last frame may stay whole.
    assert np.array_equal(heard[: len(expected)], expected)
    assert len(expected) <= len(heard) < len(expected) + 1152


def test_a_packet_that_only_fills_up_is_left_out(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3", ".mp3", 48_000, seconds=Fraction(96_800, 48_000))
    film = film_of(tmp_path, "mp4", Song(song))
    assert film.sound == "copied mp3"
    assert packets(film.path) == packets(song)[:-1]


def test_times_in_milliseconds_do_not_make_an_mp4_uneven(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mkv", ".m4a", 44_100)
    film = film_of(tmp_path, "mp4", Song(song))
    assert film.sound == "copied aac"
    with av.open(str(film.path)) as container:
        times = [packet.dts or 0 for packet in container.demux(audio=0) if packet.size]
    assert set(np.diff(np.array(times))) == {1024}


@pytest.mark.parametrize(
    ("song_kind", "film_kind", "rate_hz", "channels", "reason"),
    [
        (".flac", "mp4", 44_100, 2, "flac"),
        (".alac.m4a", "mp4", 44_100, 2, "alac"),
        (".opus", "mp4", 48_000, 2, "opus"),
        (".mp3", "webm", 48_000, 2, "mp3"),
        (".flac", "mov", 48_000, 2, "flac"),
        (".float.wav", "mov", 48_000, 2, "pcm_f32le"),
        (".m4a", "mp4", 48_000, 6, "6 channels"),
        (".m4a", "mp4", 96_000, 2, "96000 Hz"),
        (".wav", "mov", 192_000, 2, "192000 Hz"),
        (".mp3", "mp4", 8_000, 1, "8000 Hz"),
        (".aac", "mp4", 44_100, 2, "no header"),
    ],
)
def test_what_players_do_not_all_take_is_encoded(
    tmp_path: Path, song_kind: str, film_kind: str, rate_hz: int, channels: int, reason: str
) -> None:
    song = write_song(tmp_path / f"song{song_kind}", song_kind, rate_hz, channels)
    film = film_of(tmp_path, film_kind, Song(song))
    encoded = {"mp4": "encoded aac", "webm": "encoded opus", "mov": "encoded pcm"}
    assert film.sound == encoded[film_kind]
    assert reason in film.sound_reason
    assert abs(sound_duration(film.path) - sound_duration(song)) < Fraction(1, 1000)
    heard, expected = (read_sound(path, 48_000, "left") for path in (film.path, song))
    assert abs(int(np.abs(heard).argmax()) - int(np.abs(expected).argmax())) <= 6


@pytest.mark.parametrize(
    ("start", "stop", "sound", "reason"),
    [
        (Fraction(1, 2), None, "auto", "begin"),
        (Fraction(0), Fraction(3, 2), "auto", "end"),
        (Fraction(0), Fraction(5, 2), "auto", "end"),
        (Fraction(0), None, "encode", "asked"),
    ],
)
def test_a_part_of_a_song_is_encoded(
    tmp_path: Path, start: Fraction, stop: Fraction | None, sound: Sound, reason: str
) -> None:
    song = write_song(tmp_path / "song.mp3", ".mp3")
    film = film_of(tmp_path, "mp4", Song(song, start, stop), sound)
    assert film.sound == "encoded aac"
    assert reason in film.sound_reason
    assert sound_duration(film.path) == (stop or 2) - start


def damaged(song: Path) -> Path:
    data = bytearray(song.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    song.write_bytes(data)
    return song


def with_another_rate(song: Path) -> Path:
    other = write_song(song.with_name("other.mp3"), ".mp3", 48_000)
    song.write_bytes(song.read_bytes() + other.read_bytes())
    return song


@pytest.mark.parametrize("fault", ["damaged", "rate", "jump", "late"])
def test_a_song_with_faults_is_encoded(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "song.mp3"
    if fault == "damaged":
        song = damaged(write_song(path, ".mp3", 44_100, seconds=Fraction(4)))
    elif fault == "rate":
        song = with_another_rate(write_song(path, ".mp3", 44_100))
    elif fault == "jump":
        song = write_song(tmp_path / "song.mkv", ".mp3", gap_at_samples=24_000)
    else:  # a film whose sound begins 0.2 s after its picture
        song = late_sound(tmp_path / "song.mp4")
    film = film_of(tmp_path, "mp4", Song(song))
    assert film.sound == "encoded aac"
    assert any(word in film.sound_reason for word in ("decoded", "change", "jump", "late"))
    heard, expected = (read_sound(one, 44_100, "left") for one in (film.path, song))
    assert abs(len(heard) - len(expected)) < 50
    assert abs(int(np.abs(heard).argmax()) - int(np.abs(expected).argmax())) <= 6


def late_sound(path: Path) -> Path:
    write_flash_and_click(path, steady_times(FPS, 50), sound_begins_seconds=Fraction(1, 5))
    return path


def test_a_song_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_text("no song")
    with pytest.raises(MediaError, match=r"song\.mp3"):
        film_of(tmp_path, "mp4", Song(tmp_path / "song.mp3"))
    with pytest.raises(MediaError, match=r"none\.mp3"):
        film_of(tmp_path, "mp4", Song(tmp_path / "none.mp3"))
    assert not (tmp_path / "film.mp4").exists()


def test_cover_art_of_a_song_stays_there(tmp_path: Path) -> None:
    song = real("songs", "macleod_30s_cover_art.mp3")
    film = film_of(tmp_path, "mp4", Song(song))
    assert film.sound == "copied mp3"
    with av.open(str(film.path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("soul_hop_hiphop.mp3", "mp4", "copied mp3"),
        ("viper_metal.mp3", "mp4", "copied mp3"),
        ("guitar_mono.wav", "mov", "copied pcm_s16le"),
        ("boss_action.ogg", "webm", "copied vorbis"),
        ("bbb_51_surround.flac", "mp4", "encoded aac"),
        ("unknown_length.flac", "webm", "encoded opus"),
    ],
)
def test_real_songs_are_heard_where_they_were(
    tmp_path: Path, name: str, kind: str, said: str
) -> None:
    song = real("songs", name)
    film = film_of(tmp_path, kind, Song(song))
    assert film.sound == said
    heard, expected = (
        read_sound(path, 16_000, "mono", Fraction(0), Fraction(8)) for path in (film.path, song)
    )
    count = min(len(heard), len(expected))
    assert abs(len(heard) - len(expected)) < 480  # 30 ms
    spectrum = (
        np.fft.rfft(heard[:count], 2 * count) * np.fft.rfft(expected[:count], 2 * count).conj()
    )
    lag = int(np.fft.irfft(spectrum).argmax())
    assert min(lag, 2 * count - lag) < 16_000 // 200
