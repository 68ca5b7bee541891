"""Where a model lies: its folder, in a run folder the model so far, and what its config says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

from soundreel.errors import ModelError

Direction = Literal["sound-to-picture", "picture-to-sound"]
Architecture = Literal["unet", "reel", "score"]

CONFIG = "config.json"
FORMAT = "soundreel-model"
FORMAT_VERSION = 1


def resolve_model_folder(place: Path | str) -> Path:
    """The model folder that a person means: itself, or in a run folder the model so far.

    In a run folder that is `best/`, where the run was asked to keep its best, else `model/`.

    Raises: ModelError if there is none.
    """
    place = Path(place)
    if not place.exists() and not previous_folder(place).exists():
        raise ModelError(f"{place}: there is no such folder: give a model folder or a run folder")
    for name in ("best", "model"):
        if (inside := _whole(place / name)) is not None:
            return inside
    if (place / "metrics.jsonl").exists() or (place / "checkpoints").is_dir():
        raise ModelError(f"{place}: this run has no model yet: let it train a little longer")
    if (itself := _whole(place)) is not None:
        return itself
    raise ModelError(
        f"{place}: not a model folder (no {CONFIG} in it or in model/): "
        "give a folder that `soundreel train` made"
    )


def resolve_snapshot(place: Path | str, epoch: float) -> Path:
    """The model folder of an epoch in a run folder: `snapshots/epoch-95`, or the run's own model.

    epoch: how often every pair had been seen, such as 95 or 0.5. The run's model is that of the
      epoch that its training reached, to within the step that went over it.

    Raises: ModelError if there is none of that epoch.
    """
    place = Path(place)
    snapshot = _whole(place / "snapshots" / f"epoch-{epoch:g}")
    if snapshot is not None:
        return snapshot
    kept = _snapshot_epochs(place)
    final = _whole(place / "model") or (None if kept else resolve_model_folder(place))
    if final is not None:
        training = read_config(final).get("training")
        training = training if isinstance(training, dict) else {}
        reached, steps = training.get("epochs"), training.get("steps")
        if isinstance(reached, int | float):
            # The first step at or past an epoch ends it: where pairs do not divide into batches,
            # that is a little past it.
            step = reached / steps if isinstance(steps, int) and steps else 0
            if f"{reached:g}" == f"{epoch:g}" or epoch <= reached < epoch + step:
                return final
            kept.add(float(f"{reached:g}"))
    names = ", ".join(f"{one:g}" for one in sorted(kept))
    raise ModelError(
        f"{place}: no snapshot of epoch {epoch:g} (it has {names or 'none'}): choose another, or "
        f"train with keep_epochs = [{epoch:g}] under [training] in a --config file"
    )


def _snapshot_epochs(place: Path) -> set[float]:
    """The epochs of which a run folder holds a whole snapshot."""
    epochs = set()
    for folder in (place / "snapshots").glob("*epoch-*"):
        name = folder.name.removeprefix(".").removesuffix(".previous").removeprefix("epoch-")
        if name.replace(".", "", 1).isdecimal() and _whole(folder.with_name(f"epoch-{name}")):
            epochs.add(float(name))
    return epochs


def _whole(folder: Path) -> Path | None:
    """A model folder under its own name, or the other one while it is being replaced."""
    for candidate in (folder, previous_folder(folder)):
        if (candidate / CONFIG).is_file():
            return candidate
    return None


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model folder, checked as far as whose it is.

    Raises: ModelError if it cannot be read, is another program's, or newer than this one.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}): fetch the model again") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ModelError(f"{path}: not the config of a Soundreel model: give another folder")
    version = config.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ModelError(
            f"{path}: format {version!r} is newer than this program's {FORMAT_VERSION}: "
            "update soundreel"
        )
    if config.get("direction") not in get_args(Direction):
        raise ModelError(f"{path}: direction {config.get('direction')!r} is unknown")
    if config.get("architecture") not in get_args(Architecture):
        raise ModelError(
            f"{path}: architecture {config.get('architecture')!r} is unknown: update soundreel"
        )
    return config


def previous_folder(folder: Path) -> Path:
    """Where a model folder stands aside while a new one takes its place."""
    return folder.with_name(f".{folder.name}.previous")
