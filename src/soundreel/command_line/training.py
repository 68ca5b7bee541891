"""The verbs that teach a model: train, and look for one more look."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from soundreel.command_line.arguments import Config, read_settings
from soundreel.command_line.results import Json, plain, result
from soundreel.progress import TerminalProgress


def train(
    dataset: str,
    *,
    out: Path,
    preset: str | None = None,
    epochs: float | None = None,
    direction: Literal["sound-to-picture", "picture-to-sound"] = "sound-to-picture",
    devices: int | None = None,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Train a model on a dataset. The same command again resumes.

    Parameters
    ----------
    dataset
        A dataset folder, or shards: a folder of them, or their address (s3://...).
    out
        The run folder: a page to watch it by (index.html), metrics, samples, checkpoints and the
        model so far.
    preset
        reel (the usual one) or reel-quick: the generator made for this task, with looks and cuts;
        quick is minutes on two cores. score (the usual one) or score-quick: from picture to
        sound. default, quick or paper: pix2pix; the last is the 2019 original's.
    epochs
        How many times to go through all pairs; a larger number continues a finished run.
    direction
        What the model makes of what.
    devices
        So many processes on this machine share the work, a GPU each where there are GPUs.

    """
    from soundreel.training.presets import Training
    from soundreel.training.run import train as run

    changes = read_settings(config, training=Training)["training"]
    made = run(
        dataset,
        out,
        preset,
        epochs=epochs,
        direction=direction,
        devices=devices,
        changes=changes,
        progress=TerminalProgress(),
    )
    if made.rank > 0:
        return 0
    return result(as_json, f"{made.model}: {made.summary}", **plain(made))


def look(
    pictures: Path,
    *,
    model: str,
    out: Path,
    name: str | None = None,
    seed: int = 0,
    as_json: Json = False,
) -> int:
    """Learn one more look from a handful of pictures; the rest of the model stays.

    Parameters
    ----------
    pictures
        A folder of pictures, or one picture.
    model
        A model of --preset reel: a model folder, a run folder or hf://owner/name. It stays.
    out
        The new model's folder. In the new look: soundreel render OUT song.mp3 --look NAME
    name
        What to call the look; by default as the folder of pictures.
    seed
        Another seed, another course of learning.

    """
    from soundreel.training.new_look import learn_look

    made = learn_look(pictures, model, out, name=name, seed=seed, progress=TerminalProgress())
    return result(as_json, made.summary, **plain(made))
