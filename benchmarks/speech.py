"""How often speech without music is found, and how often music is taken for it.

Over the songs and videos of the test media and, where the program espeak-ng is installed, over
voices of its that were not used to choose the thresholds (14 others, and all the files, were).

    python benchmarks/speech.py
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sameness import MEDIA, RATE_HZ, coded, known_sound, media_files, need_media, noisy, on_top
from soundreel.media.sound import read_sound
from soundreel.sound.speech import speech_only
from soundreel.synthetic.genres import GENRES
from soundreel.synthetic.songs import compose

#: Stretches of real films in which someone speaks (start, stop in seconds), read from their
#: spectrograms: syllables, gliding harmonics. In all of them something soft plays or hums behind.
SPOKEN = {
    "videos/case_many_streams_nasa.mp4": [(0.6, 12.2)],
    "videos/ed_opening_two_audio.mp4": [(3.5, 6.2), (7.8, 15.6), (17.0, 21.0)],
    "videos/sintel_trailer_480.mp4": [(12.2, 14.4), (36.8, 38.6)],
}


def main() -> None:
    """Windows of 1.4 s, five a second: speech found, and music taken for speech."""
    need_media()
    print("speech without music, windows of 1.4 s, 0.2 s apart")
    print("  music (none should be found)")
    films = [path for path in media_files("videos") if path.name.startswith("bbb_")]
    _report("songs", {p.name: known_sound(p) for p in media_files("songs")})
    _report("scored film", {p.name: known_sound(p) for p in films})
    songs = [(g, n, compose(40 + n, 40, g, 22_050)) for g in GENRES for n in range(3)]
    _report("songs made here", {f"{g} {n}": s.sound.mean(0) for g, n, s in songs}, 22_050)
    print("  real speech, softly accompanied (windows wholly within the stretches)")
    for name, stretches in SPOKEN.items():
        found_K, end_K = _spoken(known_sound(MEDIA / name), RATE_HZ)
        stop_K = end_K / RATE_HZ
        inside_K = np.zeros(len(end_K), bool)
        for start, stop in stretches:
            inside_K |= (stop_K - 62_763 / RATE_HZ >= start) & (stop_K <= stop)
        outside = int((found_K & ~inside_K).sum())
        print(
            f"    {name:36} {(found_K & inside_K).sum():4} of {inside_K.sum()}; beside: {outside}"
        )
    _speech_made_here()


def _report(what: str, sounds: dict[str, np.ndarray], rate_hz: int = RATE_HZ) -> None:
    found = {name: _spoken(sound_N, rate_hz)[0] for name, sound_N in sounds.items()}
    for name, found_K in found.items():
        if found_K.any():
            print(f"    {name:36} {found_K.sum():4} of {len(found_K)}")
    total_K = np.concatenate(list(found.values()))
    print(f"    {f'{len(sounds)} {what}':36} {total_K.sum():4} of {len(total_K)}")


def _speech_made_here() -> None:
    program = shutil.which("espeak-ng")
    if program is None:
        print("  espeak-ng is not there: no other speech was measured")
        return
    print("  espeak-ng's voices (none was used to choose the thresholds)")
    sounds = dict(_voices(program))
    for how, change in SPEECH_CHANGES.items():
        found = [_spoken(change(sound_N), RATE_HZ)[0] for sound_N in sounds.values()]
        none = sum(not found_K.any() for found_K in found)
        share = np.concatenate(found).mean()
        print(f"    {how:36} {share:4.0%} of windows; {none} of {len(found)} voices never")


SPEECH_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": lambda s: s,
    "MP3, 64 kbit/s": lambda s: coded(s, "libmp3lame", ".mp3", 64_000),
    "noise, 25 dB below": lambda s: noisy(s, 25),
    "noise, 15 dB below": lambda s: noisy(s, 15),
    "a song behind it, 30 dB below": lambda s: _with_song(s, -30),
    "a song behind it, 20 dB below": lambda s: _with_song(s, -20),
    "a song behind it, 12 dB below": lambda s: _with_song(s, -12),
}
_TEXTS = {
    "it": "La casa sulla collina fu costruita prima della guerra. Per vent'anni non ci abitò "
    "nessuno, e una mattina c'era una luce in cucina. Che cosa ha detto? Non lo so.",
    "pt": "A casa na colina foi construída antes da guerra. Ninguém morou lá durante vinte anos, "
    "e numa manhã havia uma luz na cozinha. O que foi que ela disse? Não sei.",
    "pl": "Dom na wzgórzu zbudowano przed wojną. Przez dwadzieścia lat nikt tam nie mieszkał, "
    "aż pewnego ranka w kuchni paliło się światło. Co ona powiedziała? Nie wiem.",
    "nl": "Het huis op de heuvel werd voor de oorlog gebouwd. Twintig jaar lang woonde er niemand, "
    "en op een ochtend brandde er licht in de keuken. Wat zei ze? Ik weet het niet.",
}


def _voices(program: str) -> Iterator[tuple[str, np.ndarray]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.wav"
        for language, text in _TEXTS.items():
            for variant in ("", "+m2", "+f1", "+f3"):
                voice = language + variant
                subprocess.run([program, "-v", voice, "-w", path, text], check=True)
                yield voice, read_sound(path, RATE_HZ, "mono")


def _with_song(sound_N: np.ndarray, level_db: float) -> np.ndarray:
    song_N = known_sound(MEDIA / "songs" / "citychill_chillout.ogg")[: len(sound_N)]
    return on_top(sound_N, song_N, level_db)


def _spoken(sound_N: np.ndarray, rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    end_K = np.arange(0, len(sound_N), rate_hz // 5)
    return speech_only(sound_N, rate_hz, end_K, 62_763), end_K


if __name__ == "__main__":
    main()
