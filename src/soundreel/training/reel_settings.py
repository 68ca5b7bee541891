"""The settings that only `reel` has: the table [training.reel] of a --config file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ReelSettings(BaseModel):
    """How a `reel` is trained, beside what every generator needs. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    consecutive: int = Field(default=2, ge=1, le=4)
    """Neighbouring frames that are drawn and judged together: what a step learns from is `batch`
    times as many."""
    look_dropout: float = Field(default=0.15, ge=0, lt=1)
    """Share of moments that are drawn with the average look in place of their clip's own."""
    reference_seconds: float = Field(default=0.25, ge=0, le=10)
    """The reference codes are of frames of the same shot up to so far away."""
    reference_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of moments whose reference code is drawn at random."""
    reference_light: float = Field(default=0.3, ge=0, lt=1)
    """The frame that the code is of is made brighter or darker, and its colours stronger or
    weaker, by up to this share: brightness and hue are to be learnt from the sound."""
    code_channels: int = Field(default=8, ge=1, le=64)
    """Numbers at each place of the reference code's map."""
    code_side: Literal[8, 16] = 8
    """The longer side of the reference code's map."""
    tone: bool = True
    """Whether the reference code also tells its shot's tone: how mean colour and contrast of the
    whole shot differ from the clip's, which neither a moment's sound nor the look can tell."""
    tone_noise: float = Field(default=0.1, ge=0, le=1)
    """Standard deviation of what is added to the tone in training: a shot is not to be known by
    it."""
    mirror: bool = True
    """Half of the moments are seen in a mirror: their frames, not their sound."""
    zoom: float = Field(default=0.12, ge=0, lt=0.5)
    """Moments are cropped, by up to this share of their sides at a place of their own. What the
    model remembers of a shot is framed so, too, once for all: films are no copies of it."""
    divergence_weight: float = Field(default=1e-4, ge=0)
    """Of the reference code's Kullback-Leibler divergence, in nats."""
    motion_weight: float = Field(default=5.0, ge=0)
    """Of the difference in how much neighbouring pictures differ."""
    feature_weight: float = Field(default=1.0, ge=0)
    """Of the difference in what the discriminator sees in the drawn and in the true pictures."""
    wrong_sound_weight: float = Field(default=0.5, ge=0)
    """Of true pictures with the sound of another moment, which are to be judged as made."""
    look_learning_rate: float = Field(default=4e-3, gt=0, le=1)
    clip_gradients: float = Field(default=5.0, gt=0)
    """Longest gradient of the generator that a step takes."""
    references: int = Field(default=4096, ge=1, le=65_536)
    """Training frames that the model remembers, spread evenly: their sound and reference codes."""
