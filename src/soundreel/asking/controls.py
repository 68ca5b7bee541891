"""Controls: models of the same settings, trained on songs that are swapped and turned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soundreel.asking.filming import film_clips
from soundreel.asking.settings import Question
from soundreel.dataset.loading import Pairs
from soundreel.dataset.store import Dataset
from soundreel.dataset.swapped import swapped_dataset
from soundreel.errors import ModelError
from soundreel.evidence.clip_moments import FEWEST_MOMENTS
from soundreel.evidence.usefulness import usefulness
from soundreel.networks.bundle import Model, load_model
from soundreel.progress import Listener
from soundreel.training.run import train
from soundreel.training.source import pairs_identity

#: Beside the report: each control's dataset and run.
CONTROLS = ".controls"


def _run_config(model: Model) -> dict[str, Any] | None:
    """The config of the run that a model lies in, if it lies in one."""
    path = model.folder.parent / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return config if config.get("format") == "soundreel-run" else None


def trained_here(model: Model, training: Pairs) -> bool | None:
    """Whether the run says that it learnt from these very pairs; None: no run says anything."""
    config = _run_config(model)
    if config is None:
        return None
    told: Mapping[str, Any] = config.get("dataset", {}).get("training", {})
    return told.get("places") == pairs_identity(training)["places"]


def settings_of(model: Model) -> tuple[str, dict[str, Any]]:
    """The preset and the settings that a model was trained with. Raises: ModelError."""
    config = _run_config(model)
    if config is None:
        raise ModelError(
            f"{model.folder}: lies in no run folder, so its controls' settings are not known: give "
            "the run folder"
        )
    return config["preset"], {k: v for k, v in config["settings"].items() if v is not None}


def control_score(
    dataset: Dataset,
    held_out: Sequence[Pairs],
    model: Model,
    out: Path,
    number: int,
    step: float,
    question: Question,
    progress: Listener,
) -> float:
    """The usefulness, on the same songs, of a model of the same settings trained on swapped songs.

    Kept beside the report; the same call again goes on where it stopped.
    """
    preset, settings = settings_of(model)
    folder = out.with_name(out.stem + CONTROLS) / str(number)
    swapped = swapped_dataset(dataset, folder / "dataset", number, progress, turned=True)
    made = train(
        swapped.folder,
        folder / "run",
        preset,
        changes={**settings, "seed": number},
        progress=progress,
    )
    clips = film_clips(
        load_model(made.model), held_out, question.model_moments, step, question.seed, progress
    )
    clips = [clip for clip in clips if len(clip.times_seconds_T) >= FEWEST_MOMENTS]
    found = usefulness(
        [clip.made_TD for clip in clips],
        [clip.truth_TD for clip in clips],
        times_by_clip=[clip.times_seconds_T for clip in clips],
        draws=99,
        seed=question.seed,
    )
    return found.effect
