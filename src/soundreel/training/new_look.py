"""`look`: a look learnt from a handful of new pictures, all else of a model left as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from soundreel.errors import MediaError, ModelError, SettingsError
from soundreel.networks.bundle import Model, load_model, save_model
from soundreel.networks.precision import autocast
from soundreel.networks.reel import Reel
from soundreel.networks.reel_losses import pyramid_l1
from soundreel.networks.resample import fit_to
from soundreel.progress import Listener, Step, silent
from soundreel.seeding import generator_for
from soundreel.sharing.pull import local_model
from soundreel.training.evenly import spread

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
#: Rounds of so many steps; before each, every picture is given the sound that suits it best.
_ROUNDS, _STEPS, _BATCH, _RATE = 3, 50, 8, 0.05
#: A look is pulled towards the average one as if that were so many of the pictures' errors: a
#: handful of pictures leaves most directions of a look undecided.
_TOWARDS_AVERAGE = 1e-3
_SOUNDS_TRIED = 32
_MOST_PICTURES = 512


@dataclass(frozen=True)
class NewLook:
    """What was learnt.

    model: the new model folder; name: the look's; pictures: from how many.
    l1: mean absolute difference of the pictures from how the model draws them in the new look,
      in [0, 2], each with the remembered sound that suits it best; average_l1: in the average
      look. left_out: files that are no pictures, and why, a line each.
    """

    model: Path
    name: str
    pictures: int
    l1: float
    average_l1: float
    left_out: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Lines for a person."""
        line = (
            f"{self.model}: look {self.name!r} learnt from {self.pictures} pictures, which it "
            f"draws with L1 {self.l1:.3f} (average look: {self.average_l1:.3f})"
        )
        return "\n".join([line, *(f"left out: {why}" for why in self.left_out)])


def learn_look(
    pictures: Path,
    model_place: Path | str,
    out: Path,
    *,
    name: str | None = None,
    seed: int = 0,
    progress: Listener = silent,
) -> NewLook:
    """Learn a look from pictures and write the model anew with it; the old one stays.

    pictures: a folder of pictures, or one picture. name: the look's; by default the folder's.
    model_place: a model folder, a run folder or `hf://owner/name`. out: the new model's folder.

    Only the new look's vector is learnt: so that the model draws the pictures from their own
    reference codes, each with the remembered sound that suits it best (pictures have none of
    their own). Codes and sounds are remembered with it, so that films in this look have the
    pictures' layouts.

    Raises: ModelError if the model is no `reel`; MediaError if there is no picture; SettingsError
    for a name that is taken; StorageError.
    """
    model = load_model(local_model(model_place, progress), "auto", "cpu")
    generator = model.generator
    if not isinstance(generator, Reel):
        raise ModelError(f"{model.folder}: has no looks: train one with --preset reel")
    name = name or (pictures.stem if pictures.is_file() else pictures.name)
    if name in model.looks or name.lower() in ("auto", "average"):
        raise SettingsError(f"{name}: the model has a look of that name: give another --name")
    if not name or set(name) & set(",:"):
        raise SettingsError(f"{name!r}: a look's name has no comma or colon: give another --name")
    if out.exists():
        raise SettingsError(f"{out}: is there already: choose another --out")
    truth_N3HW, left_out = read_pictures(pictures, model.picture_shape)
    with torch.no_grad():
        code_NZ = generator.layout_codes(truth_N3HW)
    look_L = _fitted(model, generator, truth_N3HW, code_NZ, seed, progress)
    with torch.no_grad():
        average_L = generator.look_NL[generator.average_look]
        sound_NA, found = _suited(model, generator, look_L, truth_N3HW, code_NZ)
        _, average = _suited(model, generator, average_L, truth_N3HW, code_NZ)
    wider, arguments = with_look(generator, dict(model.config["arguments"]), look_L)
    wider = _remembering(wider, arguments, sound_NA, code_NZ)
    training = {**model.config.get("training", {}), f"look {name}": f"{len(code_NZ)} pictures"}
    kept = {key: model.config[key] for key in ("cuts",) if key in model.config}
    learnt = {**kept, "looks": [*model.looks, name]}
    save_model(out, wider, arguments, model.recipe, model.direction, training, learnt=learnt)
    return NewLook(out, name, len(code_NZ), found, average, tuple(left_out))


def read_pictures(place: Path, shape: tuple[int, int]) -> tuple[Tensor, list[str]]:
    """Pictures of a folder (or one file) at a model's shape, N x 3 x H x W in [-1, 1].

    Each is turned as it was taken and cropped to the shape's proportions around its middle; of
    more than 512 files so many are read, evenly. What is no picture is left out and said.

    Raises: MediaError if there is none.
    """
    if not place.exists():
        raise MediaError(f"{place}: there is no such file or folder: give a folder of pictures")
    files = [place] if place.is_file() else sorted(p for p in place.iterdir() if p.is_file())
    files = [path for path in files if path.suffix.lower() in _SUFFIXES]
    files = [files[int(n)] for n in spread(len(files), _MOST_PICTURES)]
    read: list[Tensor] = []
    left_out: list[str] = []
    rows, columns = shape
    for path in files:
        try:
            with Image.open(path) as image:
                picture = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            reason = str(error).splitlines()[0].removesuffix(f" '{path}'")
            left_out.append(f"{path}: not a picture that can be read ({reason})")
            continue
        height, width = picture.shape[:2]
        high, wide = (
            min(height, round(width * rows / columns)),
            min(width, round(height * columns / rows)),
        )
        top, side = (height - high) // 2, (width - wide) // 2
        cropped = picture[top : top + max(1, high), side : side + max(1, wide)]
        x_13HW = torch.from_numpy(cropped.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        read.append(fit_to(x_13HW, shape))
    if not read:
        raise MediaError(f"{place}: holds no picture that can be read: give .jpg or .png files")
    return torch.cat(read), left_out


def with_look(
    generator: Reel, arguments: dict[str, Any], look_L: Tensor
) -> tuple[Reel, dict[str, Any]]:
    """A copy with one more look, after the clips' and before the average; and its arguments."""
    arguments = {**arguments, "clips": generator.clips + 1}
    wider = Reel(**arguments)
    state = generator.state_dict()
    looks_NL = generator.look_NL.detach()
    state["look_NL"] = torch.cat([looks_NL[:-1], look_L[None], looks_NL[-1:]])
    wider.load_state_dict(state)
    return wider, arguments


def _remembering(wider: Reel, arguments: dict[str, Any], sound_NA: Tensor, code_NZ: Tensor) -> Reel:
    """A copy that also remembers the new look's pictures: one shot each, which is then held."""
    count = len(code_NZ)
    arguments["references"] = len(wider.references) + count
    longer = Reel(**arguments)
    state = wider.state_dict()
    shots = int(wider.reference_shot_R.max()) + 1 + torch.arange(count)
    for key, added in (
        ("reference_sound_RA", sound_NA),
        ("reference_code_RZ", code_NZ),
        ("reference_clip_R", torch.full((count,), wider.clips - 1)),
        ("reference_shot_R", shots),
        ("reference_seconds_R", torch.arange(count)),
    ):
        state[key] = torch.cat([state[key], added.to(state[key].dtype)])
    longer.load_state_dict(state)
    return longer


def _fitted(
    model: Model,
    generator: Reel,
    truth_N3HW: Tensor,
    code_NZ: Tensor,
    seed: int,
    progress: Listener,
) -> Tensor:
    """The look in which the model draws the pictures best, each with a sound that suits it."""
    average_L = generator.look_NL[generator.average_look].detach()
    look_L = average_L.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([look_L], _RATE)
    total = _ROUNDS * _STEPS
    for first in range(0, total, _STEPS):
        with torch.no_grad():
            sound_NA, _ = _suited(model, generator, look_L.detach(), truth_N3HW, code_NZ)
        for step in range(first, first + _STEPS):
            drawn = generator_for(seed, "new look", step)
            picture_B = torch.randint(len(code_NZ), (_BATCH,), generator=drawn)
            optimizer.param_groups[0]["lr"] = _RATE * (1 - step / total)
            cue_BK = generator.cues(look_L.expand(_BATCH, -1), code_NZ[picture_B])
            with autocast("cpu", model.precision):
                y_BCHW = generator.draw(sound_NA[picture_B], cue_BK).float()
            missed = pyramid_l1(y_BCHW, truth_N3HW[picture_B])
            loss = missed + _TOWARDS_AVERAGE * (look_L - average_L).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            said = f"L1 {float(missed.detach()) / 3:.3f}"
            progress(Step("learn a look", step + 1, total, "steps", said))
    return look_L.detach()


def _suited(
    model: Model, generator: Reel, look_L: Tensor, truth_N3HW: Tensor, code_NZ: Tensor
) -> tuple[Tensor, float]:
    """For each picture the remembered sound that it is drawn best with; and how well, on average.

    Of 32 of them, spread over all: what suits a picture is how loud and how bright it sounds.
    """
    known = generator.references
    tried_S = torch.linspace(0, len(known) - 1, min(_SOUNDS_TRIED, len(known))).round().long()
    sound_SA = known.sound_RA[tried_S]
    best: list[int] = []
    errors: list[float] = []
    for truth_3HW, code_Z in zip(truth_N3HW, code_NZ, strict=True):
        cue_SK = generator.cues(look_L.expand(len(sound_SA), -1), code_Z.expand(len(sound_SA), -1))
        with autocast("cpu", model.precision):
            y_SCHW = generator.draw(sound_SA, cue_SK).float()
        apart_S = (y_SCHW - truth_3HW).abs().mean((1, 2, 3))
        best.append(int(apart_S.argmin()))
        errors.append(float(apart_S.min()))
    return sound_SA[best], float(np.mean(errors))
