"""Windows in which someone speaks and nothing plays.

No model, and so careful: a stretch is speech only if everything below says so, for 4 s and more.
After J. Saunders, "Real-time discrimination of broadcast speech/music", ICASSP 1996, and
E. Scheirer and M. Slaney, "Construction and evaluation of a robust multifeature speech/music
discriminator", ICASSP 1997: speech falls silent between its syllables, changes between voice
and hiss, and its voice glides where notes are held. How often it is wrong: docs/sameness.md.

Shapes: N samples at 8 kHz, T frames 16 ms apart, S stretches of 3 s, K windows.
"""

from __future__ import annotations

import numpy as np

from soundreel.sound.fingerprint import resampled

_RATE_HZ = 8_000
#: Stretches of 3 s, one every half second; so many in a row must be speech for each to be.
_STRETCH_SAMPLES, _STEP_SAMPLES = 24_000, 4_000
_IN_A_ROW = 3
#: Between such rows, up to so many that are in doubt are speech too.
_HOLE = 4
_HOP_SAMPLES, _FRAME_SAMPLES, _PITCH_SAMPLES = 128, 256, 400
#: Whole frames of a stretch, of the longer kind.
_STRETCH_FRAMES = (_STRETCH_SAMPLES - _PITCH_SAMPLES) // _HOP_SAMPLES + 1
#: Stretches looked at together: what bounds memory.
_TILE = 128

#: Nobody speaks where the loudest frame is below this (dB re full scale).
_AUDIBLE_DB = -55.0
#: Share of frames below half the mean amplitude (Saunders): speech .25 to .6, dense music below.
_LEAST_LOW_SHARE = 0.27
#: From the 10th to the 90th percentile of the frames' levels: what plays on in the pauses, if
#: anything, lies so far below the voice.
_LEAST_RANGE_DB = 17.0
#: Below 70 Hz no voice has anything: drums and basses do (dB re all).
_BASS_HZ, _MOST_BASS_DB = 70.0, -20.0
#: Share of the loud frames (within 25 dB of the loudest) that have a pitch of 70 to 400 Hz.
_LEAST_VOICED = 0.35
_LEAST_PERIODICITY = 0.75
#: How far the pitch moves in 32 ms: the median in cents, and the share that stays within 12.
_LEAST_GLIDE_CENTS, _HELD_CENTS, _MOST_HELD = 24.0, 12.0, 0.28
#: Farther than this it has not moved, it was heard wrong or is another's.
_JUMP_CENTS = 300.0
#: Standard deviation of the level above 2 kHz re that of 100 Hz to 1 kHz, over frames within
#: 35 dB of the loudest: from vowels to hisses and back.
_LEAST_SPREAD_DB = 6.0


def speech_only(
    sound_N: np.ndarray, sample_rate_hz: int, end_samples_K: np.ndarray, window_samples: int
) -> np.ndarray:
    """Whether someone speaks and nothing plays in each window [end - window_samples, end).

    sound_N: float, full scale 1. end_samples_K: int64, in any order.

    Shape: K, bool. A window is judged by the 3 s around its middle and by what is beside them:
    about 4 s of nothing but speech are needed, so in a shorter sound there is none. Pauses
    longer than that are silence. Music at least some 17 dB fainter than the voice goes unnoticed.
    """
    is_speech_S = _in_a_row(_speech(resampled(np.asarray(sound_N, np.float32), sample_rate_hz)))
    end_samples_K = np.asarray(end_samples_K, np.int64)
    if not is_speech_S.any():
        return np.zeros(len(end_samples_K), bool)
    middle_K = (2 * end_samples_K - window_samples) * _RATE_HZ // (2 * sample_rate_hz)
    stretch_K = (middle_K - _STRETCH_SAMPLES // 2 + _STEP_SAMPLES // 2) // _STEP_SAMPLES
    return is_speech_S[stretch_K.clip(0, len(is_speech_S) - 1)]


def _in_a_row(is_speech_S: np.ndarray) -> np.ndarray:
    """Those that stand in a row of enough, and the short holes between such rows."""
    edges = np.flatnonzero(np.diff(is_speech_S, prepend=False, append=False)).reshape(-1, 2)
    in_row_S = np.zeros(len(is_speech_S), bool)
    last_stop = -_HOLE - 1
    for start, stop in edges[edges[:, 1] - edges[:, 0] >= _IN_A_ROW].tolist():
        in_row_S[last_stop if start - last_stop <= _HOLE else start : stop] = True
        last_stop = stop
    return in_row_S


def _speech(sound_N: np.ndarray) -> np.ndarray:
    count = max(0, (len(sound_N) - _STRETCH_SAMPLES) // _STEP_SAMPLES + 1)
    found = [np.zeros(0, bool)]
    for first in range(0, count, _TILE):
        start = first * _STEP_SAMPLES
        stop = (min(first + _TILE, count) - 1) * _STEP_SAMPLES + _STRETCH_SAMPLES
        found.append(_speech_of_tile(sound_N[start:stop]))
    return np.concatenate(found)


def _speech_of_tile(sound_N: np.ndarray) -> np.ndarray:
    amplitude_T, balance_db_T = _levels(sound_N)
    found = []
    for start in range(0, len(sound_N) - _STRETCH_SAMPLES + 1, _STEP_SAMPLES):
        first = start // _HOP_SAMPLES
        amplitudes = amplitude_T[first : first + _STRETCH_FRAMES]
        # The cheapest first: most music is told by its levels.
        found.append(
            _falls_silent(amplitudes, balance_db_T[first : first + _STRETCH_FRAMES])
            and _has_no_bass(sound_N[start : start + _STRETCH_SAMPLES])
            and _has_a_gliding_voice(sound_N[start : start + _STRETCH_SAMPLES], amplitudes)
        )
    return np.array(found)


def _falls_silent(amplitude_T: np.ndarray, balance_db_T: np.ndarray) -> bool:
    """Pauses between syllables; and voice and hiss by turns."""
    level_T = _decibels(amplitude_T)
    loud_T = level_T > level_T.max() - 35
    low, high = np.percentile(level_T, [10, 90])
    return bool(
        level_T.max() > _AUDIBLE_DB
        and (amplitude_T < amplitude_T.mean() / 2).mean() >= _LEAST_LOW_SHARE
        and high - low >= _LEAST_RANGE_DB
        and balance_db_T[loud_T].std() >= _LEAST_SPREAD_DB
    )


def _has_a_gliding_voice(sound_N: np.ndarray, amplitude_T: np.ndarray) -> bool:
    period_T, periodicity_T = _pitch(sound_N)
    level_T = _decibels(amplitude_T)
    loud_T = level_T > level_T.max() - 25
    voiced_T = (periodicity_T > _LEAST_PERIODICITY) & loud_T
    moved_cents_T = 1200 * np.abs(np.log2(period_T[2:] / period_T[:-2]))
    followed_T = voiced_T[2:] & voiced_T[1:-1] & voiced_T[:-2] & (moved_cents_T < _JUMP_CENTS)
    moved_cents = moved_cents_T[followed_T]
    return bool(
        voiced_T.sum() >= _LEAST_VOICED * loud_T.sum()
        and len(moved_cents) > 10
        and np.median(moved_cents) >= _LEAST_GLIDE_CENTS
        and (moved_cents < _HELD_CENTS).mean() <= _MOST_HELD
    )


def _has_no_bass(sound_N: np.ndarray) -> bool:
    spectrum_F = np.fft.rfft(sound_N * np.hanning(len(sound_N)))
    power_F = np.square(spectrum_F.real) + np.square(spectrum_F.imag)
    below = int(_BASS_HZ * len(sound_N)) // _RATE_HZ
    return bool(power_F[:below].sum() <= 10 ** (_MOST_BASS_DB / 10) * power_F.sum())


def _levels(sound_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square of each frame, and its high level re its low level in dB."""
    frame_TN = _frames(sound_N, _FRAME_SAMPLES)
    amplitude_T = np.sqrt(np.square(frame_TN, dtype=np.float64).mean(1))
    spectrum_TF = np.fft.rfft(frame_TN * np.hanning(_FRAME_SAMPLES).astype(np.float32))
    power_TF = np.square(spectrum_TF.real) + np.square(spectrum_TF.imag) + 1e-12
    hz_F = np.fft.rfftfreq(_FRAME_SAMPLES, 1 / _RATE_HZ)
    low_T = power_TF[:, (hz_F > 100) & (hz_F < 1_000)].sum(1)
    high_T = power_TF[:, hz_F > 2_000].sum(1)
    return amplitude_T, 10 * np.log10(high_T / low_T)


def _pitch(sound_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Period of each frame in samples, 20 to 113, and how periodic it is, about 0 to 1.

    The highest of the autocorrelation, less what the taper does to it (P. Boersma, "Accurate
    short-term analysis of the fundamental frequency", 1993, equation 9).
    """
    taper = np.hanning(_PITCH_SAMPLES).astype(np.float32)
    taper_L = _autocorrelation(taper)
    heard_TL = _autocorrelation(_frames(sound_N, _PITCH_SAMPLES) * taper)
    heard_TL /= np.maximum(heard_TL[:, :1], 1e-12) * (taper_L / taper_L[0])
    period_T = heard_TL[:, 20:114].argmax(1) + 20
    place_T = np.arange(len(period_T))
    before, at, after = (heard_TL[place_T, period_T + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * at + after, -1e-9)
    return period_T + (0.5 * (before - after) / bend).clip(-0.5, 0.5), at


def _autocorrelation(frame_TN: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(frame_TN, 1_024)
    return np.fft.irfft(np.square(spectrum.real) + np.square(spectrum.imag))[..., :120]


def _frames(sound_N: np.ndarray, samples: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(sound_N, samples)[::_HOP_SAMPLES]


def _decibels(amplitude_T: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(amplitude_T, 1e-6))
