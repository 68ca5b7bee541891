"""`render`: a song and a model, or several, become a film with the song's own sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from soundreel.errors import SettingsError
from soundreel.networks.bundle import Model
from soundreel.networks.model_folder import resolve_model_folder, resolve_snapshot
from soundreel.parallel import EngineName
from soundreel.progress import Listener, silent
from soundreel.rendering.blind_pairs import BlindPairs, render_blind
from soundreel.rendering.casting import Compute
from soundreel.rendering.directed_film import Named, film_beside, film_of, film_side_by_side
from soundreel.rendering.film import Film
from soundreel.rendering.film_settings import film_settings
from soundreel.rendering.kernels import Smoothing
from soundreel.rendering.shot_list import ShotList
from soundreel.sharing.pull import local_model
from soundreel.sharing.pulled import pulled_from

#: A model folder, a run folder, `hf://owner/name`, or a model that is loaded already.
AnyModel = Path | str | Model


def render(
    model: AnyModel,
    song: Path,
    out: Path,
    *,
    epoch: Sequence[float] | float | None = None,
    others: Sequence[AnyModel] = (),
    grid: bool = False,
    beside: Path | None = None,
    start_seconds: Fraction = Fraction(0),
    stop_seconds: Fraction | None = None,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] | None = None,
    seed: int = 0,
    smooth: Smoothing | None = None,
    look: str | None = None,
    shots: ShotList | Path | None = None,
    compute: Compute = "auto",
    workers: int = 1,
    engine: EngineName = "local",
    codec: str | None = None,
    draft: bool = False,
    watch: bool = False,
    progress: Listener = silent,
) -> Film:
    """Write a film of a song: one picture for each 1 / fps seconds, and the song's own sound.

    model: a model folder, a run folder, `hf://owner/name`, or a model that is loaded already.
    song: any file with sound in it; start and stop choose a span of it.
    out: .mp4, .webm, .mov (ProRes) or .gif (of 10 s where no stop is given), or a name without a
      suffix for a folder of PNG files.
    epoch: the snapshot of this epoch, from a run folder; of several, a film each:
      film-epoch-95.mp4 and so on for film.mp4.
    others: more models. They take turns with the first from section to section of the song,
      or as the shot list says.
    grid: the pictures of several models or epochs side by side in one film instead.
    beside: a video; what it shows at the same times is put beside the made picture.
    size: width and height; by default as high as the recipe's frames, in the clips' own shape.
      Of a grid, or beside a video: the whole film's; by default each picture has that size.
    seed: for models that draw noise when they generate; the same seed gives the same film.
    smooth: how neighbouring frames are evened out (see `shot_list.Look`); None: as the shot list
      says, without one "beats".
    look: of a model that has learnt several: "auto" (of the training clip that sounds nearest),
      "average", a clip, "a:0.7,b:0.3", "walk:sections", "walk:4 bars"; None: as the shot list
      says, without one "auto".
    shots: a shot list, or the file of one (see `shot_list`).
    compute: the engine that generates; "auto": the fastest one here of those that are faithful.
    workers, engine, codec, draft, watch: see `making.Making`. A draft takes about a tenth of
      the time: a few pictures a second and what lies between them, at half the frame rate and
      half the size.

    A film appears under its name only when it is whole. Until then its parts lie beside it: the
    same call again goes on with them, and ends with the same file.

    Raises: ModelError, MediaError (song or video), SettingsError (epochs, span, size, kind of
    file, shot list, look), SharingError, StorageError.
    """
    settings = film_settings(
        out,
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
        fps=fps,
        size=size,
        seed=seed,
        smooth=smooth,
        look=look,
        shots=shots,
        compute=compute,
        workers=workers,
        engine=engine,
        codec=codec,
        draft=draft,
        watch=watch,
    )
    epochs = _epochs(epoch)
    if grid and len(epochs) + len(others) < 2 and not others:
        raise SettingsError(
            "--grid shows several models side by side: add --epoch 95,180,200, or --with MODEL"
        )
    if beside is not None and (grid or len(epochs) > 1):
        raise SettingsError("--beside shows one film beside the video: leave out --grid")
    firsts = _firsts(model_here(model, progress), epochs)
    seconds = _others(others, progress)
    models = _told_apart([*firsts, *seconds])
    if grid:
        return film_side_by_side(models, song, out, settings, progress)
    if beside is not None:
        return film_beside(models, song, beside, out, settings, progress)
    if len(firsts) == 1:
        return film_of(models, song, out, settings, progress)
    films = [
        film_of([first, *seconds], song, _named(out, one), settings, progress, f"render {first[0]}")
        for one, first in zip(epochs, firsts, strict=True)
    ]
    return replace(films[0], paths=tuple(film.path for film in films))


def render_ab(
    model: AnyModel,
    song: Path,
    swapped: Path,
    out: Path,
    *,
    epoch: Sequence[float] | float | None = None,
    others: Sequence[AnyModel] = (),
    progress: Listener = silent,
    **wishes: Any,
) -> BlindPairs:
    """Write a blind pair of films of a song, or of each song of a folder, and a page to vote on.

    See `blind_pairs.render_blind`; wishes: what else `render` takes.

    Raises: as `render`; SettingsError for what makes no single film (several epochs, a grid).
    """
    epochs = _epochs(epoch)
    for name in ("grid", "beside", "watch"):
        if wishes.pop(name, None):
            raise SettingsError(f"--ab makes two films to compare: leave out --{name}")
    if len(epochs) > 1:
        raise SettingsError("--ab compares films of one model: give one epoch")
    settings = film_settings(out, **wishes)
    models = [*_firsts(model_here(model, progress), epochs), *_others(others, progress)]
    return render_blind(_told_apart(models), song, swapped, out, settings, progress)


def model_here(model: AnyModel, progress: Listener = silent) -> AnyModel:
    """A model on this machine: one on the Hub is pulled, all else is as it was.

    Raises: SharingError, ModelError.
    """
    return model if isinstance(model, Model) else local_model(model, progress)


def _firsts(model: AnyModel, epochs: Sequence[float]) -> list[Named]:
    """The model that was given, or its snapshots, each with a name for people."""
    if isinstance(model, Model):
        if epochs:
            raise ValueError("epochs are chosen from a run folder: give its path, not a model")
        return [(_name_of(model), model)]
    if epochs:
        return [(f"epoch {one:g}", resolve_snapshot(model, one)) for one in epochs]
    return [(_name_of(model), resolve_model_folder(model))]


def _others(others: Sequence[AnyModel], progress: Listener) -> list[Named]:
    here = [model_here(one, progress) for one in others]
    return [
        (_name_of(one), one if isinstance(one, Model) else resolve_model_folder(one))
        for one in here
    ]


def _name_of(model: AnyModel) -> str:
    """What a person calls a model: its folder's name, a run's own rather than "model"."""
    folder = (model.folder if isinstance(model, Model) else Path(model)).absolute()
    address = pulled_from(folder)
    if address is not None:
        return address.name
    if folder.parent.name == "snapshots":
        return folder.name.replace("-", " ", 1)
    return folder.parent.name if folder.name in ("model", "best") else folder.name


def _told_apart(models: Sequence[Named]) -> list[Named]:
    """Models with a name of their own each: of two called run the second becomes run (2)."""
    names = [name for name, _ in models]
    return [
        (name if name not in names[:place] else f"{name} ({place + 1})", model)
        for place, (name, model) in enumerate(models)
    ]


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
