"""Does a model use the music? The question asked of a model, on songs that it never heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from soundreel.asking.controls import control_score, settings_of, trained_here
from soundreel.asking.curves import ClipCurves
from soundreel.asking.filming import (
    FilmedClip,
    film_clips,
    made_of,
    mean_image,
    shaped,
    silence_image,
)
from soundreel.asking.gate import Leak, leaks
from soundreel.asking.gather import gather
from soundreel.asking.muted_songs import MutedSongs, mute_songs
from soundreel.asking.picture_quality import (
    LookQuality,
    Quality,
    look_qualities,
    quality_of,
    realism_in_look,
)
from soundreel.asking.plans import digest_of
from soundreel.asking.settings import Question
from soundreel.asking.shared_looks import frames_of, sharing_look, told_looks
from soundreel.atomic import write_json
from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import Dataset, Split, open_dataset
from soundreel.errors import DatasetError, ModelError
from soundreel.evidence.clip_moments import FEWEST_MOMENTS
from soundreel.evidence.look_realism import LookRealism
from soundreel.evidence.memory import Memorisation, memorisation
from soundreel.evidence.model_verdict import ModelVerdict, model_verdict
from soundreel.evidence.realism import small_pictures
from soundreel.evidence.skill import Skill, losses_by_clip, skill
from soundreel.evidence.song_sensitivity import Sensitivity, song_sensitivity
from soundreel.evidence.two_afc import TwoAfc, two_afc
from soundreel.evidence.usefulness import Usefulness, usefulness
from soundreel.networks.bundle import Model, load_model, require_direction
from soundreel.progress import Listener, Step, silent

#: Places beside the report.
MANIFEST, CURVES = ".manifest.json", ".curves"
#: Training pictures that random ones are drawn from, and that copies are looked for among.
_TRAINING_DRAWN, _TRAINING_SEARCHED = 512, 20_000
#: Pictures shown beside the training frames that they are nearest to.
NEAREST_SHOWN = 10
#: Of two songs at least is there something to swap.
_LEAST_SONGS = 2
TESTS = {
    "usefulness": "confirmatory",
    "usefulness in curves": "secondary",
    "two-way choice": "secondary",
    "skill": "secondary",
    "memorisation": "secondary",
    "quality": "descriptive",
    "muting": "exploratory",
}


@dataclass(frozen=True)
class ModelAnswer:
    """What was found of a model. `verdict`: "INVALID" where held-out clips leak.

    nearest_KHW3: the training frames that `nearest_pictures` lie nearest to, in their shape.
    in_look: the pictures beside real frames of the same look, clip by clip; looks: the same for
    each look that a `reel` chose, none for a U-Net.
    """

    verdict: str
    reasons: tuple[str, ...]
    clips: tuple[FilmedClip, ...]
    sensitivity: Sensitivity | None
    pixels: Usefulness | None
    curves: Usefulness | None
    skill: Skill | None
    choice: TwoAfc | None
    memory: Memorisation | None
    nearest_KHW3: np.ndarray | None
    quality: Quality | None
    in_look: LookRealism | None
    looks: tuple[LookQuality, ...]
    controls: tuple[float, ...]
    muted: MutedSongs | None
    made_of_mean_D: np.ndarray
    mean_frame_D: np.ndarray
    leaks: tuple[Leak, ...]
    model: Model
    dataset: Dataset
    manifest: dict[str, Any]
    digest: str


def ask_model(
    dataset_place: str | Path,
    model_place: str | Path,
    out: Path,
    question: Question,
    controls: int = 0,
    stems: Path | None = None,
    workers: int = 1,
    progress: Listener = silent,
) -> ModelAnswer:
    """Ask whether a model uses the songs that a dataset held out of its training.

    controls: models of the same settings, to be trained on swapped songs (0: none).
    stems: a folder with separated tracks of each clip, for the muting.

    Raises: DatasetError if fewer than two clips are held out, or it has no sound; ModelError for
    a model of the other direction or another recipe, or controls for one without its run folder.
    """
    dataset = open_dataset(Path(dataset_place))
    model = load_model(str(model_place))
    require_direction(model.folder, model.direction, "sound-to-picture")
    _check_recipe(dataset, model)
    if controls > 0:
        settings_of(model)
    splits: tuple[Split, ...] = ("val", "test")
    held_out = [load_pairs(dataset, split, progress) for split in splits if dataset.clips(split)]
    names = [name for pairs in held_out for name in pairs.clip_ids]
    if len(names) < _LEAST_SONGS:
        raise DatasetError(
            f"{dataset.folder}: holds out {len(names)} clip(s): a model is asked with two or more "
            "songs that it never heard, prepare with a larger held_out_fraction"
        )
    training = load_pairs(dataset, "train", progress)
    found = _leaks(dataset, out, set(names), workers, progress)
    manifest = {
        "protocol": 1,
        "model": model.config.get("weights_sha256"),
        "trained_on_this_split": trained_here(model, training),
        "training_clips": list(training.clip_ids),
        "held_out_clips": names,
        "held_out_frames": sum(len(pairs) for pairs in held_out),
        "question": question.model_dump(mode="json"),
        "controls": controls,
        "tests": TESTS,
        "leaks": [leak.line for leak in found],
    }
    write_json(out.with_name(out.stem + MANIFEST), manifest)
    step = float(dataset.recipe.step_seconds(dataset.clips("train")[0].fps))
    clips = film_clips(model, held_out, question.model_moments, step, question.seed, progress)
    clips = [clip for clip in clips if len(clip.times_seconds_T) >= FEWEST_MOMENTS]
    if len(clips) < _LEAST_SONGS:
        raise DatasetError(
            f"{dataset.folder}: {len(clips)} of its held-out clips have {FEWEST_MOMENTS} frames or "
            "more: a model is asked with two or more"
        )
    mean_D = made_of(model, mean_image(training), question.seed)
    common: dict[str, Any] = {
        "clips": tuple(clips),
        "made_of_mean_D": mean_D,
        "mean_frame_D": _mean_frame(training),
        "leaks": tuple(found),
        "model": model,
        "dataset": dataset,
        "manifest": manifest,
        "digest": digest_of(manifest),
    }
    if found:
        nothing = dict.fromkeys(
            (
                "sensitivity",
                "pixels",
                "curves",
                "skill",
                "choice",
                "memory",
                "nearest_KHW3",
                "quality",
                "in_look",
            )
        )
        lines = tuple(leak.line for leak in found)
        return ModelAnswer("INVALID", lines, looks=(), controls=(), muted=None, **nothing, **common)
    made, truth = [clip.made_TD for clip in clips], [clip.truth_TD for clip in clips]
    times: Any = {"times_by_clip": [clip.times_seconds_T for clip in clips]}
    many: Any = {"draws": question.draws, "seed": question.seed}
    tests = 5
    progress(Step("test the model", 0, tests, "tests", "usefulness"))
    sensitivity = song_sensitivity(
        made, truth, mean_D, made_of(model, silence_image(model), question.seed)
    )
    pixels = usefulness(made, truth, **times, **many)
    in_curves = usefulness(
        [clip.made_curves_TP for clip in clips],
        [clip.truth_curves_TP for clip in clips],
        each_column=True,
        **times,
        **many,
    )
    progress(Step("test the model", 1, tests, "tests", "skill"))
    losses = losses_by_clip(
        made,
        truth,
        made_of_mean_D=mean_D,
        training_frames_ND=_small_frames(training, _TRAINING_DRAWN),
        mean_frame_D=common["mean_frame_D"],
        seed=question.seed,
        **times,
    )
    skilled = skill(losses, question.draws, question.seed)
    progress(Step("test the model", 2, tests, "tests", "two-way choice"))
    choice = two_afc(made, truth, **times, **many)
    progress(Step("test the model", 3, tests, "tests", "memorisation"))
    searched_MHW3 = _frames(training, _TRAINING_SEARCHED)
    remembered = memorisation(
        np.concatenate([clip.made_KHW3 for clip in clips]),
        searched_MHW3,
        np.concatenate([clip.truth_KHW3 for clip in clips]),
        question.seed,
    )
    progress(Step("test the model", 4, tests, "tests", "quality"))
    quality = quality_of(clips, step, question.seed)
    told = told_looks(dataset.clips())
    others = [_others(clip, training, told, model.picture_shape) for clip in clips]
    in_look = realism_in_look(clips, others, question.seed)
    progress(Step("test the model", tests, tests, "tests"))
    muted = mute_songs(model, dataset, held_out, stems, question.seed, progress)
    scores = tuple(
        control_score(dataset, held_out, model, out, number, step, question, progress)
        for number in range(controls)
    )
    found_out: ModelVerdict = model_verdict(
        sensitivity,
        pixels,
        scores,
        skill=skilled,
        two_afc=choice,
        delta=question.delta_model,
        alpha=question.alpha,
    )
    return ModelAnswer(
        verdict=found_out.verdict,
        reasons=tuple(found_out.reasons),
        sensitivity=sensitivity,
        pixels=pixels,
        curves=in_curves,
        skill=skilled,
        choice=choice,
        memory=remembered,
        nearest_KHW3=shaped(
            searched_MHW3[remembered.nearest_N[nearest_pictures(remembered)]], model.picture_shape
        ),
        quality=quality,
        in_look=in_look,
        looks=tuple(look_qualities(clips, in_look, pixels.score_VV, told)),
        controls=scores,
        muted=muted,
        **common,
    )


def nearest_pictures(memory: Memorisation) -> np.ndarray:
    """The few made pictures that lie nearest to a training frame: places, the nearest first."""
    return np.argsort(memory.distance_N, kind="stable")[:NEAREST_SHOWN]


def _check_recipe(dataset: Dataset, model: Model) -> None:
    """A model hears a dataset's sound only if both mean the same by a sound image."""
    for name in ("representation", "sample_rate_hz", "channel", "window_samples", "hop_samples"):
        ours, theirs = getattr(dataset.recipe, name), getattr(model.recipe, name)
        if ours != theirs:
            raise ModelError(
                f"{model.folder}: was trained with {name} = {theirs}, the dataset "
                f"{dataset.folder} has {ours}: ask it with the dataset that it was trained on"
            )


def _leaks(
    dataset: Dataset, out: Path, held_out: set[str], workers: int, progress: Listener
) -> list[Leak]:
    """What clips that were trained on share with clips that were held out."""
    gathered = gather(
        [dataset.folder],
        out.with_name(out.stem + CURVES),
        workers=workers,
        progress=progress,
    )
    clips: Sequence[ClipCurves] = gathered.clips
    found = leaks(clips, range(len(clips)))
    return [leak for leak in found if (leak.first in held_out) != (leak.second in held_out)]


def _others(
    clip: FilmedClip, training: Pairs, told: Mapping[str, str], shape: tuple[int, int]
) -> np.ndarray:
    """Training frames of a held-out clip's look: told, else of the look that was chosen for it."""
    sharing = sharing_look(clip.id, training.clip_ids, told)
    if clip.id not in told and clip.look is not None and clip.look in training.clip_ids:
        sharing = [clip.look]
    return frames_of(training, sharing, shape)


def _frames(pairs: Pairs, most: int) -> np.ndarray:
    """Training frames, evenly spread: N x S x S x 3 uint8."""
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(most, len(pairs))).round())
    frames_N3SS = pairs.frames_N3HW[chosen.astype(np.int64)]
    return np.ascontiguousarray(frames_N3SS.transpose(0, 2, 3, 1))


def _small_frames(pairs: Pairs, most: int) -> np.ndarray:
    small = small_pictures(_frames(pairs, most)).astype(np.float32)
    return (small / 127.5 - 1).reshape(len(small), -1)


def _mean_frame(pairs: Pairs) -> np.ndarray:
    return _small_frames(pairs, 4_096).mean(axis=0)
