"""Songs made here: tempo with drift, sections, a key, chords, drums, bass, pad, lead.

A song is a pure function of (seed, seconds, genre, sample rate), so a corpus can be made again
anywhere, and its beats, bars and sections are known exactly: they are what it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from soundreel.errors import SettingsError
from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.arrangement import Band
from soundreel.synthetic.genres import ENERGIES, GENRES
from soundreel.synthetic.mixing import master
from soundreel.timeline import nearest_sample

#: What may follow what.
_NEXT_SECTIONS = {
    "intro": ("verse",),
    "verse": ("chorus", "chorus", "chorus", "break"),
    "chorus": ("verse", "break"),
    "break": ("chorus", "chorus", "verse"),
}
_NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class SyntheticSong:
    """A song and everything known about it.

    sound: float32 [2, n] in (-1, 1), n = seconds x sample_rate_hz.
    beat_times_seconds, bpm_at_beats: float64, one each for every beat within the song.
    bar_times_seconds: the first beat of every bar (4 beats each).
    sections: (start, stop, name) in seconds, covering the song without gaps; names are intro,
        verse, chorus, break, outro.
    """

    seed: int
    genre: str
    key: str
    sound: np.ndarray
    sample_rate_hz: int
    beat_times_seconds: np.ndarray
    bpm_at_beats: np.ndarray
    bar_times_seconds: np.ndarray
    sections: tuple[tuple[float, float, str], ...]

    @property
    def seconds(self) -> float:
        """Length of the song."""
        return self.sound.shape[1] / self.sample_rate_hz


def compose(
    seed: int,
    seconds: float,
    genre: str | None = None,
    sample_rate_hz: int = 44_100,
    tempo_bpm: float | None = None,
) -> SyntheticSong:
    """Compose and record a song; the same arguments give the same samples.

    genre: one of `genres.GENRES`, or None to let the seed choose.
    tempo_bpm: None draws one within the genre's range; either way it drifts by about 1%.

    Raises: SettingsError for an unknown genre, or a length or sample rate out of range.
    """
    if genre is not None and genre not in GENRES:
        raise SettingsError(f"genre {genre!r} is unknown: choose one of {', '.join(GENRES)}")
    if not 1 <= seconds <= 3600:
        raise SettingsError(f"seconds = {seconds}: a song made here lasts from 1 s to 3600 s")
    if not 16_000 <= sample_rate_hz <= 96_000:
        raise SettingsError(f"sample_rate_hz = {sample_rate_hz}: choose from 16000 to 96000")
    form = numpy_generator_for(seed, "song/form")
    name = genre or str(form.choice(list(GENRES)))
    style = GENRES[name]
    low_bpm, high_bpm = style.tempo_bpm
    drawn_bpm = float(form.uniform(low_bpm, high_bpm))
    beats, bpm = _beats(drawn_bpm if tempo_bpm is None else tempo_bpm, seconds, seed)
    plan = _plan(len(beats) // 4 - 1, 240 / float(np.mean(bpm)), form)
    root = int(form.integers(0, 12))
    samples = nearest_sample(Fraction(seconds), sample_rate_hz)
    band = Band(style, root, beats, samples, sample_rate_hz, seed)
    for first_bar, stop_bar, section in plan:
        band.play(first_bar, stop_bar, section)
    mix = band.mix() * _gain(plan, beats, samples, sample_rate_hz, seed)
    sound = master(_edges(mix, sample_rate_hz), style.loudness_dbfs)
    inside = beats < seconds
    return SyntheticSong(
        seed=seed,
        genre=name,
        key=f"{_NOTE_NAMES[root]} {'minor' if style.minor else 'major'}",
        sound=sound,
        sample_rate_hz=sample_rate_hz,
        beat_times_seconds=beats[inside],
        bpm_at_beats=bpm[inside],
        bar_times_seconds=beats[inside][::4],
        sections=_section_times(plan, beats, seconds),
    )


def _beats(tempo_bpm: float, seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Beat times past the song's end by a few bars, and the tempo at each; a slow drift of 1%."""
    rng = numpy_generator_for(seed, "song/tempo")
    about = tempo_bpm * seconds / 60
    count = 25 + int(1.1 * about)
    swell = 0.008 * np.sin(2 * np.pi * (np.arange(count) / rng.uniform(48, 96) + rng.random()))
    wander = np.zeros(count)
    steps = rng.standard_normal(count) * 0.0015
    for k in range(1, count):
        wander[k] = 0.97 * wander[k - 1] + steps[k]
    bpm = tempo_bpm * np.exp(swell + np.clip(wander, -0.012, 0.012))
    # The first beat comes a little late, so that beats of different songs are out of step.
    first = rng.uniform(0.02, 0.5)
    return first + np.concatenate(([0.0], np.cumsum(60 / bpm[:-1]))), bpm


def _plan(bars: int, bar_seconds: float, rng: np.random.Generator) -> list[tuple[int, int, str]]:
    """The song's form: (first bar, stop bar, section), each section some 7 to 11 seconds."""
    unit = max(2, 2 * round(8.5 / bar_seconds / 2))
    plan: list[tuple[int, int, str]] = []
    bar, section = 0, "intro"
    while bar < bars:
        length = max(2, unit // 2) if section in ("intro", "break") else unit
        plan.append((bar, bar + length, section))
        bar += length
        section = str(rng.choice(_NEXT_SECTIONS[section]))
    first, stop, last = plan[-1]
    if len(plan) > 3 and last != "break":
        plan[-1] = (first, stop, "outro")
    return plan


def _section_times(
    plan: list[tuple[int, int, str]], beats: np.ndarray, seconds: float
) -> tuple[tuple[float, float, str], ...]:
    times = []
    for first_bar, stop_bar, section in plan:
        start = 0.0 if first_bar == 0 else float(beats[4 * first_bar])
        stop = float(beats[4 * stop_bar]) if 4 * stop_bar < len(beats) else seconds
        if start < seconds:
            times.append((start, min(stop, seconds), section))
    start, _, section = times[-1]
    times[-1] = (start, seconds, section)
    return tuple(times)


def _gain(
    plan: list[tuple[int, int, str]], beats: np.ndarray, samples: int, rate: int, seed: int
) -> np.ndarray:
    """The fader: every section at its own level, and a drift of about 2 dB over some 4 seconds."""
    points_per_second = 20
    count = samples * points_per_second // rate + 2
    times = np.arange(count) / points_per_second
    level = np.full(count, ENERGIES[plan[0][2]].gain_db)
    for first_bar, _, section in plan:
        level[times >= beats[4 * first_bar] - 0.03] = ENERGIES[section].gain_db
    kernel = np.hanning(7)[1:-1]
    level = np.convolve(np.pad(level, 2, mode="edge"), kernel / kernel.sum(), "valid")
    level = level + 2.0 * drift(count, 4.0 * points_per_second, numpy_generator_for(seed, "fader"))
    gain = 10 ** (np.interp(np.arange(samples) / rate, times, level) / 20)
    return gain.astype(np.float32)


def drift(count: int, correlation_samples: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random curve [count] of unit variance: two AR(1) in a row of this time constant."""
    share = np.exp(-2 / max(2.0, correlation_samples))
    lead_in = int(4 * correlation_samples) + 1
    noise = rng.standard_normal(count + lead_in)
    first = second = 0.0
    out = np.empty(count + lead_in)
    for k, shock in enumerate(noise):
        first = share * first + shock
        second = share * second + (1 - share) * first
        out[k] = second
    # Variance of two equal AR(1) in a row: (1 + p^2) / (1 - p^2)^3 times the input's.
    scale = (1 - share) * np.sqrt((1 + share**2) / (1 - share**2) ** 3)
    return out[lead_in:] / scale


def _edges(sound: np.ndarray, rate: int) -> np.ndarray:
    """No click at either end."""
    ramp_samples = min(sound.shape[1] // 4, nearest_sample(Fraction(15, 1000), rate))
    ramp = np.linspace(0, 1, ramp_samples, dtype=np.float32)
    sound = sound.copy()
    sound[:, :ramp_samples] *= ramp
    sound[:, -ramp_samples:] *= ramp[::-1]
    return sound
