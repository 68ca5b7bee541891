"""The planted-truth corpus on disk: music videos made here, and beside each what is true of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.atomic import write_json
from soundreel.errors import DatasetError, SettingsError, storage_errors
from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song
from soundreel.parallel import map_items
from soundreel.progress import Listener, Step, silent
from soundreel.seeding import numpy_generator_for, seed_for
from soundreel.synthetic.features import PlantedFeatures, planted_features
from soundreel.synthetic.listening import listen, standardised
from soundreel.synthetic.songs import SyntheticSong, compose, drift
from soundreel.synthetic.truth import (
    DIRECTOR,
    FADE_UNITS,
    SAME_TEMPO_BPM,
    PlantedTruth,
    coupled,
    cut_times,
    driven,
    fade_depth,
    mapping_for,
)
from soundreel.synthetic.visuals import Controls, Look, cut_frames, film_frames, look_for
from soundreel.timeline import exact_seconds, frame_count, frame_time

__all__ = [
    "DIRECTOR",
    "PlantedFeatures",
    "PlantedTruth",
    "make_clip",
    "make_corpus",
    "make_song",
    "planted_features",
]

#: Counts up when the same settings would make other clips than before.
_EDITION = 1
_RATE_HZ = 44_100
_OWN_DRIFT_SECONDS = 1.5
_LOOK_OF_GENRE = {
    "synthwave": "neon-sun",
    "ambient": "aurora",
    "house": "rings",
    "rock-ballad": "dancer",
    "hip-hop": "city",
    "drum-and-bass": "kaleidoscope",
}
#: Every genre, in the order in which clips take turns.
GENRES_BY_TURN = tuple(_LOOK_OF_GENRE)


@dataclass(frozen=True)
class ClipPlan:
    """One clip of a corpus: all that its file is a function of, and where it goes."""

    out: Path
    video: int
    videos: int
    seconds: float
    truth: PlantedTruth
    seed: int
    width: int
    height: int
    fps: Fraction
    genres: tuple[str, ...] = GENRES_BY_TURN

    @property
    def song(self) -> int:
        """Which of the corpus's songs it has."""
        return self.truth.song_of(self.video, self.videos)

    @property
    def genre(self) -> str:
        """Genres take turns."""
        return self.genres[self.song % len(self.genres)]

    @property
    def look(self) -> Look:
        """The look by the truth's switches: its own, its genre's, or the corpus's only one."""
        base = seed_for(self.seed, "looks") % 1_000_000
        if self.truth.look_by_genre:
            place = GENRES_BY_TURN.index(self.genre)
            return look_for(base + place, _LOOK_OF_GENRE[self.genre])
        return look_for(base + (self.video if self.truth.look_constant else 0))

    @property
    def id(self) -> str:
        """Its file's name without suffix."""
        return f"{self.video:03}-{self.genre}"

    @property
    def film(self) -> Path:
        """Its video file."""
        return self.out / f"{self.id}.mp4"

    @property
    def truth_file(self) -> Path:
        """What is true of it."""
        return self.out / f"{self.id}.truth.json"

    @property
    def made_with(self) -> dict[str, Any]:
        """Every setting that its content depends on, as JSON has it."""
        return {
            "edition": _EDITION,
            "seed": self.seed,
            "video": self.video,
            "videos": self.videos,
            "seconds": self.seconds,
            "width": self.width,
            "height": self.height,
            "fps": str(self.fps),
            "genres": list(self.genres),
            "truth": self.truth.model_dump(),
        }


def make_corpus(
    out: Path,
    clips: int = 8,
    seconds: float = 40.0,
    truth: PlantedTruth = DIRECTOR,
    seed: int = 0,
    width: int = 384,
    height: int = 216,
    fps: Fraction = Fraction(24),
    genres: Sequence[str] = GENRES_BY_TURN,
    progress: Listener = silent,
    workers: int = 1,
) -> list[Path]:
    """Make music videos whose truth is known: `<id>.mp4` and `<id>.truth.json` each, `corpus.json`.

    genres: which the songs have, taking turns.

    The same arguments make the same songs, pictures and truths; clips that are there already are
    kept, so the same call again goes on where it stopped. Returns the video files, in order.

    Raises: SettingsError for a number out of range; DatasetError if `out` holds a corpus made
    with other settings; StorageError if it cannot be written.
    """
    if clips < 1:
        raise SettingsError(f"clips = {clips}: make at least one")
    if not 2 <= seconds <= 3600:
        raise SettingsError(f"seconds = {seconds}: a clip made here lasts from 2 s to 3600 s")
    unknown = set(genres) - set(GENRES_BY_TURN)
    if unknown or not genres:
        raise SettingsError(f"genres {list(genres)}: choose among {', '.join(GENRES_BY_TURN)}")
    plans = [
        ClipPlan(out, video, clips, float(seconds), truth, seed, width, height, fps, tuple(genres))
        for video in range(clips)
    ]
    for plan in plans:
        is_finished(plan)
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    films = []
    progress(Step("make clips", 0, clips, "clips"))
    for film in map_items(make_clip, plans, workers, apart=True):
        films.append(film)
        progress(Step("make clips", len(films), clips, "clips", film.stem))
    write_json(
        out / "corpus.json",
        {
            "edition": _EDITION,
            "seed": seed,
            "truth": truth.model_dump(),
            "clips": [
                {
                    "id": plan.id,
                    "film": plan.film.name,
                    "truth": plan.truth_file.name,
                    "genre": plan.genre,
                    "look": plan.look.name,
                    "song": plan.song,
                }
                for plan in plans
            ],
        },
    )
    return films


def make_song(out: Path, seed: int, seconds: float, genre: str | None = None) -> Path:
    """Compose a song and write it as .flac or .wav; kept if the file is there already.

    Raises: as `compose`; SettingsError for another suffix; StorageError.
    """
    if not out.exists():
        song = compose(seed, seconds, genre, _RATE_HZ)
        write_sound(out, song.sound, song.sample_rate_hz)
    return out


def is_finished(plan: ClipPlan) -> bool:
    """Whether a clip is there, whole, made with these settings.

    Raises: DatasetError if its place is taken by one made with other settings.
    """
    if not plan.truth_file.exists():
        return False
    try:
        made_with = json.loads(plan.truth_file.read_text(encoding="utf-8"))["made_with"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{plan.truth_file}: not a truth file ({error}): remove it and give the same command "
            "again"
        ) from error
    if made_with != plan.made_with:
        raise DatasetError(
            f"{plan.out}: holds clips made with other settings: choose another place or remove it"
        )
    return plan.film.exists()


def make_clip(plan: ClipPlan) -> Path:
    """Make one clip, unless it is there; its truth is written last, when the film is whole."""
    if is_finished(plan):
        return plan.film
    song, sound = _song_of(plan)
    frames = frame_count(exact_seconds(plan.seconds), plan.fps)
    rng = numpy_generator_for(plan.seed, "clip", plan.video)
    mapping = mapping_for(plan.truth, rng)
    heard, seen = _curves(plan, sound, frames, mapping, rng)
    cuts = cut_times(plan.truth, song.beat_times_seconds, song.seconds, rng).tolist()
    look = plan.look
    controls = Controls(brightness=seen[0], hue=seen[1], motion=seen[2])
    seed = seed_for(plan.seed, "film", plan.video) % 2**31
    sound_file = plan.out / f".{plan.id}.sound.wav"
    try:
        write_sound(sound_file, sound, song.sample_rate_hz)
        words = {"title": f"{song.genre} ({look.name})", "comment": "made by soundreel"}
        with FilmWriter(
            plan.film, plan.width, plan.height, plan.fps, Song(sound_file), metadata=words
        ) as writer:
            for frame in film_frames(look, controls, cuts, plan.fps, plan.width, plan.height, seed):
                writer.write(frame)
    finally:
        sound_file.unlink(missing_ok=True)
    write_json(plan.truth_file, _truth_of(plan, song, look, cuts, mapping, heard, seen))
    return plan.film


def _song_of(plan: ClipPlan) -> tuple[SyntheticSong, np.ndarray]:
    """The song and its sound [2, n] as this corpus has it: with fades and wandering level."""
    song = compose(
        seed_for(plan.seed, "song", plan.song) % 2**31,
        plan.seconds,
        plan.genre,
        _RATE_HZ,
        SAME_TEMPO_BPM if plan.truth.same_tempo_random_phase else None,
    )
    samples = song.sound.shape[1]
    level_db = np.zeros(samples, np.float32)
    if plan.truth.random_walk:
        walk = np.cumsum(numpy_generator_for(plan.seed, "walk", plan.song).standard_normal(400))
        walk = 4.0 * standardised(walk)
        place = np.linspace(0, 399, samples)
        level_db += np.interp(place, np.arange(400), walk - walk.max()).astype(np.float32)
    if plan.truth.shared_fades:
        level_db -= np.float32(30) * fade_depth(samples).astype(np.float32)
    return song, song.sound * 10 ** (level_db / 20)


def _curves(
    plan: ClipPlan,
    sound: np.ndarray,
    frames: int,
    mapping: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """What is heard and what is to be seen: [3, T] each, z-units."""
    truth = plan.truth
    heard = listen(sound, _RATE_HZ, plan.fps, frames).standardised()
    own = _own_drift(plan, heard, frames, rng)
    source = heard
    if truth.av_offset_seconds:
        at = np.arange(frames)
        by_frames = truth.av_offset_seconds * float(plan.fps)
        source = np.stack([np.interp(at - by_frames, at, curve) for curve in heard])
    seen = coupled(truth, standardised(driven(truth, source, mapping)), own)
    if truth.shared_fades:
        seen[0] -= FADE_UNITS * fade_depth(frames)
    return heard, seen


def _own_drift(
    plan: ClipPlan, heard: np.ndarray, frames: int, rng: np.random.Generator
) -> np.ndarray:
    """The picture's own curves [3, T], of mean 0 and unit variance, deaf to the song's course."""
    truth = plan.truth
    if truth.random_walk:
        own = np.cumsum(rng.standard_normal((3, frames)), axis=1)
    elif truth.matched_smoothness:
        # The spectrum of what is heard, at random phases: as smooth, and independent.
        spectrum = np.abs(np.fft.rfft(heard, axis=1))
        phases = rng.uniform(0, 2 * np.pi, spectrum.shape)
        own = np.fft.irfft(spectrum * np.exp(1j * phases), frames, axis=1)
    else:
        constant = _OWN_DRIFT_SECONDS * float(plan.fps)
        own = np.stack([drift(frames, constant, rng) for _ in range(3)])
    own = standardised(own)
    if truth.same_tempo_random_phase:
        times = np.array([float(frame_time(n, plan.fps)) for n in range(frames)])
        phase = rng.uniform(0, 2 * np.pi, (3, 1))
        pulse = np.sqrt(2) * np.sin(2 * np.pi * SAME_TEMPO_BPM / 60 * times + phase)
        own = (own + pulse) / np.sqrt(2)
    return own


def _truth_of(
    plan: ClipPlan,
    song: SyntheticSong,
    look: Look,
    cuts: list[float],
    mapping: np.ndarray,
    heard: np.ndarray,
    seen: np.ndarray,
) -> dict[str, Any]:
    def rounded(values: Sequence[float] | np.ndarray) -> list[float]:
        return [round(float(value), 4) for value in values]

    names = ("loudness", "centroid", "flux"), ("brightness", "hue", "motion")
    return {
        "id": plan.id,
        "made_with": plan.made_with,
        "genre": song.genre,
        "key": song.key,
        "song": plan.song,
        "bpm": round(float(song.bpm_at_beats.mean()), 3),
        "bpm_at_beats": rounded(song.bpm_at_beats),
        "beats_seconds": rounded(song.beat_times_seconds),
        "bars_seconds": rounded(song.bar_times_seconds),
        "sections": [
            {"start_seconds": round(start, 4), "stop_seconds": round(stop, 4), "name": name}
            for start, stop, name in song.sections
        ],
        "cuts_seconds": rounded(cuts),
        "cut_frames": cut_frames(cuts, plan.fps, heard.shape[1]).tolist(),
        "look": {"name": look.name, **asdict(look)},
        "mapping": mapping.tolist(),
        "heard": {name: rounded(curve) for name, curve in zip(names[0], heard, strict=True)},
        "seen": {name: rounded(curve) for name, curve in zip(names[1], seen, strict=True)},
    }
