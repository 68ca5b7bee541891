"""In whose voice a film's sound is composed: `--look` for models from picture to sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor

from soundreel.errors import SettingsError
from soundreel.networks.bundle import Model
from soundreel.networks.score import Score
from soundreel.networks.score_voices import SoundCue, Voice, clips_voice, nearest_clips
from soundreel.rendering.looks import AUTO, look_name, look_shares, read_look
from soundreel.seeding import numpy_generator_for
from soundreel.timeline import frame_count, frame_shown_at

#: Of frames that come one after the other the voice is chosen by so many, in so many windows.
_HEARD_SECONDS, _WINDOWS = Fraction(10), 12


@dataclass(frozen=True)
class Voicing:
    """How a film sounds, settled.

    name: the voice in words; empty for a model without voices. cue: what the windows that end at
    these times of the film are composed with; None for a model without voices.
    """

    name: str
    cue: Callable[[Sequence[Fraction]], SoundCue | None]


def voicing(
    model: Model, look: str | None, windows: Callable[[], Tensor], seed: int = 0
) -> Voicing:
    """The voice that a film is composed in.

    look: auto (None): the training clip that most of the film's windows look like; average, a
      training clip or "a:0.7,b:0.3". A mixture plays the harmony of its largest part; the average
      voice has none.
    windows: asked for some of the film's windows, B x F x 3 x H x W in [-1, 1], where needed.
    seed: 0 begins where the clip's harmony begins, another somewhere in it.

    Raises: SettingsError for a look that the model has not, or of a model without voices.
    """
    score = model.generator
    if not isinstance(score, Score):
        if look is not None:
            raise SettingsError(
                f"{model.folder}: has no voices to choose from: leave out --look, or train one "
                "with --preset score"
            )
        return Voicing("", lambda _: None)
    wish = read_look(look or AUTO)
    if wish.walk is not None:
        raise SettingsError(
            f"look {wish.text!r}: a film is composed in one voice: write auto, average, a "
            'training clip or "a:0.7,b:0.3"'
        )
    if wish.named:
        shares = look_shares(wish, model.looks)
    else:
        nearest = int(nearest_clips(score, windows().to(score.voice_NV.device)).mode().values)
        shares = tuple(float(clip == nearest) for clip in range(len(model.looks) + 1))
    voice = _begun_anywhere(
        score, clips_voice(score, {n: share for n, share in enumerate(shares) if share}), seed
    )
    name = look_name(shares, model.looks)
    return Voicing(
        name if wish.named else f"{AUTO} -> {name}",
        lambda ends: voice.cue(score, model.recipe, [float(end) for end in ends]),
    )


def voicing_of_frames(
    model: Model, look: str | None, frames: Iterable[np.ndarray], fps: Fraction, seed: int = 0
) -> tuple[Voicing, Iterator[np.ndarray]]:
    """As `voicing`, for frames that come one after the other: by the first ten seconds of them.

    frames: H x W x 3 uint8. Returns the voice, and all the frames again. The voice of no frames
    is that of a model without voices.
    """
    frames = iter(frames)
    head = list(islice(frames, frame_count(_HEARD_SECONDS, fps)))
    if not head:
        return Voicing("", lambda _: None), frames
    before_F = [frame_shown_at(before, fps) for before in model.seen_before_seconds]
    every = max(1, len(head) // _WINDOWS)

    def windows() -> Tensor:
        shown_BF = [
            [head[max(0, newest - before)] for before in before_F]
            for newest in range(every - 1, len(head), every)
        ]
        byte_BFHW3 = torch.from_numpy(np.array(shown_BF))
        return byte_BFHW3.permute(0, 1, 4, 2, 3).float().div(127.5).sub(1)

    return voicing(model, look, windows, seed), chain(head, frames)


def _begun_anywhere(score: Score, voice: Voice, seed: int) -> Voice:
    if seed == 0 or voice.harmony_clip is None:
        return voice
    stretches = int(torch.count_nonzero(score.harmony_clip_Q == voice.harmony_clip))
    begin = int(numpy_generator_for(seed, "harmony").integers(max(1, stretches)))
    return Voice(voice.voice_V, voice.harmony_clip, begin)
