"""Six genres as tables: what each instrument plays in them, and how the record is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """What makes a song of this genre.

    A drum pattern is one bar of 16 steps: `X` loud, `x` soft, `.` nothing. Chords are degrees of
    the scale (0..6), one a bar. Gains are linear, before the mix is mastered.
    """

    name: str
    tempo_bpm: tuple[float, float]
    kick: str
    snare: str
    hat: str
    open_hat: str
    bass: str
    """Rhythm of the bass: `pulse` (eighths), `offbeat`, `long` (one note a bar), `broken`."""
    bass_timbre: str
    pad_timbre: str
    lead_timbre: str
    arpeggio_timbre: str
    progressions: tuple[tuple[int, ...], ...]
    minor: bool
    seventh_chords: bool
    swing: float
    """Share of a step that odd steps come late."""
    sidechain: float
    """How far the kick pushes the other instruments down, 0..1."""
    reverb: float
    gains: dict[str, float]
    loudness_dbfs: float
    """Root mean square of the whole record, dB re full scale."""


GENRES: dict[str, Genre] = {
    genre.name: genre
    for genre in (
        Genre(
            name="house",
            tempo_bpm=(118, 128),
            kick="X...X...X...X...",
            snare="....X.......X..x",
            hat="x.x.x.x.x.x.x.xx",
            open_hat="..X...X...X...X.",
            bass="offbeat",
            bass_timbre="saw",
            pad_timbre="saw",
            lead_timbre="pluck",
            arpeggio_timbre="organ",
            progressions=((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6)),
            minor=True,
            seventh_chords=True,
            swing=0.08,
            sidechain=0.75,
            reverb=0.20,
            gains={"drums": 0.95, "bass": 0.55, "pad": 0.75, "lead": 0.45, "arpeggio": 0.40},
            loudness_dbfs=-12.0,
        ),
        Genre(
            name="hip-hop",
            tempo_bpm=(74, 94),
            kick="X..x......X..x..",
            snare="....X.......X...",
            hat="X.x.X.xxX.x.X.x.",
            open_hat="..............x.",
            bass="broken",
            bass_timbre="sub",
            pad_timbre="rhodes",
            lead_timbre="bell",
            arpeggio_timbre="rhodes",
            progressions=((0, 3, 4, 3), (1, 4, 0, 5), (0, 5, 3, 4)),
            minor=True,
            seventh_chords=True,
            swing=0.28,
            sidechain=0.35,
            reverb=0.14,
            gains={"drums": 1.0, "bass": 0.80, "pad": 0.85, "lead": 0.30, "arpeggio": 0.16},
            loudness_dbfs=-12.5,
        ),
        Genre(
            name="rock-ballad",
            tempo_bpm=(70, 86),
            kick="X.......X.x.....",
            snare="....X.......X...",
            hat="X.x.X.x.X.x.X.x.",
            open_hat="................",
            bass="pulse",
            bass_timbre="round",
            pad_timbre="strings",
            lead_timbre="voice",
            arpeggio_timbre="guitar",
            progressions=((0, 4, 5, 3), (0, 2, 3, 4), (5, 3, 0, 4)),
            minor=False,
            seventh_chords=False,
            swing=0.0,
            sidechain=0.0,
            reverb=0.26,
            gains={"drums": 0.85, "bass": 0.50, "pad": 0.85, "lead": 0.42, "arpeggio": 0.55},
            loudness_dbfs=-13.0,
        ),
        Genre(
            name="ambient",
            tempo_bpm=(70, 90),
            kick="x.......x.......",
            snare="........x.......",
            hat="..x...x...x...x.",
            open_hat="................",
            bass="long",
            bass_timbre="sub",
            pad_timbre="strings",
            lead_timbre="bell",
            arpeggio_timbre="bell",
            progressions=((0, 3, 0, 4), (0, 5, 3, 1), (3, 0, 4, 0)),
            minor=False,
            seventh_chords=True,
            swing=0.0,
            sidechain=0.15,
            reverb=0.55,
            gains={"drums": 0.38, "bass": 0.50, "pad": 0.75, "lead": 0.34, "arpeggio": 0.30},
            loudness_dbfs=-14.0,
        ),
        Genre(
            name="synthwave",
            tempo_bpm=(88, 112),
            kick="X...X...X...X...",
            snare="....X.......X...",
            hat="x.x.x.x.x.x.x.x.",
            open_hat="..............x.",
            bass="pulse",
            bass_timbre="saw",
            pad_timbre="saw",
            lead_timbre="square",
            arpeggio_timbre="pluck",
            progressions=((0, 5, 2, 6), (5, 6, 0, 0), (0, 2, 6, 5)),
            minor=True,
            seventh_chords=False,
            swing=0.0,
            sidechain=0.5,
            reverb=0.28,
            gains={"drums": 0.85, "bass": 0.62, "pad": 0.72, "lead": 0.36, "arpeggio": 0.34},
            loudness_dbfs=-12.0,
        ),
        Genre(
            name="drum-and-bass",
            tempo_bpm=(138, 150),
            kick="X.........X.....",
            snare="....X..x.x..X..x",
            hat="X.xxX.x.X.xxX.x.",
            open_hat="......x.......x.",
            bass="broken",
            bass_timbre="reese",
            pad_timbre="strings",
            lead_timbre="square",
            arpeggio_timbre="pluck",
            progressions=((0, 5, 3, 4), (0, 6, 5, 6), (0, 2, 5, 4)),
            minor=True,
            seventh_chords=False,
            swing=0.0,
            sidechain=0.3,
            reverb=0.22,
            gains={"drums": 1.0, "bass": 0.66, "pad": 0.85, "lead": 0.30, "arpeggio": 0.24},
            loudness_dbfs=-11.5,
        ),
    )
}


@dataclass(frozen=True)
class Energy:
    """What one kind of section asks of the players; every number from 0 to 1 but `gain_db`."""

    gain_db: float
    brightness: float
    """Where the filters stand: 0 closed, 1 open."""
    drums: float
    """0 none, 0.4 kick and hat, 1 all of them."""
    bass: float
    pad: float
    lead: float
    arpeggio: float


ENERGIES: dict[str, Energy] = {
    "intro": Energy(-1.0, 0.20, 0.0, 0.0, 0.9, 0.0, 0.8),
    "verse": Energy(-2.0, 0.45, 0.6, 0.9, 0.6, 0.6, 0.3),
    "chorus": Energy(0.0, 1.00, 1.0, 1.0, 1.0, 1.0, 1.0),
    "break": Energy(-1.0, 0.08, 0.2, 0.0, 1.0, 0.0, 0.5),
    "outro": Energy(-2.5, 0.25, 0.4, 0.6, 0.8, 0.3, 0.4),
}
