"""The settings that only `score` has: the table [training.score] of a --config file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ScoreSettings(BaseModel):
    """How a `score` is trained, beside what every generator needs. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heard: Literal["mel", "dataset"] = "mel"
    """The sound images that it makes: `mel`, computed from the dataset's sound whatever its own
    recipe says, or those of the dataset. Of mel's segments, which overlap eightfold, a sound can
    be made; those of the default recipe hardly overlap, and leave its phases open."""
    step_seconds: float = Field(default=1 / 15, gt=0, le=1)
    """Between the frames of a window that are seen; of a dataset with fewer, its own step."""
    voice_dropout: float = Field(default=0.15, ge=0, lt=1)
    """Share of windows that are made with the average voice in place of their clip's own."""
    harmony_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of windows that are made without being told their harmony."""
    remembered_seconds: float = Field(default=60.0, gt=0, le=3600)
    """Of each training clip the harmony of so long from its beginning is remembered."""
    mirror: bool = True
    """Half of the windows are seen in a mirror."""
    onset_weight: float = Field(default=8.0, ge=0)
    """Of the difference in how bands rise and fall from column to column, at several widths."""
    feature_weight: float = Field(default=1.0, ge=0)
    """Of the difference in what the discriminator sees in the made and in the true image."""
    voice_learning_rate: float = Field(default=4e-3, gt=0, le=1)
    clip_gradients: float = Field(default=5.0, gt=0)
    """Longest gradient of the generator that a step takes."""
