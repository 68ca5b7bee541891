"""`demo`: the whole way on music videos made here, from clips to a film and a report on it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from soundreel.atomic import write_json, write_text
from soundreel.dataset.build import prepare
from soundreel.dataset.inspection.gallery import inspect
from soundreel.evidence.descriptors import picture_descriptors, sound_descriptors
from soundreel.evidence.following import slow_terms_for, within_correlation
from soundreel.media.sound import read_sound
from soundreel.media.video import Fit, frames_at
from soundreel.networks.bundle import Model, load_model
from soundreel.parallel import available_cores
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import recipe_from
from soundreel.rendering.casting_cues import film_cues, has_looks
from soundreel.rendering.film import song_span
from soundreel.rendering.generate import film_pictures
from soundreel.rendering.listening import listen, with_bars
from soundreel.rendering.movie import Film, render
from soundreel.rendering.shot_list import ShotList
from soundreel.synthetic.corpus import GENRES_BY_TURN, make_corpus, make_song
from soundreel.timeline import exact_seconds, frame_count, frame_time
from soundreel.training.run import train

CLIPS, CLIP_SECONDS, SONG_SECONDS = 8, 30.0, 32.0
#: One kind of song and so one look: what minutes on two cores can learn well.
_GENRE = "synthwave"
_SEED, _SONG_SEED = 0, 1_001
_FPS, _SIZE = Fraction(30), (640, 360)
_RATE_HZ = 44_100
_MEASURED_FPS, _WINDOW_SECONDS = Fraction(15), 0.4


@dataclass(frozen=True)
class Follow:
    """How films follow songs in one respect: correlations beyond slow drift, -1 to 1."""

    seen: str
    heard: str
    matrix: tuple[tuple[float, ...], ...]
    """Row: the film of one song; column: the song it is compared with. Its own on the diagonal."""

    @property
    def own(self) -> float:
        """The mean over films, each with its own song."""
        return float(np.diag(self.matrix).mean())

    @property
    def others(self) -> float:
        """The mean over films, each with every other song."""
        square = np.array(self.matrix)
        return float(square[~np.eye(len(square), dtype=bool)].mean())

    @property
    def wins(self) -> int:
        """How many films follow no other song as well as their own (by chance: one)."""
        square = np.array(self.matrix)
        return int((square.argmax(1) == np.arange(len(square))).sum())

    @property
    def line(self) -> str:
        """The two numbers for a person."""
        count = len(self.matrix)
        return (
            f"{self.seen} of {count} films of unheard songs against {self.heard}: their own "
            f"song's {self.own:+.2f}, other songs' {self.others:+.2f}; {self.wins} of {count} "
            "follow their own best"
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
    preset: str = "reel-quick",
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
    songs = [
        make_song(out / "songs" / f"{place}-{genre}.flac", _SONG_SEED + place, SONG_SECONDS, genre)
        for place, genre in enumerate(GENRES_BY_TURN)
    ]
    recipe = recipe_from("default", every_seconds=Fraction(1, 10))
    dataset = prepare(videos, out / "dataset", recipe, workers=workers, progress=progress)
    sheet = out / "sheet.png"
    inspect(dataset.folder, sheet, progress=progress)
    run = train(dataset.folder, out / "run", preset, progress=progress)
    film = render(run.model, songs[0], out / "film.mp4", fps=_FPS, size=_SIZE, progress=progress)
    follows = _follows(run.model, songs, progress)
    report = out / "report.html"
    write_text(report, _report(film, sheet, run.summary, follows))
    write_json(out / "follows.json", [asdict(follow) for follow in follows])
    return Demo(film.path, sheet, report, follows)


def _follows(model: Path, songs: list[Path], progress: Listener) -> tuple[Follow, ...]:
    """Films of all the songs, each compared with every song."""
    loaded = load_model(model)
    frames = frame_count(exact_seconds(SONG_SECONDS), _MEASURED_FPS)
    times = [frame_time(n, _MEASURED_FPS) for n in range(frames)]
    seen, heard = [], []
    for done, song in enumerate(songs, 1):
        cues = _cues(loaded, song, progress)
        pictures = film_pictures(
            loaded, song, Fraction(0), frames, _MEASURED_FPS, seed=0, cues=cues
        )
        seen.append(picture_descriptors(pictures))
        sound = read_sound(song, _RATE_HZ, "mono")
        heard.append(sound_descriptors(sound, _RATE_HZ, times, _WINDOW_SECONDS))
        progress(Step("measure", done, len(songs), "songs"))
    slow_terms = slow_terms_for(SONG_SECONDS)
    return tuple(
        Follow(
            eye.removesuffix("_energy"),
            ear,
            tuple(
                tuple(within_correlation(film[eye], song[ear], slow_terms) for song in heard)
                for film in seen
            ),
        )
        for eye, ear in (("brightness", "loudness"), ("motion_energy", "onset"))
    )


def _cues(model: Model, song: Path, progress: Listener) -> Callable[[Sequence[int]], Tensor] | None:
    """What a `reel` films a song with, as `render` does; None for a model without looks."""
    if not has_looks(model):
        return None
    shots, span = ShotList(), song_span(song, Fraction(0), None)
    heard = listen(span, shots, wants_form=True, progress=progress)
    shots = with_bars(shots, heard.form)
    return film_cues(model, span, shots, heard, _MEASURED_FPS, seed=0).track.cues


def _report(film: Film, sheet: Path, training: str, follows: tuple[Follow, ...]) -> str:
    """A page of its own: the film beside it, everything else inside."""
    rows = "".join(
        f"<tr><td>{escape(follow.seen)} and {escape(follow.heard)}</td>"
        f"<td class=n>{follow.own:+.2f}</td><td class=n>{follow.others:+.2f}</td>"
        f"<td class=n>{follow.wins} of {len(follow.matrix)}</td></tr>"
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
<p>The model also filmed songs of every genre that it never heard. Each film's curve is compared
with its own song's and with every other song's: correlations, slow drift removed. What the other
songs get is chance and the build that songs share (quiet at first, a chorus later); its own should
get clearly more. A few songs are an impression in numbers, not a test.</p>
<table><tr><th>seen and heard</th><th>own song</th><th>other songs</th><th>own song best</th></tr>
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
