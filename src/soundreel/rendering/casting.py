"""Casting: which models see a song, and which engine computes each of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from soundreel.networks.bundle import Model, describe_model, require_direction
from soundreel.progress import Listener, Step
from soundreel.recipe import Recipe
from soundreel.rendering.cues import CueTrack
from soundreel.rendering.engines import Choice, EngineName, choose_engine
from soundreel.rendering.film import Span
from soundreel.rendering.generate import song_windows
from soundreel.rendering.shoot import Eye, keep_open
from soundreel.seeding import seed_for
from soundreel.timeline import frame_shown_at

#: Windows of the song on which engines are compared with float32.
_TRIAL_WINDOWS = 16
#: They lie within so much of the span: a song of hours need not be decoded for them.
_TRIAL_SECONDS = Fraction(180)

Compute = EngineName | Literal["auto"]


def cast(
    name: str,
    model: Path | Model,
    span: Span,
    seed: int,
    compute: Compute,
    progress: Listener,
    known_engines: dict[str, str] | None = None,
    track: CueTrack | None = None,
) -> tuple[Eye, Choice | None]:
    """A model made ready to see a song, with the engine that is to compute it.

    model: a model folder, or a model that is loaded already and computes as it does.
    compute: an engine by its name, or "auto": what is fastest here of those that are faithful.
    known_engines: by weights, what a film that goes on began with; "auto" stays with it.
    track: the cues of the film's frames, for a `reel`.

    Raises: ModelError if the model cannot be read or goes from picture to sound, or an engine
    that was asked for cannot be had; MediaError if the song cannot be read.
    """
    if isinstance(model, Model):
        weights = str(model.config.get("weights_sha256"))
        require_direction(model.folder, model.direction, "sound-to-picture")
        return Eye(name, model, None, model.recipe, weights, seed, track), None
    described = describe_model(model)
    require_direction(described.folder, described.direction, "sound-to-picture")
    weights = described.weights_sha256
    if compute == "auto" and known_engines and weights in known_engines:
        compute = known_engines[weights]  # pyright: ignore[reportAssignmentType]  # written by us
    x_B1SS = trial_windows(described.recipe, span)
    seeds = [seed_for(seed, "trial", place) for place in range(len(x_B1SS))]
    cue_BK = None if track is None else trial_cues(track, span)
    choice = choose_engine(described.folder, x_B1SS, seeds, compute, progress, cue_BK)
    for trial in choice.trials:
        progress(Step(f"engine {trial.name}", 1, 1, "trial", trial.reason))
    keep_open(choice.engine, weights)
    eye = Eye(name, described.folder, choice.engine.name, described.recipe, weights, seed, track)
    return eye, choice


def trial_windows(recipe: Recipe, span: Span) -> Tensor:
    """Windows spread over the beginning of a span, as sound images: T x 1 x S x S."""
    step_seconds = _trial_step_seconds(span)
    return torch.cat(
        list(
            song_windows(
                recipe,
                span.song,
                span.start_seconds + step_seconds / 2,
                1 / step_seconds,
                0,
                _TRIAL_WINDOWS,
                _TRIAL_WINDOWS,
            )
        )
    )


def trial_cues(track: CueTrack, span: Span) -> Tensor:
    """The cues that the film has where `trial_windows` are: T x K."""
    step_seconds = _trial_step_seconds(span)
    times = [step_seconds / 2 + place * step_seconds for place in range(_TRIAL_WINDOWS)]
    return track.cues([frame_shown_at(one, track.fps) for one in times])


def _trial_step_seconds(span: Span) -> Fraction:
    return min(span.seconds, _TRIAL_SECONDS) / _TRIAL_WINDOWS
