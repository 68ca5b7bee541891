"""The band: who plays what, when, in each section of a song."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from soundreel.seeding import numpy_generator_for
from soundreel.synthetic.genres import ENERGIES, Energy, Genre
from soundreel.synthetic.instruments import drum, pad_note, tone
from soundreel.synthetic.mixing import ducking, echoes, opening_filter, room
from soundreel.timeline import nearest_sample

_MINOR = (0, 2, 3, 5, 7, 8, 10)
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_BUSES = ("drums", "bass", "pad", "lead", "arpeggio")
#: Sixteenths of a bar at which each rhythm of the bass has a note, and how many it lasts.
_BASS_RHYTHMS = {
    "pulse": tuple((step, 2) for step in range(0, 16, 2)),
    "offbeat": tuple((step, 2) for step in (2, 6, 10, 14)),
    "long": ((0, 16),),
    "broken": ((0, 3), (3, 2), (7, 2), (10, 4), (14, 2)),
}
#: Rhythms of a melody over one bar: sixteenths at which notes begin.
_MOTIFS = (
    (0, 4, 6, 8, 12),
    (0, 3, 6, 10, 12),
    (0, 2, 4, 8, 11, 14),
    (0, 6, 8, 14),
    (2, 4, 6, 8, 12, 14),
)


class Band:
    """Five players at one desk; `play` records sections onto their buses, `mix` puts them together.

    beats: float64 [n], times in seconds; they must reach past the end of all that is played.
    """

    def __init__(
        self, style: Genre, root: int, beats: np.ndarray, samples: int, rate: int, seed: int
    ) -> None:
        self._style, self._rate, self._samples, self._beats = style, rate, samples, beats
        self._rng = numpy_generator_for(seed, "song/band")
        self._scale = _MINOR if style.minor else _MAJOR
        self._root = 36 + root if root < 7 else 24 + root
        self._buses = {name: np.zeros((2, samples), np.float32) for name in _BUSES}
        self._kicks: list[int] = []
        self._openness: list[tuple[float, float]] = []
        rng = self._rng
        self._progression = style.progressions[rng.integers(len(style.progressions))]
        depth = float(rng.random())
        self._drums = {
            kind: drum(kind, depth, rate, rng)
            for kind in ("kick", "snare", "clap", "hat", "open", "crash")
        }
        self._motifs = {
            "verse": self._motif(int(rng.integers(len(_MOTIFS))), 0),
            "chorus": self._motif(int(rng.integers(len(_MOTIFS))), 4),
        }
        self._arpeggio = rng.permutation(4)

    def _motif(self, rhythm: int, lift: int) -> list[tuple[int, int]]:
        """(sixteenth, steps of the scale above the chord's root) of a bar's melody."""
        height, notes = 2 * int(self._rng.integers(0, 3)), []
        for step in _MOTIFS[rhythm]:
            if step % 8 != 0:
                height = int(np.clip(height + self._rng.choice((-2, -1, 1, 2)), -1, 7))
            notes.append((step, height + lift))
        return notes

    def _time(self, bar: int, step: float) -> float:
        """When a sixteenth of a bar is played, in seconds, swing included."""
        late = self._style.swing if step % 2 == 1 else 0.0
        position = 4 * bar + (step + late) / 4
        beat = int(position)
        return float(
            self._beats[beat] + (position - beat) * (self._beats[beat + 1] - self._beats[beat])
        )

    def _degree(self, degree: int, centre: int | None = None) -> int:
        """MIDI note of a degree of the scale above the key's root; near `centre` if given."""
        octave, place = divmod(degree, 7)
        note = self._root + 12 * octave + self._scale[place]
        if centre is not None:
            note += 12 * round((centre - note) / 12)
        return note

    def _place(self, bus: str, seconds: float, wave: np.ndarray, gain: float, pan: float) -> None:
        """Add mono [n] or stereo [2, n] samples to a bus from a time on; pan -1 left, 1 right."""
        start = nearest_sample(Fraction(max(0.0, seconds)), self._rate)
        stop = min(self._samples, start + wave.shape[-1])
        if stop <= start:
            return
        sides = np.array([[min(1.0, 1 - pan)], [min(1.0, 1 + pan)]], np.float32) * gain
        self._buses[bus][:, start:stop] += sides * wave[..., : stop - start]

    def play(self, first_bar: int, stop_bar: int, section: str) -> None:
        """Record bars [first_bar, stop_bar) in the manner of a section."""
        energy = ENERGIES[section]
        if section == "chorus" and 4 * first_bar + 6 <= len(self._beats):
            self._place("drums", self._time(first_bar, 0), self._drums["crash"], 0.35, 0.2)
        for bar in range(first_bar, stop_bar):
            if 4 * bar + 6 > len(self._beats) or self._starts_after_the_end(bar):
                break
            wander = float(np.clip(energy.brightness + 0.12 * self._rng.standard_normal(), 0, 1))
            self._openness.append((self._time(bar, 0), wander))
            chord = self._progression[bar % len(self._progression)]
            last = bar == stop_bar - 1
            self._play_drums(bar, energy, last)
            self._play_bass(bar, chord, energy)
            self._play_pad(bar, chord, energy)
            self._play_lead(bar, chord, energy, section)
            self._play_arpeggio(bar, chord, energy)
        if section in ("verse", "break") and 4 * stop_bar + 2 <= len(self._beats):
            self._riser(first_bar, stop_bar)

    def _starts_after_the_end(self, bar: int) -> bool:
        return nearest_sample(Fraction(self._time(bar, 0)), self._rate) >= self._samples

    def _riser(self, first_bar: int, stop_bar: int) -> None:
        """Noise that swells over the last bar, towards what comes."""
        start, stop = self._time(max(first_bar, stop_bar - 1), 0), self._time(stop_bar - 1, 15.9)
        wave = self._drums["open"]
        count = 24
        for k in range(count):
            when = start + (stop - start) * k / count
            self._place("pad", when, wave, 0.10 * (k / count) ** 2, 0.8 * np.sin(k))

    def _play_drums(self, bar: int, energy: Energy, last: bool) -> None:
        style, rng = self._style, self._rng
        if energy.drums == 0:
            return
        backbeat = "clap" if style.name == "house" else "snare"
        patterns = [("kick", style.kick, 0.0, 0.3), ("hat", style.hat, 0.25, 0.1)]
        if energy.drums >= 0.5:
            patterns.append((backbeat, style.snare, -0.05, 0.0))
            patterns.append(("open", style.open_hat, 0.3, 0.6))
        levels = {"kick": 1.0, "snare": 0.72, "clap": 0.60, "hat": 0.22, "open": 0.20}
        for kind, pattern, pan, needed in patterns:
            if energy.drums <= needed:
                continue
            for step, mark in enumerate(pattern):
                if mark == ".":
                    continue
                accent = (1.0 if mark == "X" else 0.55) * (1 + 0.08 * rng.standard_normal())
                when = self._time(bar, step)
                gain = levels[kind] * accent * (0.55 + 0.45 * energy.drums)
                self._place("drums", when, self._drums[kind], gain, pan)
                if kind == "kick":
                    self._kicks.append(nearest_sample(Fraction(when), self._rate))
        if last and energy.drums >= 0.6:
            for step in (12, 13, 14, 15):
                gain = 0.22 + 0.1 * (step - 12)
                self._place("drums", self._time(bar, step), self._drums["snare"], gain, 0.1)

    def _play_bass(self, bar: int, chord: int, energy: Energy) -> None:
        if energy.bass == 0:
            return
        style = self._style
        for step, length in _BASS_RHYTHMS[style.bass]:
            start, stop = self._time(bar, step), self._time(bar, min(15.99, step + length))
            note = self._degree(chord, 35)
            if style.bass != "long" and step in (10, 14) and self._rng.random() < 0.35:
                note += 7 if self._rng.random() < 0.5 else 12
            wave = tone(
                style.bass_timbre, note, stop - start, energy.brightness, self._rate, self._rng
            )
            self._place("bass", start, wave, 0.8 * energy.bass, 0.0)

    def _chord(self, chord: int) -> list[int]:
        thirds = (0, 2, 4, 6) if self._style.seventh_chords else (0, 2, 4)
        return sorted(self._degree(chord + third, 60) for third in thirds)

    def _play_pad(self, bar: int, chord: int, energy: Energy) -> None:
        start, stop = self._time(bar, 0), self._time(bar, 15.99) + 0.1
        for note in self._chord(chord):
            wave = pad_note(
                self._style.pad_timbre,
                note,
                stop - start,
                energy.brightness,
                self._rate,
                self._rng,
            )
            self._place("pad", start, wave, 0.24 * energy.pad, 0.0)

    def _play_lead(self, bar: int, chord: int, energy: Energy, section: str) -> None:
        motif = self._motifs.get(section, self._motifs["verse"])
        if energy.lead == 0 or (section == "verse" and bar % 4 == 3):
            return
        for (step, height), following in zip(motif, [*motif[1:], (16, 0)], strict=True):
            # The third bar of a phrase answers a step higher.
            degree = chord + height + (1 if bar % 4 == 2 and step >= 8 else 0)
            start, stop = self._time(bar, step), self._time(bar, min(15.9, following[0]))
            note = self._degree(degree) + 36
            while note > 84:
                note -= 12
            bright = 0.3 + 0.6 * energy.brightness
            wave = tone(
                self._style.lead_timbre, note, 0.94 * (stop - start), bright, self._rate, self._rng
            )
            self._place("lead", start, wave, 0.5 * energy.lead, 0.15)

    def _play_arpeggio(self, bar: int, chord: int, energy: Energy) -> None:
        if energy.arpeggio == 0:
            return
        notes = self._chord(chord)
        notes = [*notes, notes[0] + 12] if len(notes) == 3 else notes
        every = 1 if energy.arpeggio > 0.7 and self._style.tempo_bpm[1] < 130 else 2
        for step in range(0, 16, every):
            note = notes[int(self._arpeggio[(step // every) % 4])] + 12
            start = self._time(bar, step)
            wave = tone(
                self._style.arpeggio_timbre,
                note,
                0.28 * 120 / self._style.tempo_bpm[1],
                energy.brightness,
                self._rate,
                self._rng,
            )
            accent = 1.0 if step % 4 == 0 else 0.7
            pan = 0.7 * (-1 if (step // every) % 2 else 1)
            self._place("arpeggio", start, wave, 0.5 * accent * energy.arpeggio, pan)

    def mix(self) -> np.ndarray:
        """All buses through filters, echoes and the room: float32 [2, n], not yet mastered."""
        style, rate, buses = self._style, self._rate, self._buses
        duck = ducking(self._kicks, self._samples, style.sidechain, rate)
        times = [when for when, _ in self._openness]
        values = [value for _, value in self._openness]
        seconds = np.arange(self._samples) / rate
        openness = np.interp(seconds, times, values).astype(np.float32)
        beat_samples = nearest_sample(Fraction(float(np.diff(self._beats).mean())) * 3 / 4, rate)
        buses["lead"] = echoes(buses["lead"], beat_samples, 0.34)
        buses["arpeggio"] = echoes(buses["arpeggio"], beat_samples, 0.28, repeats=2)
        tonal = np.zeros_like(buses["pad"])
        for name in ("pad", "lead", "arpeggio"):
            tonal += style.gains[name] * buses[name]
        tonal = opening_filter(tonal * duck, 0.06 + 0.94 * openness, 900.0, rate)
        drums = style.gains["drums"] * buses["drums"]
        drums = opening_filter(drums, 0.3 + 0.7 * openness, 3500.0, rate)
        bass = style.gains["bass"] * buses["bass"] * (1 - 0.8 * (1 - duck))
        wet = room(tonal + 0.12 * drums, 0.9 + 2.6 * style.reverb, rate, self._rng)
        return drums + bass + tonal + style.reverb * wet
