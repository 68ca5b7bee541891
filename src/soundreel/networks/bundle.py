"""The model folder: weights, config and card, as the Hugging Face Hub expects them. No pickle."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import safetensors
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from soundreel.atomic import discard, partial_folder, write_json, write_text
from soundreel.errors import ModelError, storage_errors
from soundreel.networks.card import model_card
from soundreel.networks.folding import can_fold, fold_norms
from soundreel.networks.model_folder import (
    CONFIG,
    FORMAT,
    FORMAT_VERSION,
    Architecture,
    Direction,
    previous_folder,
    read_config,
    resolve_model_folder,
)
from soundreel.networks.precision import Precision, autocast, resolve_precision
from soundreel.networks.reel import Reel
from soundreel.networks.resample import fit_to
from soundreel.networks.score import Score
from soundreel.networks.score_voices import SoundCue, average_voice
from soundreel.networks.unet import UNet
from soundreel.recipe import Recipe
from soundreel.settings import explain

_WEIGHTS, _CARD = "model.safetensors", "README.md"


@dataclass(frozen=True)
class Model:
    """A model ready to generate.

    generator: the network, in generation mode, without gradients. Where its norms are frozen
      they are folded into its convolutions.
    recipe: what its windows, sound images and frames are.
    direction: "sound-to-picture" or "picture-to-sound".
    config: the whole config.json.
    folder: where it was loaded from.
    precision: "fp32" or "bf16", what it computes in.
    """

    generator: UNet | Reel | Score
    recipe: Recipe
    direction: Direction
    config: dict[str, Any]
    folder: Path
    precision: Precision

    @property
    def painter(self) -> UNet | Reel:
        """The generator of a model that makes pictures.

        Raises: ModelError if it goes from picture to sound.
        """
        require_direction(self.folder, self.direction, "sound-to-picture")
        return cast(UNet | Reel, self.generator)

    @property
    def architecture(self) -> Architecture:
        """Which generator it is."""
        return self.config["architecture"]

    @property
    def picture_shape(self) -> tuple[int, int]:
        """Rows and columns of the pictures it makes, or of those it sees.

        A `reel` makes them in the clips' shape.
        """
        generator = self.generator
        if isinstance(generator, Reel):
            return generator.rows, generator.columns
        if isinstance(generator, Score):
            return generator.side, generator.side
        return generator.size, generator.size

    @property
    def looks(self) -> tuple[str, ...]:
        """The training clips whose looks or voices were learnt, in order; empty for a U-Net."""
        return tuple(self.config.get("looks", ()))

    @property
    def habits(self) -> dict[str, Any] | None:
        """How its director cuts (see `cutting.habits`), as JSON values; None where not known."""
        return self.config.get("cuts")

    def pictures(
        self, x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None
    ) -> Tensor:
        """Pictures for sound images: B x 1 x S x S -> B x 3 x H x W, float in [-1, 1].

        cue_BK: for a `reel`, what each is drawn with (see `Reel.cues`); None: the look and the
        reference code of the training frame with the nearest sound.

        seeds: one for each picture. Where the generator draws noise (preset `paper`), the seed
        decides it; the same seed gives the same picture. A picture depends on its own sound
        image and seed, not on what else is in the batch.

        Raises: ModelError if the model goes from picture to sound.
        """
        require_direction(self.folder, self.direction, "sound-to-picture")
        if isinstance(self.generator, Reel):
            return self._draw(self.generator, x_B1SS, seeds, cue_BK)
        return self._generate(cast(UNet, self.generator), x_B1SS, seeds)

    @property
    def seen_before_seconds(self) -> tuple[Fraction, ...]:
        """How long before a time t the frames are from which it makes the sound image of t.

        The oldest first, the last 0: the frame at t. A U-Net sees that one alone.
        """
        generator = self.generator
        if not isinstance(generator, Score):
            return (Fraction(0),)
        step_seconds = Fraction(generator.step)
        return tuple(n * step_seconds for n in range(generator.frames - 1, -1, -1))

    def sound_images(
        self, y_BF3HW: Tensor, seeds: Sequence[int], cue: SoundCue | None = None
    ) -> Tensor:
        """Sound images for frames: B x F x 3 x H x W -> B x 1 x S x S, float in [-1, 1].

        y_BF3HW: for each sound image the frames at `seen_before_seconds` before its time, at any
        size. S is the recipe's sound image size; `seeds` as in `pictures`.
        cue: for a `score`, voices and harmonies (see `score_voices`); None: the average voice,
        without harmony.

        Raises: ModelError if the model goes from sound to picture.
        """
        require_direction(self.folder, self.direction, "picture-to-sound")
        if isinstance(self.generator, Score):
            return self._compose(self.generator, y_BF3HW, seeds, cue)
        made = self._generate(cast(UNet, self.generator), y_BF3HW[:, -1], seeds)
        x_BCSS = fit_to(made, self.recipe.sound_image_size)
        return x_BCSS.mean(1, keepdim=True)

    @torch.inference_mode()
    def sound_codes(self, x_B1SS: Tensor) -> Tensor:
        """What a `reel` hears in sound images: B x 1 x S x S -> B x A, float32, on the CPU."""
        reel = self.generator
        assert isinstance(reel, Reel)
        return reel.sound_codes(x_B1SS.to(reel.look_NL.device)).cpu()

    @torch.inference_mode()
    def _draw(
        self, reel: Reel, x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None
    ) -> Tensor:
        _check_seeds(x_B1SS, seeds)
        device = reel.look_NL.device
        # Sound codes in float32 always: another rounding may find another neighbour.
        sound_BA = reel.sound_codes(x_B1SS.to(device))
        cue_BK = reel.cues_by_sound(sound_BA) if cue_BK is None else cue_BK.to(device)
        with autocast(device.type, self.precision):
            return reel.draw(sound_BA, cue_BK).float()

    @torch.inference_mode()
    def _compose(
        self, score: Score, y_BF3HW: Tensor, seeds: Sequence[int], cue: SoundCue | None
    ) -> Tensor:
        _check_seeds(y_BF3HW, seeds)
        device = score.voice_NV.device
        small_BCHW = fit_to(y_BF3HW.flatten(0, 1).to(device), score.side)
        if cue is None:
            cue = average_voice(score).cue(score, self.recipe, [0.0] * len(seeds))
        with autocast(device.type, self.precision):
            made = score(
                small_BCHW.unflatten(0, y_BF3HW.shape[:2]),
                cue.voice_BV.to(device),
                cue.harmony_BSG.to(device),
            )
        return made.float().clamp(-1, 1).cpu()

    @torch.inference_mode()
    def _generate(self, unet: UNet, x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        _check_seeds(x_BCHW, seeds)
        weight = unet.downs[0].weight
        assert isinstance(weight, Tensor)
        x_BCHW = fit_to(x_BCHW.to(weight.device), unet.size)
        x_BCHW = x_BCHW.expand(-1, unet.in_channels, -1, -1)
        x_BCHW = x_BCHW.to(weight.dtype, memory_format=torch.channels_last)
        masks = unet.draw_masks(seeds) if unet.depends_on_noise else []
        # Folded generators hold bf16 weights; others keep float32 ones, so that norms compute
        # their statistics in float32, and are cast operation by operation.
        with autocast(weight.device.type, self.precision, enabled=weight.dtype == torch.float32):
            return unet(x_BCHW, masks).float()


@dataclass(frozen=True)
class Description:
    """What a model folder says of itself, without its weights being read."""

    folder: Path
    recipe: Recipe
    direction: Direction
    weights_sha256: str
    architecture: Architecture


def describe_model(place: Path | str) -> Description:
    """What is in a model folder or a run folder.

    Raises: ModelError if it is missing, not a model's, or newer than this program.
    """
    folder = resolve_model_folder(place)
    config = read_config(folder)
    weights = str(config.get("weights_sha256"))
    recipe = _read_recipe(folder, config)
    return Description(folder, recipe, config["direction"], weights, config["architecture"])


def require_direction(folder: Path, direction: Direction, wanted: Direction) -> None:
    """Raises: ModelError if a model goes the other way than is wanted."""
    if direction != wanted:
        raise ModelError(
            f"{folder}: this is a {direction} model: train one with --direction {wanted}"
        )


def save_model(
    folder: Path,
    generator: UNet | Reel | Score,
    arguments: dict[str, Any],
    recipe: Recipe,
    direction: Direction,
    training: dict[str, Any],
    *,
    learnt: Mapping[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Write a model folder; one that is there already is replaced when the new one is whole.

    arguments: what the generator was made with. training: a summary for people, JSON values.
    learnt: what else was learnt from the clips, JSON values kept in config.json: of a `reel` its
    "looks" and "cuts". half: keep the weights as float16, for a folder half as large.

    Raises: StorageError if the disk is full or the place cannot be written; the folder that was
    there is then still there.
    """
    building, previous = partial_folder(folder), previous_folder(folder)
    discard(building)
    with storage_errors(folder):
        building.mkdir(parents=True)
        weights = building / _WEIGHTS
        tensors = {k: v.detach().cpu().contiguous() for k, v in generator.state_dict().items()}
        if half:
            tensors = {k: v.half() if v.dtype == torch.float32 else v for k, v in tensors.items()}
        try:
            save_file(tensors, weights, metadata={"format": "pt"})
        except safetensors.SafetensorError as error:
            raise as_storage_error(error) from error
        config = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "direction": direction,
            "architecture": _architecture_of(generator),
            "arguments": arguments,
            **(learnt or {}),
            "recipe": recipe.model_dump(mode="json"),
            "training": training,
            "weights_sha256": _sha256(weights),
        }
        write_json(building / CONFIG, config)
        # safetensors makes its files for the owner alone; a model is to be read like any file.
        shutil.copymode(building / CONFIG, weights)
        write_text(building / _CARD, model_card(config, sum(p.numel() for p in tensors.values())))
        # A folder cannot be renamed over one that is not empty: the old one steps aside first.
        # Who dies or looks between the two renames finds it under its other name.
        discard(previous)
        if folder.exists():
            folder.rename(previous)
        building.rename(folder)
    discard(previous)


def as_storage_error(error: safetensors.SafetensorError) -> OSError:
    """What safetensors says of a failed write, as the OSError that it was.

    It gives the operating system's error as text only: "I/O error: ... (os error 28)".
    """
    text = str(error)
    number = text.rpartition("os error ")[2].split(")")[0]
    return OSError(int(number) if number.isdigit() else 0, text)


def load_model(
    place: Path | str, precision: Precision | Literal["auto"] = "auto", device: str = "auto"
) -> Model:
    """Load a model for generating, from a model folder or a run folder. Runs no code from it.

    precision: "fp32", "bf16" or "auto": bf16 where the processor computes it, else fp32.
    device: a torch device, or "auto": a CUDA device where there is one, else the CPU.

    Raises: ModelError if the folder is missing, incomplete, altered, or newer than this program.
    """
    folder = resolve_model_folder(place)
    config = read_config(folder)
    generator = _read_generator(folder, config)
    recipe = _read_recipe(folder, config)
    chosen = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    )
    resolved = resolve_precision(precision, chosen.type)
    if isinstance(generator, UNet) and can_fold(generator):
        generator = fold_norms(generator)
        if resolved == "bf16":
            generator = generator.to(torch.bfloat16)
    generator = generator.eval().requires_grad_(False).to(chosen)
    for parameter in generator.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return Model(generator, recipe, config["direction"], config, folder, resolved)


def _architecture_of(generator: UNet | Reel | Score) -> Architecture:
    if isinstance(generator, UNet):
        return "unet"
    return "reel" if isinstance(generator, Reel) else "score"


def _read_generator(folder: Path, config: dict[str, Any]) -> UNet | Reel | Score:
    path = folder / _WEIGHTS
    if not path.is_file():
        raise ModelError(f"{path}: is missing: fetch the model again")
    if _sha256(path) != config.get("weights_sha256"):
        raise ModelError(
            f"{path}: is not what config.json says it is (SHA-256 differs): it was altered or "
            "only half copied, fetch the model again"
        )
    try:
        tensors = load_file(path)
        if config["architecture"] != "unet":
            ours = {"reel": Reel, "score": Score}[config["architecture"]]
            generator = ours(**config["arguments"])
            generator.load_state_dict(tensors)  # copied, so that what was halved is float32 again
        else:
            with torch.device("meta"):  # weights that are replaced at once need not be drawn
                generator = UNet(**config["arguments"])
            # Weights that were kept as float16 are float32 again.
            whole = {k: v.float() if v.dtype == torch.float16 else v for k, v in tensors.items()}
            generator.load_state_dict(whole, assign=True)
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file ({error}): fetch it again") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"{folder}: weights and config.json do not fit together ({reason}): "
            "fetch the model again"
        ) from error
    return generator


def _read_recipe(folder: Path, config: dict[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(config.get("recipe"))
    except ValidationError as error:
        raise ModelError(f"{folder / CONFIG}: in recipe: {explain(error, Recipe)}") from error


def _check_seeds(x_BCHW: Tensor, seeds: Sequence[int]) -> None:
    if len(seeds) != len(x_BCHW):
        raise ValueError(f"{len(seeds)} seeds for {len(x_BCHW)} pictures: give one for each")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
