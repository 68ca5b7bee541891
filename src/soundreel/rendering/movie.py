"""`render`: a song and a model become a film with the song's own sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from soundreel.errors import SettingsError
from soundreel.networks.bundle import Model, load_model, resolve_model_folder, resolve_snapshot
from soundreel.progress import Listener, silent
from soundreel.rendering.film import Film, Span, film_size, scaled, song_span, write_film
from soundreel.rendering.generate import film_pictures
from soundreel.rendering.grid import render_grid


def render(
    model: Path | str | Model,
    song: Path,
    out: Path,
    *,
    epoch: Sequence[float] | float | None = None,
    grid: bool = False,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] | None = None,
    seed: int = 0,
    progress: Listener = silent,
) -> Film:
    """Write a film of a song: one picture for each 1 / fps seconds, and the song's own sound.

    model: a model folder, a run folder, or a model that is loaded already.
    song: any file with sound in it; start and stop choose a span of it.
    out: .mp4, .webm or .gif, or a name without a suffix for a folder of PNG files.
    epoch: the snapshot of this epoch, from a run folder; of several, a film each:
      film-epoch-95.mp4 and so on for film.mp4.
    grid: the pictures of several epochs side by side in one film instead.
    size: width and height; by default as high as the recipe's frames, in the clips' own shape.
      Of a grid: the whole film's; by default each picture has that size.
    seed: for models that draw noise when they generate; the same seed gives the same film.

    A film appears under its name only when it is whole.

    Raises: ModelError, MediaError (song), SettingsError (epochs, span, size, kind of file),
    StorageError.
    """
    epochs = _epochs(epoch)
    if grid and len(epochs) < 2:
        raise SettingsError("--grid shows several epochs side by side: add --epoch 95,180,200")
    if isinstance(model, Model):
        if epochs:
            raise ValueError("epochs are chosen from a run folder: give its path, not a model")
        chosen: list[Path | Model] = [model]
    elif epochs:
        chosen = [resolve_snapshot(model, one) for one in epochs]
    else:
        chosen = [resolve_model_folder(model)]
    if grid:
        return render_grid(
            [(f"epoch {one:g}", _loaded(each)) for one, each in zip(epochs, chosen, strict=True)],
            song,
            out,
            start_seconds=start_seconds,
            stop_seconds=stop_seconds,
            fps=fps,
            size=size,
            seed=seed,
            progress=progress,
        )
    span = song_span(song, start_seconds, stop_seconds)
    if len(chosen) == 1:
        return _film(chosen[0], span, out, fps, size, seed, progress, "render")
    films = [
        _film(each, span, _named(out, one), fps, size, seed, progress, f"render epoch {one:g}")
        for one, each in zip(epochs, chosen, strict=True)
    ]
    return replace(films[0], paths=tuple(film.path for film in films))


def _film(
    model: Path | Model,
    span: Span,
    out: Path,
    fps: Fraction,
    size: tuple[int, int] | None,
    seed: int,
    progress: Listener,
    task: str,
) -> Film:
    loaded = _loaded(model)
    width, height = film_size(loaded.recipe) if size is None else size
    frames = film_pictures(loaded, span.song, span.start_seconds, span.frames(fps), fps, seed)
    pictures = (scaled(frame_HWC, width, height) for frame_HWC in frames)
    return write_film(out, span, pictures, width, height, fps, seed, progress, task)


def _loaded(model: Path | Model) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def _epochs(epoch: Sequence[float] | float | None) -> tuple[float, ...]:
    if epoch is None:
        return ()
    epochs = (epoch,) if isinstance(epoch, int | float) else tuple(epoch)
    for place, one in enumerate(epochs):
        if one in epochs[:place]:
            raise SettingsError(f"--epoch names {one:g} twice: name each epoch once")
    return epochs


def _named(out: Path, epoch: float) -> Path:
    """Where one of several films goes: film.mp4 -> film-epoch-95.mp4."""
    # A folder of PNG files has no suffix: the point of epoch 0.5 must not make one.
    number = f"{epoch:g}" if out.suffix else f"{epoch:g}".replace(".", "_")
    return out.with_name(f"{out.stem}-epoch-{number}{out.suffix}")
