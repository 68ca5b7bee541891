"""The recipe: every number that says what a window, a sound image and a frame are.

It is saved with the dataset and with the model, so rendering can only do what training did.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from soundreel.errors import SettingsError
from soundreel.settings import explain
from soundreel.timeline import exact_seconds

#: A time as an exact fraction, saved as text ("3/2").
Seconds = Annotated[Fraction, BeforeValidator(exact_seconds), PlainSerializer(str, return_type=str)]
#: Width over height as an exact fraction, saved as text ("16/9").
Aspect = Annotated[
    Fraction,
    BeforeValidator(lambda value: Fraction(str(value).replace(":", "/"))),
    PlainSerializer(str, return_type=str),
]

Representation = Literal["psd", "waveform", "log", "mel"]

#: What a picture or the sound before it may be left out for.
Fault = Literal["silence", "speech", "black", "frozen", "title", "near-duplicate"]


class Selection(BaseModel):
    """What of a clip goes into the dataset. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    letterbox: Literal["crop", "keep"] = "crop"
    """Black bars that stand over the whole clip: cut off, or kept as a part of the picture."""
    leave_out: tuple[Fault, ...] = ("black", "frozen", "silence")
    """Moments that are left out: a window without sound, one with nothing but speech, a black
    picture, one that has not changed for 2 s, a card with text, one like an earlier one."""
    only: Literal["people", "solo", "artist"] | None = None
    """Only pictures with people, with exactly one face, or with the artist of the photos."""
    artist_photos: str | None = None
    """A folder of photos of the artist, needed for `artist`."""
    face_model: str | None = None
    """A YuNet model file (.onnx) to find faces with; without it, OpenCV's own Haar cascades."""
    recognition_model: str | None = None
    """An SFace model file (.onnx) to tell the artist from others with."""

    @field_validator("leave_out")
    @classmethod
    def _sorted(cls, leave_out: tuple[Fault, ...]) -> tuple[Fault, ...]:
        return tuple(sorted(set(leave_out)))

    @model_validator(mode="after")
    def _check(self) -> Selection:
        if self.only == "artist" and self.artist_photos is None:
            raise ValueError("only = artist needs artist_photos, a folder of photos of the artist")
        if self.only != "artist" and (self.artist_photos or self.recognition_model):
            raise ValueError("artist_photos and recognition_model are for only = artist")
        return self


class Recipe(BaseModel):
    """What a window, a sound image and a frame are. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """The preset it came from, or "custom"."""

    # --- the window: the last `window_samples` samples before t
    sample_rate_hz: int = Field(44_100, ge=4_000, le=384_000)
    channel: Literal["left", "mono"] = "mono"
    """`left`: the first channel; `mono`: the mean of all channels."""
    window_samples: int = Field(62_763, ge=16)

    # --- the sound image: sound_image_size x sound_image_size, in [-1, 1]
    representation: Representation = "log"
    sound_image_size: int = Field(256, ge=16, le=1024)
    segment_samples: int = Field(288, ge=4)
    """Samples under one STFT window (scipy's nperseg)."""
    hop_samples: int = Field(245, ge=1)
    """Samples from one column to the next (scipy's nperseg - noverlap)."""
    fft_samples: int = Field(510, ge=4)
    """Length of the zero-padded transform (scipy's nfft)."""
    floor_db: float = -120.0
    """Density that becomes -1, in dB re 1/Hz where full scale is 1 (`log` and `mel`). Fixed, so
    that a quiet song stays quiet; the noise of 16-bit sound lies at -145."""
    ceiling_db: float = -30.0
    """Density that becomes +1 (`log` and `mel`); the loudest 1% of a loud master is near -40."""
    mel_low_hz: float = Field(20.0, ge=0)
    mel_high_hz: float = Field(16_000.0, gt=0)

    # --- the frame: 3 x picture_size x picture_size, uint8 on disk
    picture_size: int = Field(256, ge=16, le=1024)
    resize: Literal["floor-index", "area"] = "area"
    """`floor-index`: rows and columns floor(linspace(0, n-1, size)), as the paper did."""
    picture_aspect: Aspect | Literal["auto", "ignore"] = "auto"
    """Shape (width / height) that clips are cropped to before they are resized, and that films
    are shown in. `auto`: that of most clips, found by `prepare`; `ignore`: squashed as it is."""
    jpeg_quality: int = Field(92, ge=1, le=100)

    # --- the grid of times: start + k * every, in [start, stop)
    start_seconds: Seconds = Fraction(0)
    stop_seconds: Seconds | None = None
    """None: to the clip's end."""
    # The word first: whatever else is not a time is refused with the words for a time.
    every_seconds: Literal["frame"] | Seconds = Field(Fraction(1, 5), union_mode="left_to_right")
    """`frame`: every picture of the clip, at its own average rate."""

    # --- what of it goes in, and what training never sees
    selection: Selection = Selection()
    held_out_fraction: float = Field(0.15, ge=0, lt=1)
    """Share of the clips that training never sees."""
    together: tuple[str, ...] = ()
    """Patterns of clip ids ("bbb_*"): clips of one pattern are of one work and never split."""
    sound_images: Literal["computed", "stored"] = "computed"
    """`stored`: pairs made elsewhere, whose sound images are files and whose sound is not there."""

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        size = self.sound_image_size
        if self.every_seconds != "frame" and self.every_seconds <= 0:
            raise ValueError("every_seconds must be more than 0")
        if self.stop_seconds is not None and self.stop_seconds <= self.start_seconds:
            raise ValueError("stop_seconds must be after start_seconds")
        if isinstance(self.picture_aspect, Fraction) and not (
            Fraction(1, 4) <= self.picture_aspect <= 4
        ):
            raise ValueError("picture_aspect must be between 1/4 and 4")
        if self.representation == "waveform":
            if self.window_samples != size * size:
                raise ValueError(f"window_samples must be {size}^2 = {size * size} for `waveform`")
            return self
        if self.fft_samples < self.segment_samples:
            raise ValueError("fft_samples must be at least segment_samples")
        if self.ceiling_db <= self.floor_db:
            raise ValueError("ceiling_db must be above floor_db")
        if self.columns != size:
            raise ValueError(
                f"window_samples, segment_samples and hop_samples make {self.columns} columns: "
                f"{size} are needed (window_samples = segment + {size - 1} * hop)"
            )
        if self.representation == "mel":
            if not self.mel_low_hz < self.mel_high_hz <= self.sample_rate_hz / 2:
                raise ValueError("mel_low_hz < mel_high_hz <= sample_rate_hz / 2 must hold")
        elif self.fft_samples // 2 + 1 != size:
            raise ValueError(f"fft_samples must be {2 * size - 2} to make {size} rows")
        return self

    def step_seconds(self, fps: Fraction | None) -> Fraction:
        """From one place of the grid to the next, for a clip of that frame rate (if `frame`)."""
        if self.every_seconds == "frame":
            return 1 / (fps or Fraction(25))
        return self.every_seconds

    @property
    def columns(self) -> int:
        """Columns of the sound image: how many whole segments a window holds, one a hop."""
        return (self.window_samples - self.segment_samples) // self.hop_samples + 1

    @property
    def shape_aspect(self) -> Fraction:
        """Width / height in which a film is shown (1 where the aspect is ignored or unknown)."""
        return self.picture_aspect if isinstance(self.picture_aspect, Fraction) else Fraction(1)


#: Every preset, complete; see docs/recipe.md for where each number of `paper` comes from.
_PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "mel": {
        "representation": "mel",
        "segment_samples": 2_048,
        "fft_samples": 4_096,  # at 2,048 the lowest bands would have no frequency under them
        "floor_db": -110.0,
        "ceiling_db": -20.0,
        "window_samples": 2_048 + 255 * 245,
    },
    "paper": {
        "representation": "psd",
        "channel": "left",
        "window_samples": 65_536,
        "hop_samples": 255,
        "resize": "floor-index",
        "picture_aspect": "ignore",
        "start_seconds": 30,
        "stop_seconds": 90,
        "every_seconds": "3/2",
        "selection": {"letterbox": "keep", "leave_out": ()},
        "held_out_fraction": 0.0,
    },
    "paper-waveform": {
        "representation": "waveform",
        "channel": "left",
        "window_samples": 65_536,
        "resize": "floor-index",
        "picture_aspect": "ignore",
        "start_seconds": 30,
        "stop_seconds": 90,
        "every_seconds": "3/2",
        "selection": {"letterbox": "keep", "leave_out": ()},
        "held_out_fraction": 0.0,
    },
}

PRESET_NAMES = tuple(_PRESETS)


def recipe_from(preset: str = "default", **changes: Any) -> Recipe:
    """A preset's recipe, with some of its numbers changed (`selection`: those named in a dict).

    Raises: SettingsError for an unknown preset or key (with a suggestion) or a wrong value.
    """
    if preset not in _PRESETS:
        raise SettingsError(
            f"recipe {preset!r} is unknown: choose one of {', '.join(PRESET_NAMES)}"
        )
    name = "custom" if "representation" in changes else preset
    selection = {**_PRESETS[preset].get("selection", {}), **changes.pop("selection", {})}
    try:
        return Recipe.model_validate(
            {"name": name, **_PRESETS[preset], **changes, "selection": selection}
        )
    except ValidationError as error:
        raise SettingsError(f"recipe {preset!r}: {explain(error, Recipe)}") from error


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.json. Raises: SettingsError if it is missing, not JSON or not a recipe."""
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}): make it anew") from error
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error, Recipe)}") from error
