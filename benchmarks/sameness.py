"""How often the same song and the same pictures are found, and how often wrongly.

Over the songs and videos of the test media, whose truth is known (`SOURCES.md` beside them), what
common encoders, cuts and noise make of them, and songs made here from the same few instruments.

    python benchmarks/sameness.py [media | songs | videos | made | many]...
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream

from soundreel.dataset.letterbox import letterbox
from soundreel.dataset.picture_hash import picture_hashes
from soundreel.dataset.sameness import Prints, find_same
from soundreel.errors import MediaError
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at
from soundreel.media.writer import FilmWriter
from soundreel.sound.fingerprint import HOP_SECONDS, fingerprint

MEDIA = Path(os.environ.get("SOUNDREEL_MEDIA", Path(__file__).parents[2] / "shared" / "media"))
RATE_HZ = 44_100
#: Halfway between two hops of the fingerprint, where a cut does most harm.
CUT_SECONDS = Fraction(1_732, 100)
NO_SOUND = (np.empty(0, np.uint32), np.empty(0, np.int32))
NO_PICTURES = (np.empty(0, np.uint64), np.empty(0))

#: What overlaps according to SOURCES.md, and what cross-correlating the samples of its other
#: cuts of Big Buck Bunny with the opening found (0.97 and more at one offset).
_OPENING = (
    "bbb_30s_vp8.webm",
    "bbb_51_surround.flac",  # 1 s of it
    "bbb_opening_720p.mp4",
    "case_audio_only_two_51.mp4",  # 5 s, 43 dB below what a record has, and no picture
    "case_hevc_51.ts",  # the same 5 s
)
SAME_SONG = {
    ("bbb_opening_720p.mp4", "case_51_audio_bbb.mp4"),  # from 0:47 on
    ("sintel_trailer_480.mp4", "sintel_trailer_mpeg1.mpg"),
    *(pair for pair in combinations(_OPENING, 2) if "bbb_51_surround.flac" not in pair),
    ("bbb_30s_vp8.webm", "bbb_51_surround.flac"),
    ("bbb_51_surround.flac", "bbb_opening_720p.mp4"),
}
SAME_PICTURES = {
    pair
    for pair in SAME_SONG
    if not {"bbb_51_surround.flac", "case_audio_only_two_51.mp4"} & set(pair)
}


# --- the media as they are


def media() -> None:
    """Every pair of files with sound, and every pair of videos, once each as they are."""
    decoding = printing = 0.0
    for path in media_files("songs"):
        began = time.process_time()
        sound_N = read_sound(path, RATE_HZ, "mono")
        decoded = time.process_time()
        fingerprint(sound_N, RATE_HZ)
        decoding, printing = decoding + decoded - began, printing + time.process_time() - decoded
    print(f"a song's fingerprint takes {printing / decoding:.2f} of the time its decoding takes")
    songs = {path.name: _sound_prints(path) for path in media_files() if _sound(path) is not None}
    _report("same song", songs, SAME_SONG)
    videos = {path.name: _picture_prints(path) for path in media_files("videos")}
    videos = {name: prints for name, prints in videos.items() if len(prints.picture_hash_K)}
    _report("same pictures", videos, SAME_PICTURES)


def _report(what: str, prints: dict[str, Prints], truth: set[tuple[str, str]]) -> None:
    names = sorted(prints)
    matches = find_same([prints[name] for name in names], names)
    found = {(names[m.first], names[m.second]): m for m in matches}
    pairs = len(names) * (len(names) - 1) // 2
    print(f"\n{what}: {len(names)} files, {pairs} pairs, {len(truth)} of them really share some")
    for pair in sorted(truth | set(found)):
        match = found.get(pair)
        verdict = "found" if match and pair in truth else "WRONG" if match else "missed"
        detail = f"{match.shared_seconds:5.1f} s at {match.offset_seconds:+.2f} s" if match else ""
        print(f"  {verdict:7} {pair[0]:28} {pair[1]:28} {detail}")


# --- songs under other names


def songs() -> None:
    """What encoders, cuts and noise leave of each song: found among all others, and how wrong."""
    originals = [path for path in media_files("songs") if len(known_sound(path)) > 25 * RATE_HZ]
    known = [_sound_prints(path) for path in originals]
    print(f"\nsame song, encoded anew: {len(originals)} songs, 60 s of each, against all of them")
    print(f"  {'what was done':34} {'found':>7} {'least share':>11} {'wrong':>6}")
    for name, change in CHANGES.items():
        found, wrong, shares = 0, 0, []
        for place, path in enumerate(originals):
            changed = change(known_sound(path)[: 60 * RATE_HZ])
            prints = Prints(*_print_of(changed), *NO_PICTURES)
            matches = [
                m
                for m in find_same([*known, prints], [*map(str, originals), "changed"])
                if m.second == len(known)
            ]
            right = [m for m in matches if m.first == place]
            shares += [m.shared_seconds * RATE_HZ / len(changed) for m in right]
            found += bool(right)
            wrong += len(matches) - len(right)
        least = f"{min(shares):.0%}" if shares else "-"
        print(f"  {name:34} {found:3}/{len(originals)} {least:>11} {wrong:6}", flush=True)


def coded(sound_N: np.ndarray, codec: str, suffix: str, bit_rate: int) -> np.ndarray:
    """What remains of a sound after a real encoder and decoder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            assert isinstance(stream, AudioStream)
            stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(sound_N[None].astype(np.float32), "fltp", "mono")
            frame.sample_rate = RATE_HZ
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return read_sound(path, RATE_HZ, "mono")


def noisy(sound_N: np.ndarray, snr_db: float) -> np.ndarray:
    """White noise on top, so many dB below the sound."""
    noise_N = np.random.default_rng(1).normal(size=len(sound_N)).astype(np.float32)
    return on_top(sound_N, noise_N, -snr_db)


def drummed(sound_N: np.ndarray, level_db: float) -> np.ndarray:
    """A steady drum loop on top."""
    rng, at = np.random.default_rng(2), np.arange(8_000)
    kick = np.sin(2 * np.pi * np.cumsum(np.linspace(150, 45, 8_000)) / RATE_HZ)
    kick, hiss = kick * np.exp(-at / 2_500), rng.normal(size=8_000) * np.exp(-at / 900)
    drums_N = np.zeros(len(sound_N) + 8_000)
    for beat, start in enumerate(range(0, len(sound_N), 13_640)):  # eighths at 97 a minute
        drums_N[start : start + 8_000] += (kick, 0.3 * hiss, hiss, 0.3 * hiss)[beat % 4]
    return on_top(sound_N, drums_N[: len(sound_N)].astype(np.float32), level_db)


def spoken_over(sound_N: np.ndarray, level_db: float) -> np.ndarray:
    """A real narrator on top."""
    voice_N = known_sound(MEDIA / "videos" / "case_many_streams_nasa.mp4")
    return on_top(sound_N, np.resize(voice_N, len(sound_N)), level_db)


def equalised(sound_N: np.ndarray) -> np.ndarray:
    """10 dB less bass, 10 dB more treble."""
    hz_F = np.fft.rfftfreq(len(sound_N), 1 / RATE_HZ)
    gain_F = 10 ** (np.tanh(np.log2(hz_F.clip(20) / 800)) / 2)
    return np.fft.irfft(np.fft.rfft(sound_N) * gain_F, len(sound_N)).astype(np.float32)


def pitched(sound_N: np.ndarray, factor: float) -> np.ndarray:
    """Played faster, and so higher."""
    at = np.arange(0, len(sound_N) - 1, factor)
    return np.interp(at, np.arange(len(sound_N)), sound_N).astype(np.float32)


def cut(sound_N: np.ndarray, seconds: int | None = None) -> np.ndarray:
    """From 17.32 s on, `seconds` of it."""
    first = int(CUT_SECONDS * RATE_HZ)
    return sound_N[first:] if seconds is None else sound_N[first : first + seconds * RATE_HZ]


def on_top(sound_N: np.ndarray, other_N: np.ndarray, level_db: float) -> np.ndarray:
    """Both, the other so many dB louder (root mean square)."""
    ratio = np.sqrt(np.mean(sound_N**2) / np.mean(other_N**2))
    return sound_N + other_N * np.float32(ratio * 10 ** (level_db / 20))


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "MP3, 64 kbit/s": lambda s: coded(s, "libmp3lame", ".mp3", 64_000),
    "AAC, 32 kbit/s": lambda s: coded(s, "aac", ".m4a", 32_000),
    "Opus, 16 kbit/s": lambda s: coded(s, "libopus", ".ogg", 16_000),
    "cut (from 17.3 s on)": cut,
    "20 s cut out": lambda s: cut(s, 20),
    "30 dB softer": lambda s: s * np.float32(0.0316),
    "equaliser -10 to +10 dB": equalised,
    "white noise, 15 dB below": lambda s: noisy(s, 15),
    "white noise, 10 dB below": lambda s: noisy(s, 10),
    "speech on top, 6 dB below": lambda s: spoken_over(s, -6),
    "drums on top, 6 dB below": lambda s: drummed(s, -6),
    "drums on top, as loud": lambda s: drummed(s, 0),
    "cut, noise 15 dB, Opus 24 kbit/s": lambda s: coded(
        noisy(cut(s), 15), "libopus", ".ogg", 24_000
    ),
    "20 s, drums -6 dB, AAC 48 kbit/s": lambda s: coded(
        drummed(cut(s, 20), -6), "aac", ".m4a", 48_000
    ),
    "played 0.5% faster": lambda s: pitched(s, 1.005),
    "played 2% faster": lambda s: pitched(s, 1.02),
    "a semitone higher": lambda s: pitched(s, 2 ** (1 / 12)),
}


# --- pictures under other names


def videos() -> None:
    """Films encoded anew, made small and cut, with a picture every 0.2, 0.5 and 1.5 s."""
    films = [
        path for path in media_files("videos") if len(_picture_prints(path).picture_hash_K) > 99
    ]
    truth = SAME_PICTURES | {(film.name, film.name) for film in films}
    print(
        f"\nsame pictures, encoded anew: {len(films)} films longer than 20 s, against all of them"
    )
    print(f"  {'what was done':34} {'every':>5} {'found':>7} {'least share':>11} {'wrong':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, crf, start, change) in FILM_CHANGES.items():
            made = [_film_anew(p, Path(folder), suffix, crf, start, change) for p in films]
            for every in (Fraction(1, 5), Fraction(1, 2), Fraction(3, 2)):
                found, wrong, shares = 0, 0, []
                known = [_picture_prints(path, every) for path in films]
                for place, path in enumerate(made):
                    prints = _picture_prints(path, every)
                    matches = [
                        m
                        for m in find_same([*known, prints], [*map(str, films), "changed"])
                        if m.second == len(known)
                    ]
                    right = [m for m in matches if m.first == place]
                    found += bool(right)
                    wrong += sum(
                        tuple(sorted((films[m.first].name, films[place].name))) not in truth
                        for m in matches
                    )
                    seconds_K = prints.picture_seconds_K
                    shares += [m.shared_seconds / (seconds_K[-1] - seconds_K[0]) for m in right]
                least = f"{min(shares):.0%}" if shares else "-"
                row = f"  {name:34} {float(every):4.1f}s {found:3}/{len(films):<3} "
                print(f"{row} {least:>11} {wrong:6}", flush=True)


def cropped(picture_HW3: np.ndarray) -> np.ndarray:
    """A tenth of the height and of the width gone, half of it on each side."""
    return picture_HW3[7:-7, 12:-12]


def brightened(picture_HW3: np.ndarray) -> np.ndarray:
    """A fifth lighter and flatter."""
    return (50 + picture_HW3 * 0.8).astype(np.uint8)


def mirrored(picture_HW3: np.ndarray) -> np.ndarray:
    """Left for right."""
    return np.ascontiguousarray(picture_HW3[:, ::-1])


def _as_it_is(picture_HW3: np.ndarray) -> np.ndarray:
    return picture_HW3


#: All of them 240 x 136: suffix, quality, where they begin, and what else is done to a picture.
FILM_CHANGES: dict[str, tuple[str, int, Fraction, Callable[[np.ndarray], np.ndarray]]] = {
    "x264, quality 34": (".mp4", 34, Fraction(0), _as_it_is),
    "VP9, quality 45": (".webm", 45, Fraction(0), _as_it_is),
    "x264, quality 28, from 7.313 s on": (".mp4", 28, Fraction(7_313, 1_000), _as_it_is),
    "a fifth lighter and flatter": (".mp4", 28, Fraction(0), brightened),
    "a tenth cropped": (".mp4", 28, Fraction(0), cropped),
    "mirrored": (".mp4", 28, Fraction(0), mirrored),
}


def _film_anew(
    path: Path,
    folder: Path,
    suffix: str,
    crf: int,
    start: Fraction,
    change: Callable[[np.ndarray], np.ndarray],
) -> Path:
    """The film's first 45 s from `start` on, at 12 pictures a second."""
    made = folder / f"{path.stem} {crf} {change.__name__}{suffix}"
    times = [start + Fraction(k, 12) for k in range(45 * 12)]
    height, width, _ = change(np.zeros((136, 240, 3), np.uint8)).shape
    with FilmWriter(made, width, height, Fraction(12), crf=crf) as film:
        for _, picture in frames_at(path, times, Fit(136, 240)):
            film.write(np.ascontiguousarray(change(picture)))
    return made


# --- songs of the same instruments


def made() -> None:
    """Songs made here share samples and, half of them, the tempo: none is another's."""
    from soundreel.synthetic.genres import GENRES
    from soundreel.synthetic.songs import compose

    prints = []
    for genre, style in GENRES.items():
        for seed in range(12):
            bpm = None if seed < 6 else float(np.mean(style.tempo_bpm))
            song = compose(100 + seed, 60, genre, 22_050, bpm)
            prints.append(Prints(*_print_of(song.sound.mean(0), 22_050), *NO_PICTURES))
    count = len(prints)
    matches = find_same(prints, list(map(str, range(count))))
    print(f"\n{count} songs made here: {len(matches)} of {count * (count - 1) // 2} pairs tied")
    for seconds in (5, 8, 12, 20):
        wrong = sum(_wrong_of_parts(prints, start, seconds) for start in (5, 20, 35))
        pairs = 3 * count * (count - 1) * 3 // 2
        print(f"  {seconds:2} s of each, and all of each: {wrong} of {pairs} pairs tied wrongly")


def _wrong_of_parts(prints: list[Prints], start_seconds: int, seconds: int) -> int:
    """Ties of a part of one song to another song, or to a part of it."""
    parts = []
    for whole in prints:
        hop_H = whole.sound_time_N - int(start_seconds / HOP_SECONDS)
        inside_H = (hop_H >= 0) & (hop_H * HOP_SECONDS < seconds)
        parts.append(Prints(whole.sound_hash_N[inside_H], hop_H[inside_H], *NO_PICTURES))
    matches = find_same([*prints, *parts], list(map(str, range(2 * len(prints)))))
    count = len(prints)
    return sum(m.second >= count and m.first % count != m.second % count for m in matches)


# --- ten thousand clips


def many() -> None:
    """10,000 clips of made-up hashes, as frequent as real ones; 20 shared stretches planted."""
    hashes = np.concatenate([_sound_prints(path).sound_hash_N for path in media_files("songs")])
    parts = [hashes >> 14, (hashes >> 6) & 255, hashes & 63]
    rng = np.random.default_rng(0)
    clips = []
    for _ in range(10_000):
        count = 7_000  # of 200 s
        hash_H = (rng.choice(parts[0], count) << 14) | (rng.choice(parts[1], count) << 6)
        hash_H |= rng.choice(parts[2], count)
        time_H = np.sort(rng.integers(0, 6_250, count)).astype(np.int32)
        shots_K = rng.integers(0, 2**64, 60, np.uint64).repeat(15)
        clips.append(Prints(hash_H.astype(np.uint32), time_H, shots_K, np.arange(900) / 5 + 0.0))
    planted = []
    for n in range(20):
        first, second = 2 * n, 9_999 - 3 * n
        source, target = clips[first], clips[second]
        stretch = slice(3_000, 3_000 + 1_400)  # 40 s of it ...
        kept = np.flatnonzero(rng.random(1_400) < 0.2) + stretch.start  # ... a fifth of the hashes
        target.sound_hash_N[kept] = source.sound_hash_N[kept]
        target.sound_time_N[kept] = source.sound_time_N[kept]
        planted.append((first, second))
    began = time.perf_counter()
    matches = find_same(clips, list(map(str, range(len(clips)))))
    taken = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    found = {(m.first, m.second) for m in matches if m.what == "same song"}
    hashes = sum(len(clip.sound_hash_N) for clip in clips)
    right = len(found & set(planted))
    print(f"\n10,000 clips, {hashes:,} hashes: {taken:.0f} s, peak {peak:.1f} GB")
    print(f"  {right} of {len(planted)} planted songs found, {len(found) - right} wrong")
    print(f"  {sum(m.what == 'same pictures' for m in matches)} wrong of pictures")


# --- the media


def need_media() -> None:
    """Ends the program in one line where the test media are not."""
    if not MEDIA.is_dir():
        sys.exit(f"{MEDIA}: the test media are not there; SOUNDREEL_MEDIA may say where they are")


def media_files(*folders: str) -> list[Path]:
    """The songs and videos, or what is in the given folders of the media."""
    return [
        path
        for folder in (folders or ("songs", "videos"))
        for path in sorted((MEDIA / folder).iterdir())
    ]


@cache
def _sound(path: Path) -> np.ndarray | None:
    try:
        return read_sound(path, RATE_HZ, "mono")
    except MediaError:
        return None


def known_sound(path: Path) -> np.ndarray:
    """A file's sound, mixed to one channel, at 44,100 Hz."""
    sound_N = _sound(path)
    assert sound_N is not None
    return sound_N


@cache
def _sound_prints(path: Path) -> Prints:
    return Prints(*_print_of(known_sound(path)), *NO_PICTURES)


def _print_of(sound_N: np.ndarray, rate_hz: int = RATE_HZ) -> tuple[np.ndarray, np.ndarray]:
    found = fingerprint(sound_N, rate_hz)
    return found.hash_H, found.time_H


@cache
def _picture_prints(path: Path, every_seconds: Fraction = Fraction(1, 5)) -> Prints:
    """Pictures of the first 90 s without their bars, as `prepare` sees them."""
    try:
        looked_at = [Fraction(3 * k + 1) for k in range(20)]
        bars = letterbox(picture for _, picture in frames_at(path, looked_at, Fit(180, 320)))
        count = int(90 / every_seconds)
        times = [k * every_seconds for k in range(count)]
        seconds, hashes = [], []
        for k, picture in frames_at(path, times, Fit(128, 128, crop=bars)):
            hash_1, is_valid_1 = picture_hashes(picture[None])
            if is_valid_1[0]:
                hashes.append(hash_1[0])
                seconds.append(float(times[k]))
    except MediaError:
        return Prints(*NO_SOUND, *NO_PICTURES)
    return Prints(*NO_SOUND, np.array(hashes, np.uint64), np.array(seconds))


PARTS = {part.__name__: part for part in (media, songs, videos, made, many)}


def main(names: Sequence[str]) -> None:
    """Measure the named parts, or all but `many`."""
    need_media()
    for name in names or [name for name in PARTS if name != "many"]:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
