"""Songs of every kind: each a film as long as it, its sound where the song has it."""

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.format import AudioFormat
from av.audio.stream import AudioStream
from PIL import Image

from soundreel.errors import MediaError
from soundreel.media.probe import probe
from soundreel.media.sound import read_sound, sound_duration, write_sound
from soundreel.networks.bundle import save_model
from soundreel.networks.unet import UNet
from soundreel.recipe import recipe_from
from soundreel.rendering.movie import render
from soundreel.timeline import frame_count

FPS = Fraction(6)
SECONDS = 2.5
CLICK_SECONDS = 1.25


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    arguments = {"size": 64, "width": 4, "norm": "frozen-batch", "in_channels": 1}
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, UNet(**arguments), arguments, recipe_from(), "sound-to-picture", {})
    return folder


def click_song(seconds: float, rate_hz: int, level: float = 0.5) -> np.ndarray:
    """Soft noise and one loud burst at a known time."""
    rng = np.random.default_rng(0)
    sound_N = rng.uniform(-0.01, 0.01, round(seconds * rate_hz))
    at = round(CLICK_SECONDS * rate_hz)
    burst = rng.uniform(-level, level, rate_hz // 100)
    sound_N[at : at + len(burst)] += burst[: max(0, len(sound_N) - at)]
    return sound_N.astype(np.float32)


def encoded(path: Path, codec: str, rate_hz: int, layout: str, sample_format: str) -> Path:
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    sound_N = click_song(SECONDS, rate_hz)
    with av.open(str(path), "w") as container:
        # FFmpeg's own Vorbis calls itself experimental; it is the one that is built in.
        stream = container.add_stream(codec, rate=rate_hz, layout=layout, options={"strict": "-2"})
        assert isinstance(stream, AudioStream)
        stream.codec_context.format = AudioFormat(sample_format)
        at = 0
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz)
        for block_N in np.array_split(sound_N, 40):
            planes = np.ascontiguousarray(np.tile(block_N, (channels, 1)))
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
            at += len(block_N)
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        for converted in resampler.resample(None):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return path


def burst_seconds(path: Path) -> float:
    heard_N = np.abs(read_sound(path, 44_100, "mono", stop_seconds=Fraction(5)))
    return float(np.flatnonzero(heard_N > 0.4 * heard_N.max())[0]) / 44_100


CASES = {
    "mono.wav": ("pcm_s16le", 44_100, "mono", "s16"),
    "eight-khz.wav": ("pcm_s16le", 8_000, "mono", "s16"),
    "float.wav": ("pcm_f32le", 44_100, "stereo", "flt"),
    "deep.wav": ("pcm_s24le", 48_000, "stereo", "s32"),
    "surround.flac": ("flac", 48_000, "5.1", "s16"),
    "fine.flac": ("flac", 192_000, "stereo", "s32"),
    "song.m4a": ("aac", 44_100, "stereo", "fltp"),
    "song.mp3": ("libmp3lame", 44_100, "stereo", "fltp"),
    "song.ogg": ("vorbis", 44_100, "stereo", "fltp"),
    "song.opus": ("libopus", 48_000, "stereo", "flt"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["mp4", "webm", "mov"])
def test_a_song_of_any_kind_becomes_a_film_with_its_sound_in_place(model, tmp_path, name, kind):
    song = encoded(tmp_path / name, *CASES[name])
    film = render(model, song, tmp_path / f"film.{kind}", fps=FPS, compute="torch-fp32")
    seconds = sound_duration(song)
    assert film.frames == frame_count(seconds, FPS)
    assert abs(float(sound_duration(film.path)) - float(seconds)) < 0.06
    assert abs(burst_seconds(film.path) - burst_seconds(song)) < 0.005
    info = probe(film.path)
    assert info.audio is not None
    assert info.audio.channels <= 2
    assert film.sound.split()[0] in ("copied", "encoded")


def test_an_mp3_with_a_broken_header_and_a_cover(model, tmp_path):
    """Junk before the first frame, a cover picture in the tags, and a byte count that lies."""
    song = encoded(tmp_path / "plain.mp3", *CASES["song.mp3"])
    data = bytearray(song.read_bytes())
    xing = data.find(b"Info") if b"Info" in data else data.find(b"Xing")
    assert xing > 0
    data[xing + 8 : xing + 16] = b"\x7f\xff\xff\xff\x7f\xff\xff\xff"
    jpeg = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 30, 30)).save(jpeg, "JPEG")
    body = b"\x00image/jpeg\x00\x03\x00" + jpeg.getvalue()
    picture = b"APIC" + len(body).to_bytes(4, "big") + b"\x00\x00" + body
    size = len(picture)
    digits = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    broken = tmp_path / "broken.mp3"
    start = data.find(b"\xff\xfb")
    tagged = b"ID3\x03\x00\x00" + digits + picture + bytes(range(1, 200)) + bytes(data[start:])
    broken.write_bytes(tagged)
    film = render(model, broken, tmp_path / "film.mp4", fps=FPS, compute="torch-fp32")
    assert film.frames == frame_count(sound_duration(broken), FPS)
    assert abs(burst_seconds(film.path) - burst_seconds(broken)) < 0.01
    info = probe(film.path).video
    assert info is not None
    assert (info.width, info.height) == (film.width, film.height), "the cover is not the film"


@pytest.mark.parametrize("smooth", ["beats", "exponential", "none"])
@pytest.mark.parametrize("what", ["short", "silence", "clipping"])
def test_what_has_no_rhythm_is_filmed_too(model, tmp_path, what, smooth):
    song = tmp_path / f"{what}.wav"
    sounds = {
        "short": click_song(0.2, 44_100),
        "silence": np.zeros(44_100, np.float32),
        "clipping": np.sign(click_song(1.0, 44_100)) * 1.5,
    }
    write_sound(song, sounds[what], 44_100)
    film = render(model, song, tmp_path / "film.mp4", fps=Fraction(30), smooth=smooth)
    assert film.frames == frame_count(sound_duration(song), Fraction(30))


def test_a_song_without_a_sample_is_one_line(model, tmp_path):
    song = tmp_path / "empty.wav"
    with wave.open(str(song), "wb") as empty:
        empty.setparams((1, 2, 44_100, 0, "NONE", ""))
    with pytest.raises(MediaError, match=r"empty\.wav") as caught:
        render(model, song, tmp_path / "film.mp4")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["empty.wav"]


@pytest.mark.slow
def test_three_hours_are_filmed_in_flat_memory(model, tmp_path):
    import resource

    song = tmp_path / "long.wav"
    hour_N = np.tile(click_song(10.0, 8_000), 360)
    write_sound(song, np.tile(hour_N, 3), 8_000)
    del hour_N
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    film = render(model, song, tmp_path / "film.mp4", fps=Fraction(1, 2), compute="torch-fp32")
    # The whole sound at the recipe's rate would be 1.9 GB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    assert film.frames == 5_400
    assert abs(burst_seconds(film.path) - burst_seconds(song)) < 0.005
