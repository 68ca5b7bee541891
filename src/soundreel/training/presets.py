"""How to train: every number of it, and three ways that are known to work."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from soundreel.errors import SettingsError
from soundreel.networks.model_folder import Direction
from soundreel.settings import explain
from soundreel.training.reel_settings import ReelSettings
from soundreel.training.score_settings import ScoreSettings


class Training(BaseModel):
    """How a model is trained. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # --- the generator (see networks.unet and networks.reel) and the discriminator
    architecture: Literal["unet", "reel", "score"] = "unet"
    """unet: pix2pix; reel: made for this task, with looks and reference codes; score: for the
    other direction, from the frames of a whole window to its sound, with voices."""
    reel: ReelSettings = ReelSettings()
    """What only `reel` has; of what follows, norms, biases, dropout, sound_channels, scale_to and
    mirror are pix2pix's alone."""
    score: ScoreSettings = ScoreSettings()
    """What only `score` has, which has neither what is pix2pix's alone nor any augmentation of
    sound: that is what it is to make, as it is."""
    size: Literal[64, 128, 256, 512] = 256
    """Rows and columns of the pictures inside the network; of `reel`'s the longer side. `score`
    sees small frames always, and makes sound images as large as the recipe's."""
    width: int = Field(64, ge=4, le=256)
    """Channels after the generator's first layer; of `reel` and `score`, an eighth of the
    widest."""
    discriminator_width: int = Field(64, ge=4, le=256)
    norm: Literal["batch", "frozen-batch", "instance", "group", "none"] = "frozen-batch"
    bias_before_norm: bool = False
    innermost_norm: bool = False
    dropout: float = Field(0.5, ge=0, lt=1)
    dropout_at_generation: bool = False
    sound_channels: Literal[1, 3] = 1
    """3: the sound image enters three times the same, as the paper's did."""

    # --- what is done to a pair before the networks see it
    scale_to: int | None = None
    """Scale both pictures of a pair to this size and crop `size` from a random place."""
    mirror: bool = False
    """Mirror half of the pairs, both pictures: reverses time in the sound image."""
    gain_db: float = Field(0.0, ge=0, le=40)
    """Sound louder or softer by up to this, before its sound image is made."""
    time_mask: float = Field(0.0, ge=0, le=0.5)
    """Silence a stretch of the sound image, up to this share of its columns (SpecAugment)."""
    band_mask: float = Field(0.0, ge=0, le=0.5)
    """Silence a band of the sound image, up to this share of its rows."""
    jitter_seconds: float = Field(0.0, ge=0, le=1)
    """Hear a window that ends up to this much before or after the frame."""
    balance_clips: bool = False
    """Draw every clip equally often in an epoch, so that a long one does not dominate."""

    # --- optimisation
    batch: int = Field(1, ge=1, le=1024)
    """Pairs that a step learns from, over all processes together."""
    automatic_batch: bool = False
    """Double `batch` as long as that makes training faster; kept with the run."""
    accumulate: int = Field(1, ge=1, le=256)
    """Go through a batch in so many parts: the gradients of the whole in the memory of a part."""
    epochs: float | None = Field(None, gt=0)
    """How many times every pair is seen; or `steps`, not both."""
    steps: int | None = Field(None, ge=1)
    learning_rate: float = Field(2e-4, gt=0, le=1)
    discriminator_learning_rate: float = Field(2e-4, gt=0, le=1)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """linear: constant for the first half, then down to 0; cosine: half a cosine down to 0."""
    l1_weight: float = Field(100.0, ge=0)
    gan_weight: float = Field(1.0, ge=0)
    """0: no discriminator at all."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Generate with a running average of the weights, this much of the old kept each step."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """auto: bf16 where the processor computes it; what it came to is kept with the run."""
    threads: Literal["all", "free"] = "all"
    """all: a thread a core; free: as many as other programs leave cores free, looked at every
    second. A run that was stopped then no longer ends with the very same bits."""
    step_engine: Literal["eager", "compiled", "graph"] = "eager"
    """compiled: the networks through torch.compile; graph: the whole step as one CUDA graph."""
    seed: int = Field(0, ge=0, lt=2**53)

    stop_on: Literal["l1", "ms_ssim", "follow"] | None = None
    """Stop early, and keep the best model, by this held-out measure (see `Measured`)."""
    patience: int = Field(10, ge=1)
    """Stop after so many measurements without a better one; with `stop_on`."""

    # --- looking and keeping, in steps
    measure_every: int = Field(500, ge=1)
    """Held-out L1 and a row in metrics.jsonl."""
    checkpoint_every: int = Field(1000, ge=1)
    sheet_every: int = Field(1000, ge=1)
    """A sample sheet in samples/."""
    sheet_rows: int = Field(6, ge=1, le=32)
    measured_pairs: int = Field(256, ge=1)
    """At most this many held-out pairs are measured, in runs of neighbours over all clips."""
    keep_epochs: tuple[float, ...] = ()
    """Keep the model of these epochs in snapshots/, to render them side by side."""

    @model_validator(mode="after")
    def _check(self) -> Training:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        if self.scale_to is not None and self.scale_to < self.size:
            raise ValueError(f"scale_to must be at least size ({self.size}): nothing to crop")
        if self.norm == "frozen-batch" and self.innermost_norm and self.batch == 1:
            raise ValueError(
                "frozen-batch with innermost_norm needs a batch of 2 or more: "
                "one value has no statistics to keep"
            )
        if self.batch % self.accumulate:
            raise ValueError(f"accumulate = {self.accumulate}: must divide batch ({self.batch})")
        if self.automatic_batch and self.accumulate > 1:
            raise ValueError("automatic_batch and accumulate exclude each other: give one")
        if self.step_engine == "graph" and (self.accumulate > 1 or self.automatic_batch):
            raise ValueError("step_engine = 'graph' needs accumulate = 1 and a batch that is given")
        if any(epoch <= 0 for epoch in self.keep_epochs):
            raise ValueError("keep_epochs must be greater than 0")
        if self.architecture != "unet":
            self._check_ours()
        if self.l1_weight == 0 and self.gan_weight == 0:
            raise ValueError("l1_weight and gan_weight are both 0: nothing to learn from")
        return self

    def _check_ours(self) -> None:
        ours = self.architecture
        if self.step_engine != "eager":
            raise ValueError(f"step_engine must be 'eager' for {ours}")
        if self.scale_to is not None or self.mirror:
            raise ValueError(
                f"scale_to and mirror are pix2pix's: {ours} has settings of its own, see "
                f"[training.{ours}]"
            )
        if self.accumulate > 1 or self.automatic_batch:
            raise ValueError(f"accumulate and automatic_batch are pix2pix's: give {ours} a batch")
        altered = self.gain_db or self.time_mask or self.band_mask or self.jitter_seconds
        if ours == "score" and altered:
            raise ValueError(
                "gain_db, time_mask, band_mask and jitter_seconds alter the sound that is heard, "
                "and score makes sound: set them to 0"
            )

    def total_steps(self, pairs: int) -> int:
        """How many steps the whole training takes with this many pairs."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return self.steps_of(self.epochs, pairs)

    def steps_of(self, epochs: float, pairs: int) -> int:
        """The step after which every pair has been seen `epochs` times."""
        return max(1, -int(-epochs * pairs // self.batch))


#: Every preset, complete; fields that are not named have the class's own values.
_PRESETS: dict[str, dict[str, Any]] = {
    # C. Hesse's port of pix2pix as the student project of 2019 ran it; see docs/recipe.md.
    "paper": {
        "size": 256,
        "width": 64,
        "norm": "batch",
        "bias_before_norm": True,
        "innermost_norm": True,
        "dropout": 0.5,
        "dropout_at_generation": True,
        "sound_channels": 3,
        "scale_to": 286,
        "mirror": True,
        "batch": 1,
        "epochs": 200,
        "keep_epochs": (95, 180, 200),
        "measure_every": 1_000,
        "checkpoint_every": 5_000,
        "sheet_every": 5_000,
    },
    "default": {
        "size": 256,
        "width": 64,
        "dropout": 0.5,
        "gain_db": 3.0,
        "time_mask": 0.06,
        "band_mask": 0.06,
        "batch": 4,
        "epochs": 100,
        "schedule": "cosine",
        "ema_decay": 0.999,
        "precision": "auto",
        "measure_every": 250,
        "checkpoint_every": 1_000,
        "sheet_every": 1_000,
    },
    # Widths, losses and rates after a prototype's comparisons; see docs/reel.md.
    "reel": {
        "architecture": "reel",
        "size": 256,
        "width": 24,
        "discriminator_width": 24,
        "gain_db": 3.0,
        "time_mask": 0.08,
        "band_mask": 0.09,
        "batch": 8,
        "epochs": 40,
        "learning_rate": 6e-4,
        "discriminator_learning_rate": 4e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "schedule": "linear",
        "l1_weight": 3.0,
        "ema_decay": 0.998,
        "precision": "auto",
        "measure_every": 500,
        "checkpoint_every": 1_000,
        "sheet_every": 1_000,
    },
    "reel-quick": {
        "architecture": "reel",
        "size": 128,
        "width": 24,
        "discriminator_width": 24,
        "gain_db": 3.0,
        "time_mask": 0.08,
        "band_mask": 0.09,
        "batch": 6,
        "steps": 1_120,
        "learning_rate": 6e-4,
        "discriminator_learning_rate": 4e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "schedule": "linear",
        "l1_weight": 3.0,
        "ema_decay": 0.995,
        "precision": "auto",
        "measure_every": 280,
        "checkpoint_every": 560,
        "sheet_every": 560,
    },
    # The other direction: from the frames of a window to its sound.
    "score": {
        "architecture": "score",
        "width": 16,
        "discriminator_width": 24,
        "batch": 8,
        "epochs": 30,
        "learning_rate": 6e-4,
        "discriminator_learning_rate": 4e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "schedule": "linear",
        "l1_weight": 3.0,
        "gan_weight": 0.3,
        "ema_decay": 0.998,
        "precision": "auto",
        "measure_every": 500,
        "checkpoint_every": 1_000,
        "sheet_every": 1_000,
    },
    "score-quick": {
        "architecture": "score",
        "width": 16,
        "discriminator_width": 16,
        "batch": 6,
        "steps": 1_600,
        "learning_rate": 6e-4,
        "discriminator_learning_rate": 4e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "schedule": "linear",
        "l1_weight": 3.0,
        "gan_weight": 0.3,
        "ema_decay": 0.995,
        "precision": "auto",
        "measure_every": 400,
        "checkpoint_every": 400,
        "sheet_every": 800,
    },
    "quick": {
        "size": 128,
        "width": 32,
        "discriminator_width": 32,
        "dropout": 0.0,
        "gain_db": 3.0,
        "batch": 4,
        "steps": 1_500,
        "learning_rate": 6e-4,
        "schedule": "cosine",
        "ema_decay": 0.99,
        "precision": "auto",
        "measure_every": 250,
        "checkpoint_every": 500,
        "sheet_every": 500,
    },
}

PRESET_NAMES = tuple(_PRESETS)


def usual_preset(direction: Direction) -> str:
    """The preset that a person gets who names none: the generator made for that direction."""
    return "reel" if direction == "sound-to-picture" else "score"


def training_preset(name: str = "default", **changes: Any) -> Training:
    """A preset's settings, with some of its numbers changed.

    `epochs` in the changes replaces a preset's `steps`, and the other way round.

    Raises: SettingsError for an unknown preset or key (with a suggestion) or a wrong value.
    """
    if name not in _PRESETS:
        raise SettingsError(
            f"training preset {name!r} is unknown: choose one of {', '.join(PRESET_NAMES)}"
        )
    values = dict(_PRESETS[name])
    if "epochs" in changes or "steps" in changes:
        values.pop("epochs", None)
        values.pop("steps", None)
    try:
        return Training.model_validate({**values, **changes})
    except ValidationError as error:
        raise SettingsError(f"training preset {name!r}: {explain(error, Training)}") from error
