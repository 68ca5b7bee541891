"""`demo`: the whole way on music videos made here, from clips to a film and a report on it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from soundreel.atomic import write_json, write_text
from soundreel.dataset.build import prepare
from soundreel.dataset.gallery import inspect
from soundreel.evidence.descriptors import Descriptors, picture_descriptors, sound_descriptors
from soundreel.evidence.following import slow_terms_for, within_correlation
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at
from soundreel.parallel import available_cores
from soundreel.progress import Listener, silent
from soundreel.recipe import recipe_from
from soundreel.rendering.movie import Film, render
from soundreel.synthetic.corpus import make_corpus, make_song
from soundreel.timeline import frame_time
from soundreel.training.run import train

CLIPS, CLIP_SECONDS, SONG_SECONDS = 8, 30.0, 24.0
#: One kind of song and so one look: in minutes on two cores pix2pix learns one well, three badly.
_GENRE = "synthwave"
_SEED, _SONG_SEED = 0, 1_001
_FPS, _SIZE = Fraction(30), (640, 360)
_RATE_HZ = 44_100


@dataclass(frozen=True)
class Follow:
    """How one thing to see follows one thing to hear: correlation beyond slow drift, -1 to 1."""

    seen: str
    heard: str
    own: float
    """With the film's own song."""
    others: tuple[float, ...]
    """With each of the other songs, at the same relative time."""

    @property
    def line(self) -> str:
        """The two numbers for a person."""
        return (
            f"{self.seen} of the film against {self.heard} of its song: {self.own:+.2f}; "
            f"against {len(self.others)} other songs: {np.mean(self.others):+.2f} on average, "
            f"{max(self.others):+.2f} at most"
        )


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    film: Path
    sheet: Path
    report: Path
    follows: tuple[Follow, ...]

    @property
    def summary(self) -> str:
        """A few lines for a person: what follows what, and where to look."""
        lines = [follow.line for follow in self.follows]
        return "\n".join(
            [*lines, f"contact sheet: {self.sheet}", f"film: {self.film}", f"report: {self.report}"]
        )


def demo(
    out: Path,
    *,
    preset: str = "quick",
    clips: int = CLIPS,
    clip_seconds: float = CLIP_SECONDS,
    progress: Listener = silent,
) -> Demo:
    """Make music videos, a dataset and a model of them, a film of a song it never heard, a report.

    out: the folder for all of it; the same call again goes on where it stopped.
    preset: how to train; clips, clip_seconds: how many music videos of what length.

    Raises: StorageError; DatasetError or TrainingError if `out` holds another demo's work.
    """
    workers = available_cores()
    videos = make_corpus(
        out / "clips",
        clips,
        clip_seconds,
        seed=_SEED,
        genres=(_GENRE,),
        workers=workers,
        progress=progress,
    )
    song = make_song(out / "song.flac", _SONG_SEED, SONG_SECONDS, _GENRE)
    recipe = recipe_from("default", every_seconds=Fraction(1, 10))
    dataset = prepare(videos, out / "dataset", recipe, workers=workers, progress=progress)
    sheet = inspect(dataset.folder, out / "sheet.png", progress=progress)
    run = train(dataset.folder, out / "run", preset, progress=progress)
    film = render(run.model, song, out / "film.mp4", fps=_FPS, size=_SIZE, progress=progress)
    follows = _follows(film.path, song, videos, film.frames)
    report = out / "report.html"
    write_text(report, _report(film, sheet, run.summary, follows))
    write_json(out / "follows.json", [vars(follow) for follow in follows])
    return Demo(film.path, sheet, report, follows)


def _follows(film: Path, song: Path, others: list[Path], frames: int) -> tuple[Follow, ...]:
    """Brightness against loudness and motion against onsets, with its own song and the others."""
    times = [frame_time(n, _FPS) for n in range(frames)]
    seen = picture_descriptors(picture for _, picture in frames_at(film, times, Fit(90, 160)))
    heard = [_heard(path, times) for path in [song, *others]]
    slow_terms = slow_terms_for(times[-1])
    follows = []
    for eye, ear in (("brightness", "loudness"), ("motion_energy", "onset")):
        own, *rest = [
            within_correlation(_smooth(seen[eye]), _smooth(sound[ear]), slow_terms)
            for sound in heard
        ]
        follows.append(Follow(eye.removesuffix("_energy"), ear, own, tuple(rest)))
    return tuple(follows)


def _heard(path: Path, times: list[Fraction]) -> Descriptors:
    return sound_descriptors(read_sound(path, _RATE_HZ, "mono"), _RATE_HZ, times)


def _smooth(curve_T: np.ndarray) -> np.ndarray:
    """A fifth of a second's mean: faster than that the eye sees flicker, not a curve."""
    width = 6
    return np.convolve(np.pad(curve_T, (width - 1, 0), "edge"), np.ones(width) / width, "valid")


def _report(film: Film, sheet: Path, training: str, follows: tuple[Follow, ...]) -> str:
    """A page of its own: the film beside it, everything else inside."""
    rows = "".join(
        f"<tr><td>{escape(follow.seen)} and {escape(follow.heard)}</td>"
        f"<td class=n>{follow.own:+.2f}</td><td class=n>{np.mean(follow.others):+.2f}</td>"
        f"<td class=n>{max(follow.others):+.2f}</td></tr>"
        for follow in follows
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Soundreel demo</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: Canvas; color: CanvasText; color-scheme: light dark }}
video, img {{ width: 100%; border-radius: 6px; background: #000 }}
table {{ border-collapse: collapse }} td, th {{ padding: .3rem .8rem; text-align: left }}
.n {{ text-align: right; font-variant-numeric: tabular-nums }}
tr + tr {{ border-top: 1px solid color-mix(in srgb, CanvasText 20%, transparent) }}
</style>
<h1>A film of a song the model never heard</h1>
<video src="{escape(film.path.name)}" controls loop></video>
<p>{escape(training)}</p>
<img alt="Frames of the film, evenly spread over its length" src="{_strip(film)}">
<h2>Does it follow the song?</h2>
<p>Correlations over the film, its slow drift removed. With its own song they should be clearly
above those with the other songs, which show what chance gives. This is one film of one song:
an impression in numbers, not a test.</p>
<table><tr><th>seen and heard</th><th>own song</th><th>other songs, mean</th><th>highest</th></tr>
{rows}</table>
<h2>What it learnt from</h2>
<img alt="Contact sheet of the training clips: frames above, their sound images below"
 src="{escape(sheet.name)}">
</html>
"""


def _strip(film: Film, columns: int = 6, rows: int = 3) -> str:
    """Frames of the film in a grid, as a data URL."""
    count = columns * rows
    times = [frame_time(place * film.frames // count, film.fps) for place in range(count)]
    chosen = [picture for _, picture in frames_at(film.path, times, Fit(135, 240))]
    grid = np.concatenate(
        [np.concatenate(chosen[row * columns : (row + 1) * columns], 1) for row in range(rows)]
    )
    data = io.BytesIO()
    Image.fromarray(grid).save(data, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
