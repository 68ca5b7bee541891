"""Sound at the right sample: clicks, tones, gaps, spans, formats."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flash_and_click import steady_times, write_flash_and_click
from soundreel.errors import MediaError, SettingsError, StorageError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, sound_duration, stream_sound, write_sound

RATE_HZ = 48_000


def write_pcm(
    path: Path,
    blocks: list[tuple[Fraction, np.ndarray]],
    codec: str = "pcm_s16le",
    layout: str = "mono",
    sample_format: str = "s16",
    rate_hz: int = RATE_HZ,
) -> Path:
    """Blocks of samples (1 x n interleaved) at given times, in one audio stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, AudioStream)
        stream.codec_context.time_base = Fraction(1, rate_hz)
        for begins, block in blocks:
            frame = av.AudioFrame.from_ndarray(block, format=sample_format, layout=layout)
            frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
            frame.pts = int(begins * rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    # FLAC is exact; AAC and Opus smear a click over a few samples about its place, and their
    # files say to a millisecond (48 samples) where a late sound begins.
    ("suffix", "codec", "smear"),
    [(".mkv", "libx264", 0), (".mp4", "libx264", 2), (".webm", "libvpx-vp9", 2)],
)
@pytest.mark.parametrize("begins", [Fraction(0), Fraction(3, 10)])
def test_the_click_is_at_its_sample(
    tmp_path: Path, suffix: str, codec: str, smear: int, begins: Fraction
) -> None:
    click = Fraction(1, 2)
    clip = write_flash_and_click(
        tmp_path / f"clip{suffix}",
        steady_times(Fraction(25), 40),
        video_codec=codec,
        click_seconds=click,
        sound_begins_seconds=begins,
    )
    sound = read_sound(clip.path, RATE_HZ, "mono")
    assert (
        abs(int(np.abs(sound).argmax()) - int((begins + click) * RATE_HZ))
        <= (48 * bool(begins) if smear else 0) + smear
    )
    assert np.abs(sound[: max(0, int(begins * RATE_HZ) - 64)]).max(initial=0) < 0.01


def test_a_tone_keeps_pitch_phase_and_loudness_when_resampled(tmp_path: Path) -> None:
    n = np.arange(RATE_HZ * 2)
    write_sound(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 997 * n / RATE_HZ), RATE_HZ)
    for rate_hz in (44_100, 22_050, 96_000):
        sound = read_sound(tmp_path / "tone.wav", rate_hz, "mono")
        assert len(sound) == rate_hz * 2
        ideal = 0.5 * np.sin(2 * np.pi * 997 * np.arange(len(sound)) / rate_hz)
        middle = slice(rate_hz // 10, -rate_hz // 10)
        assert np.abs(sound[middle] - ideal[middle]).max() < 5e-4


def test_what_the_lower_rate_cannot_hold_is_gone(tmp_path: Path) -> None:
    n = np.arange(RATE_HZ)
    write_sound(tmp_path / "high.wav", 0.9 * np.sin(2 * np.pi * 15_000 * n / RATE_HZ), RATE_HZ)
    sound = read_sound(tmp_path / "high.wav", 22_050, "mono")
    assert np.abs(sound[1000:-1000]).max() < 1e-3


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7.3 s of stereo noise, as AAC in MP4."""
    folder = tmp_path_factory.mktemp("song")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 2 * int(RATE_HZ * 7.3)))
    return write_pcm(
        folder / "song.mp4", [(Fraction(0), noise.astype(np.float32))], "aac", "stereo", "flt"
    )


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.fractions(0, 9, max_denominator=44_100),
    length=st.fractions(0, 9, max_denominator=1000),
    block_samples=st.integers(1_000, 200_000),
    rate_hz=st.sampled_from([RATE_HZ, 44_100]),
)
def test_a_span_is_a_slice_of_the_whole_however_it_is_cut(
    song: Path, start: Fraction, length: Fraction, block_samples: int, rate_hz: int
) -> None:
    whole = read_sound(song, rate_hz, "mono")
    blocks = list(stream_sound(song, rate_hz, "mono", start, start + length, block_samples))
    expected = whole[-int(-start * rate_hz // 1) : -int(-(start + length) * rate_hz // 1)]
    joined = np.concatenate([*blocks, np.zeros(0, np.float32)])
    assert np.array_equal(joined, expected)
    assert np.array_equal(read_sound(song, rate_hz, "mono", start, start + length), expected)
    assert all(len(block) == block_samples for block in blocks[:-1])


def test_left_is_the_first_channel_and_mono_the_mean_of_all(tmp_path: Path) -> None:
    channels = np.random.default_rng(0).integers(-9000, 9000, (6, 5000)) / 32768
    write_sound(tmp_path / "six.flac", channels, 44_100)
    left = read_sound(tmp_path / "six.flac", 44_100, "left")
    mono = read_sound(tmp_path / "six.flac", 44_100, "mono")
    assert np.array_equal(left, channels[0].astype(np.float32))
    assert np.abs(mono - channels.mean(axis=0)).max() < 1e-7


def test_a_gap_is_silence_and_a_small_one_is_not(tmp_path: Path) -> None:
    block = np.full((1, 4800), 8192, np.int16)
    tenth = Fraction(1, 10)
    path = write_pcm(
        tmp_path / "gap.mkv",
        [(Fraction(0), block), (5 * tenth, block), (6 * tenth + Fraction(1, 50), block)],
    )
    sound = read_sound(path, RATE_HZ, "mono")
    expected = np.zeros(24_000 + 2 * 4800, np.float32)
    expected[:4800] = expected[24_000:] = 0.25
    assert np.array_equal(sound, expected)
    assert sound_duration(path) == Fraction(7, 10)


@pytest.mark.parametrize(
    ("codec", "sample_format", "stored", "heard"),
    [
        ("pcm_u8", "u8", np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        ("pcm_s16le", "s16", np.array([-32768, 0, 16384], np.int16), [-1, 0, 0.5]),
        ("pcm_s32le", "s32", np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        ("pcm_s24le", "s32", np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        ("pcm_f32le", "flt", np.array([-1, np.nan, 0.5], np.float32), [-1, 0, 0.5]),
        ("pcm_f64le", "dbl", np.array([-1, 0, 1e300], np.float64), [-1, 0, 256]),
    ],
)
def test_every_sample_format(
    tmp_path: Path, codec: str, sample_format: str, stored: np.ndarray, heard: list[float]
) -> None:
    path = write_pcm(
        tmp_path / "f.wav", [(Fraction(0), stored[None])], codec, sample_format=sample_format
    )
    assert read_sound(path, RATE_HZ, "left").tolist() == heard


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=50), st.sampled_from([".wav", ".flac"]))
@settings(max_examples=30, deadline=None)
def test_written_sound_reads_back_as_sixteen_bits(
    tmp_path_factory: pytest.TempPathFactory, samples: list[float], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("s") / f"x{suffix}"
    write_sound(path, np.array(samples), 44_100)
    expected = np.clip(np.rint(np.array(samples) * 32768), -32768, 32767) / 32768
    assert np.array_equal(read_sound(path, 44_100, "left"), expected.astype(np.float32))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.flac or \.wav"):
        write_sound(tmp_path / "x.mp3", np.zeros(10), 44_100)
    with pytest.raises(SettingsError, match="shape"):
        write_sound(tmp_path / "x.wav", np.zeros((3, 2, 1)), 44_100)
    with pytest.raises(SettingsError, match="no numbers"):
        write_sound(tmp_path / "x.wav", np.array([0, np.nan]), 44_100)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_sound(tmp_path / "file" / "x.wav", np.zeros(10), 44_100)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_film_without_sound_says_so(tmp_path: Path) -> None:
    clip = write_flash_and_click(
        tmp_path / "mute.mp4", steady_times(Fraction(25), 10), with_sound=False
    )
    assert probe(clip.path).audio is None
    for read in (lambda: read_sound(clip.path, 44_100, "mono"), lambda: sound_duration(clip.path)):
        with pytest.raises(MediaError, match=r"mute\.mp4: has no sound"):
            read()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not installed")
def test_ffmpeg_hears_the_same(song: Path) -> None:
    command = ["ffmpeg", "-v", "error", "-i", str(song), "-map_channel", "0.0.0", "-ar", "44100"]
    raw = subprocess.run([*command, "-f", "f32le", "-"], check=True, capture_output=True).stdout
    theirs = np.frombuffer(raw, np.float32)
    ours = read_sound(song, 44_100, "left")
    count = min(len(theirs), len(ours))
    assert len(ours) == 321_930  # 7.3 s exactly; ffmpeg goes on to the end of the last AAC frame
    assert 0 <= len(theirs) - len(ours) < 1024
    assert np.abs(theirs[: count - 100] - ours[: count - 100]).max() < 1e-3
