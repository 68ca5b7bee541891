"""Splitting a sound into parts that add up to it: harmonic and percussive, low, mid and high.

Each part is the sound's short-time spectrum times a mask between 0 and 1; the last one of a
split is what the others leave. Long sounds go through in blocks: memory holds the sound, its
parts and some 50 MB.

Shapes: N samples, T transforms, F frequencies, L samples in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce

import numpy as np

from soundreel.seeding import numpy_generator_for

#: About 93 ms, a power of two: the length at which chords are lines and drums are columns.
_SEGMENT_SECONDS = 0.093
_HOPS_A_SEGMENT = 4
_TRANSFORMS_AT_A_TIME = 512
#: Medians are over this many values either side and the one itself: 33 (a power of two and 1
#: makes them cheap), which is .77 s of time and 355 Hz.
_MEDIAN_HALF = 16
_MEDIAN_AT_ONCE = 2**14  # values; the 16 runs of so many stay in a core's cache
_CROSSOVER_OCTAVES = 0.5
#: Random parts are made of blots about so large.
_BLOT_SECONDS, _BLOT_OCTAVES, _LOWEST_BLOT_HZ = 1.0, 1.0, 32.0
_BLOT_EDGE = 0.3  # in standard deviations of the field that they are cut from
_FIELD_BINS, _FIELD_LIMIT = 1_200, 6.0

#: From magnitudes, with `margin` more transforms before and after, and the number of the first
#: transform, to masks T x F (or 1 x F).
_Masks = Callable[[np.ndarray, int], Sequence[np.ndarray]]


def harmonic_percussive(sound_N: np.ndarray, sample_rate_hz: int) -> dict[str, np.ndarray]:
    """What sounds on, and what strikes: "harmonic" and "percussive", which sum to the sound.

    A magnitude is compared with the medians of its neighbours in time, H, and in frequency, P;
    the harmonic mask is H^2 / (H^2 + P^2). Source: D. Fitzgerald, "Harmonic/percussive
    separation using median filtering", DAFx 2010.

    Shape: N, float in [-1, 1] -> N each, float32.

    Raises: ValueError if the sound is not one-dimensional.
    """
    sound_N = _one_channel(sound_N)

    def masks(magnitude_TF: np.ndarray, _: int) -> list[np.ndarray]:
        half = _MEDIAN_HALF
        steady_TF = running_median(magnitude_TF, half)
        inner_TF = magnitude_TF[half:-half]
        wide_FT = np.pad(inner_TF.T, ((half, half), (0, 0)), mode="symmetric")
        struck_TF = running_median(wide_FT, half).T
        steady_TF *= steady_TF
        struck_TF = np.square(struck_TF, order="C")
        struck_TF += steady_TF + np.float32(1e-30)
        return [np.divide(steady_TF, struck_TF, out=steady_TF)]

    (harmonic_N,) = _masked(sound_N, sample_rate_hz, masks, 1, margin=_MEDIAN_HALF)
    return {"harmonic": harmonic_N, "percussive": sound_N - harmonic_N}


def band_split(
    sound_N: np.ndarray, sample_rate_hz: int, edges_hz: tuple[float, float] = (200.0, 2_000.0)
) -> dict[str, np.ndarray]:
    """Three bands of frequency, "low", "mid" and "high", which sum to the sound.

    One fades into the next over half an octave, half and half at the edge, without delay.

    Shape: N, float in [-1, 1] -> N each, float32.

    Raises: ValueError if the sound is not one-dimensional, or the edges do not ascend within
    (0, half the rate).
    """
    sound_N = _one_channel(sound_N)
    low_edge, high_edge = edges_hz
    if not 0 < low_edge < high_edge < sample_rate_hz / 2:
        raise ValueError(f"edges_hz = {edges_hz}: must ascend within (0, {sample_rate_hz / 2:g})")
    frequency_hz_F = _frequencies(sample_rate_hz).clip(1e-3)

    def above(edge_hz: float) -> np.ndarray:
        octaves_F = np.log2(frequency_hz_F / edge_hz) / _CROSSOVER_OCTAVES
        return (0.5 + 0.5 * np.sin(np.pi * octaves_F.clip(-0.5, 0.5))).astype(np.float32)[None]

    masks = [1 - above(low_edge), above(high_edge)]
    low_N, high_N = _masked(sound_N, sample_rate_hz, lambda *_: masks, 2)
    return {"low": low_N, "mid": sound_N - low_N - high_N, "high": high_N}


def sound_parts(
    sound_N: np.ndarray, sample_rate_hz: int, stems: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """The parts of a sound: "harmonic", "percussive", "low", "mid", "high", and its stems.

    stems: tracks that were mixed into the sound (such as "drums" or "voice"), by name, at the
      same rate; what one lacks at the end is silence, what it has more is cut off.

    Shape: N, float in [-1, 1] -> N each, float32. The first two sum to the sound, and so do the
    next three.

    Raises: ValueError if a sound is not one-dimensional, or a stem has the name of another part.
    """
    parts = harmonic_percussive(sound_N, sample_rate_hz) | band_split(sound_N, sample_rate_hz)
    for name, stem_N in (stems or {}).items():
        if name in parts:
            raise ValueError(f"a stem is called {name!r}, as another part is: give it another name")
        part_N = np.zeros(len(sound_N), np.float32)
        heard_N = _one_channel(stem_N)[: len(part_N)]
        part_N[: len(heard_N)] = heard_N
        parts[name] = part_N
    return parts


def energy_share(part_N: np.ndarray, sound_N: np.ndarray) -> float:
    """The energy of a part over that of the sound, at most 1; 0 where there is silence."""
    energy, whole = (float(np.vdot(x_N, x_N)) for x_N in (part_N, sound_N))
    return min(1.0, energy / whole) if whole > 0 else 0.0


def random_part(
    sound_N: np.ndarray, sample_rate_hz: int, removed_energy_share: float, seed: int
) -> np.ndarray:
    """A part of no meaning: smooth random blots of the sound's spectrum with a share of its energy.

    To mute it is the control of muting a part with that share (see `energy_share`). The blots
    are about a second long and an octave high, and cover the more the larger the share.

    removed_energy_share: from 0 (silence) to 1 (the sound itself); met to a few hundredths
      of itself.

    Shape: N, float in [-1, 1] -> N, float32. The same seed gives the same part.

    Raises: ValueError if the share is outside [0, 1], or the sound is not one-dimensional.
    """
    return random_parts(sound_N, sample_rate_hz, [removed_energy_share], seed)[0]


def random_parts(
    sound_N: np.ndarray, sample_rate_hz: int, shares: Sequence[float], seed: int
) -> list[np.ndarray]:
    """`random_part` for several shares: the same blots, larger or smaller, in one go."""
    sound_N = _one_channel(sound_N)
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"energy shares of {list(shares)}: each must be from 0 to 1")
    field = _field(len(sound_N), sample_rate_hz, seed)
    energy_K = np.zeros(_FIELD_BINS)
    middle_K = ((np.arange(_FIELD_BINS) + 0.5) / _FIELD_BINS * 2 - 1) * _FIELD_LIMIT
    for first, spectrum_TF in _spectra(sound_N, sample_rate_hz):
        power_TF = np.square(np.abs(spectrum_TF))
        place_TF = (field(first, len(power_TF)) + _FIELD_LIMIT) * (_FIELD_BINS / 2 / _FIELD_LIMIT)
        bin_TF = place_TF.astype(np.int32).clip(0, _FIELD_BINS - 1)
        energy_K += np.bincount(bin_TF.ravel(), power_TF.ravel(), _FIELD_BINS)
    levels = [_level_for(share, energy_K, middle_K) for share in shares]

    def masks(magnitude_TF: np.ndarray, first: int) -> list[np.ndarray]:
        field_TF = field(first, len(magnitude_TF))
        return [_blots(field_TF, level) for level in levels]

    return _masked(sound_N, sample_rate_hz, masks, len(levels))


def running_median(padded_TF: np.ndarray, half: int) -> np.ndarray:
    """The median of each value and its `half` neighbours before and after, along the first axis.

    padded_TF: (T + 2 half) x F, float32. half: a power of two.

    Sorted runs of 2, 4, ... `half` neighbours are merged from two runs half as long that lie
    side by side; windows share them. From the runs before and after a value the two middle ones
    of all their values are taken, and of these and the value itself the middle one.

    Shape: -> T x F, float32, equal to a sort's.
    """
    rows, columns = padded_TF.shape
    median_TF = np.empty((rows - 2 * half, columns), np.float32)
    width = max(1, _MEDIAN_AT_ONCE // rows)
    for first in range(0, columns, width):
        block_TF = np.ascontiguousarray(padded_TF[:, first : first + width], np.float32)
        median_TF[:, first : first + width] = _medians(block_TF, half)
    return median_TF


def _medians(x_TF: np.ndarray, half: int) -> np.ndarray:
    run, length = [x_TF], 1
    while length < half:
        run = _merged([r_TF[:-length] for r_TF in run], [r_TF[length:] for r_TF in run])
        length *= 2
    count = len(x_TF) - 2 * half
    before = [r_TF[:count] for r_TF in run]
    after = [r_TF[half + 1 : half + 1 + count] for r_TF in reversed(run)]
    pairs = list(zip(before, after, strict=True))
    lower_TF = reduce(np.maximum, (np.minimum(a, b) for a, b in pairs))
    upper_TF = reduce(np.minimum, (np.maximum(a, b) for a, b in pairs))
    return np.maximum(lower_TF, np.minimum(upper_TF, x_TF[half : half + count]))


def _merged(a: list[np.ndarray], b: list[np.ndarray]) -> list[np.ndarray]:
    """Two sorted lists as one (K. Batcher, "Sorting networks and their applications", 1968)."""
    if len(a) == 1:
        return [np.minimum(a[0], b[0]), np.maximum(a[0], b[0])]
    even, odd = _merged(a[::2], b[::2]), _merged(a[1::2], b[1::2])
    inner = [
        side
        for e, o in zip(even[1:], odd[:-1], strict=True)
        for side in (np.minimum(e, o), np.maximum(e, o))
    ]
    return [even[0], *inner, odd[-1]]


def _field(samples: int, sample_rate_hz: int, seed: int) -> Callable[[int, int], np.ndarray]:
    """A smooth random field over transforms and frequencies, standard normal at every place.

    Called with the first transform and their number: -> T x F, float32.
    """
    _, hop = _lengths(sample_rate_hz)
    frequency_hz_F = _frequencies(sample_rate_hz).clip(_LOWEST_BLOT_HZ)
    row_F = np.log2(frequency_hz_F / _LOWEST_BLOT_HZ) / _BLOT_OCTAVES
    between_RF = _between(row_F, int(row_F[-1]) + 2)
    transforms_a_blot = _BLOT_SECONDS * sample_rate_hz / hop
    columns = int(_transforms(samples, hop) / transforms_a_blot) + 2
    rng = numpy_generator_for(seed, "random part of a sound")
    knot_CF = rng.standard_normal((columns, len(between_RF))).astype(np.float32) @ between_RF

    def field(first: int, count: int) -> np.ndarray:
        place_T = np.arange(first, first + count) / transforms_a_blot
        start = int(place_T[0])
        stop = min(columns, int(place_T[-1]) + 2)
        return _between(place_T - start, stop - start).T @ knot_CF[start:stop]

    return field


def _between(place_X: np.ndarray, knots: int) -> np.ndarray:
    """Weights that interpolate between knots 0, 1, ...: K x X; their squares sum to 1."""
    weight_KX = (1 - np.abs(place_X - np.arange(knots)[:, None])).clip(0)
    return (weight_KX / np.linalg.norm(weight_KX, axis=0)).astype(np.float32)


def _blots(field_TF: np.ndarray, level: float) -> np.ndarray:
    """1 where the field is well above the level, 0 where well below."""
    return 0.5 + 0.5 * np.tanh((field_TF - np.float32(level)) / np.float32(2 * _BLOT_EDGE))


def _level_for(share: float, energy_K: np.ndarray, middle_K: np.ndarray) -> float:
    """The level above which that share of the energy lies; by halving."""
    if share in (0, 1):
        return np.inf if share == 0 else -np.inf
    low, high = -2 * _FIELD_LIMIT, 2 * _FIELD_LIMIT
    for _ in range(40):
        level = (low + high) / 2
        enough = _blots(middle_K, level) ** 2 @ energy_K > share * energy_K.sum()
        low, high = (level, high) if enough else (low, level)
    return low


def _masked(
    sound_N: np.ndarray, sample_rate_hz: int, masks: _Masks, parts: int, margin: int = 0
) -> list[np.ndarray]:
    """The sounds of masked spectra, the same wherever the blocks of transforms are cut."""
    length, hop = _lengths(sample_rate_hz)
    taper_L = _taper(length)
    made = np.zeros((parts, _transforms(len(sound_N), hop) + _HOPS_A_SEGMENT - 1, hop), np.float32)
    for first, spectrum_TF in _spectra(sound_N, sample_rate_hz):
        magnitude_TF = _magnitudes(sound_N, sample_rate_hz, first, spectrum_TF, margin)
        for part, mask_TF in enumerate(masks(magnitude_TF, first)):
            segment_TL = np.fft.irfft(spectrum_TF * mask_TF, length) * taper_L
            hops_TJL = segment_TL.reshape(len(segment_TL), _HOPS_A_SEGMENT, hop)
            for j in range(_HOPS_A_SEGMENT):
                made[part, first + j : first + j + len(hops_TJL)] += hops_TJL[:, j]
    lead = length - hop
    return [one.reshape(-1)[lead : lead + len(sound_N)] for one in made]


def _magnitudes(
    sound_N: np.ndarray, sample_rate_hz: int, first: int, spectrum_TF: np.ndarray, margin: int
) -> np.ndarray:
    """Of a block of spectra and of the `margin` ones around it, mirrored at the sound's ends."""
    if margin == 0:
        return np.abs(spectrum_TF)
    _, hop = _lengths(sample_rate_hz)
    last = _transforms(len(sound_N), hop)
    start, stop = max(0, first - margin), min(last, first + len(spectrum_TF) + margin)
    outside = (first - margin, first + len(spectrum_TF) + margin)
    around = [
        _transformed(sound_N, sample_rate_hz, start, first),
        spectrum_TF,
        _transformed(sound_N, sample_rate_hz, first + len(spectrum_TF), stop),
    ]
    magnitude_TF = np.concatenate([np.abs(x_TF) for x_TF in around])
    missing = (start - outside[0], outside[1] - stop)
    return np.pad(magnitude_TF, (missing, (0, 0)), mode="symmetric")


def _spectra(sound_N: np.ndarray, sample_rate_hz: int) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of the sound's transforms with the number of the first: T x F, complex64."""
    _, hop = _lengths(sample_rate_hz)
    count = _transforms(len(sound_N), hop)
    for first in range(0, count, _TRANSFORMS_AT_A_TIME):
        stop = min(count, first + _TRANSFORMS_AT_A_TIME)
        yield first, _transformed(sound_N, sample_rate_hz, first, stop)


def _transformed(sound_N: np.ndarray, sample_rate_hz: int, first: int, stop: int) -> np.ndarray:
    """Transform k holds the samples [(k - 3) hop, (k + 1) hop), silence outside the sound."""
    length, hop = _lengths(sample_rate_hz)
    start = (first - _HOPS_A_SEGMENT + 1) * hop
    stretch = np.zeros((stop - first + _HOPS_A_SEGMENT - 1) * hop, np.float32)
    inside = sound_N[max(0, start) : max(0, start + len(stretch))]
    stretch[max(0, -start) : max(0, -start) + len(inside)] = inside
    if stop <= first:
        return np.empty((0, length // 2 + 1), np.complex64)
    segment_TL = np.lib.stride_tricks.sliding_window_view(stretch, length)[::hop]
    return np.fft.rfft(segment_TL * _taper(length)).astype(np.complex64, copy=False)


def _lengths(sample_rate_hz: int) -> tuple[int, int]:
    """Samples in a segment, and from one to the next."""
    length = 2 ** round(np.log2(sample_rate_hz * _SEGMENT_SECONDS))
    return length, length // _HOPS_A_SEGMENT


def _transforms(samples: int, hop: int) -> int:
    """How many there are, so that each sample lies in as many as any other."""
    return -(-samples // hop) + _HOPS_A_SEGMENT - 1


def _taper(length: int) -> np.ndarray:
    """The root of a Hann window, before and after; where segments overlap it makes 1."""
    hann_L = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return np.sqrt(hann_L / (_HOPS_A_SEGMENT / 2)).astype(np.float32)


def _frequencies(sample_rate_hz: int) -> np.ndarray:
    return np.fft.rfftfreq(_lengths(sample_rate_hz)[0], 1 / sample_rate_hz)


def _one_channel(sound_N: np.ndarray) -> np.ndarray:
    sound_N = np.asarray(sound_N, np.float32)
    if sound_N.ndim != 1:
        raise ValueError(f"a sound of shape {sound_N.shape}: one channel, so N samples")
    return sound_N
