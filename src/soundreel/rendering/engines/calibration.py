"""Calibration: the levels of the activations of a network, from songs that are made here.

The songs are the same for every model and every user's song, so the levels, and with them the
pictures of the int8 engine, depend on the model alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from soundreel.networks.bundle import Model
from soundreel.networks.reel import Reel
from soundreel.networks.resample import fit_to
from soundreel.networks.unet import UNet
from soundreel.progress import Listener, Step, silent
from soundreel.recipe import Recipe
from soundreel.rendering.engines.int8 import Levels, Sampler
from soundreel.rendering.engines.kept import keep, read_kept
from soundreel.sound.representation import sound_images
from soundreel.synthetic.genres import GENRES
from soundreel.synthetic.songs import compose

#: Counts up when other levels would be found for the same weights.
_EDITION = 1
_SONG_SEED = 700_000
_SONG_SECONDS = 14.0
_WINDOWS_OF_SONG = 9
#: Every third window is this much softer: songs are not all mastered equally loud.
_SOFTER = 10 ** (-18 / 20)
_BATCH = 4
#: Steps through the remembered frames; prime, so that neighbouring windows see other clips.
_STRIDE = 7919


def levels_of(model: Model, progress: Listener = silent) -> dict[str, Levels]:
    """The levels of what enters each convolution of a model, by `layer_names`.

    model: loaded in float32 on the CPU, its norms folded (a reel has none). Levels are kept beside
    it, so that this is done once.
    """
    weights = str(model.config.get("weights_sha256"))
    kept_as = f"int8-{_EDITION}"
    names = layer_names(model.painter)
    known = _parsed(read_kept(model.folder, weights, kept_as), names)
    if known is not None:
        return known
    found = find_levels(model.painter, calibration_windows(model.recipe), progress)
    rows = {name: [each.step, each.below] for name, each in found.items()}
    keep(model.folder, weights, kept_as, rows)
    return found


def layer_names(generator: UNet | Reel) -> dict[str, nn.Module]:
    """The convolutions that may have levels, by name, in order.

    A U-Net's down0, down1, ..., up0, up1, ...; of a reel's blocks block0.conv1, block0.conv2, ...
    """
    if isinstance(generator, Reel):
        return {
            f"block{place}.{name}": block.get_submodule(name)
            for place, block in enumerate(generator.blocks)
            for name in ("conv1", "conv2")
        }
    downs = {f"down{level}": conv for level, conv in enumerate(generator.downs)}
    return {**downs, **{f"up{block}": conv for block, conv in enumerate(generator.ups)}}


def calibration_cues(reel: Reel, count: int) -> Tensor:
    """Cues of remembered frames from all over the clips, in their looks or the average one.

    A song may be seen in any of them, so they do not follow the windows. Shape: count x K.
    """
    known = reel.references
    place_N = torch.arange(count)
    remembered_N = place_N * _STRIDE % count * len(known) // count
    look_N = torch.where(place_N % 4 == 3, reel.average_look, known.clip_R[remembered_N])
    return reel.cues(reel.look_NL[look_N].float(), known.code_RZ[remembered_N])


def calibration_windows(recipe: Recipe) -> Tensor:
    """Sound images of songs of every genre, loud and soft, and of silence: N x 1 x S x S."""
    size = recipe.sound_image_size
    images = [sound_images(torch.zeros(1), torch.tensor([0]), recipe)]
    for place, genre in enumerate(sorted(GENRES)):
        song = compose(_SONG_SEED + place, _SONG_SECONDS, genre, _rate_hz(recipe))
        channels = song.sound[:1] if recipe.channel == "left" else song.sound
        sound_N = torch.from_numpy(np.ascontiguousarray(channels.mean(0)))
        ends = torch.arange(1, _WINDOWS_OF_SONG + 1) * len(sound_N) // _WINDOWS_OF_SONG
        soft = ends[2::3]
        loud = torch.cat([ends[0::3], ends[1::3]])
        images += [sound_images(sound_N, loud, recipe)]
        images += [sound_images(sound_N * _SOFTER, soft, recipe)]
    return torch.cat(images).view(-1, 1, size, size)


@torch.inference_mode()
def find_levels(
    generator: UNet | Reel, x_B1SS: Tensor, progress: Listener = silent
) -> dict[str, Levels]:
    """The levels of what enters each convolution when a network sees these windows."""
    layers = layer_names(generator)
    samplers = {name: Sampler() for name in layers}

    def look(sampler: Sampler, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sampler.see(inputs[0])

    hooks = [
        layer.register_forward_pre_hook(partial(look, samplers[name]))
        for name, layer in layers.items()
    ]
    try:
        cues_NK = calibration_cues(generator, len(x_B1SS)) if isinstance(generator, Reel) else None
        for first in range(0, len(x_B1SS), _BATCH):
            x_BCHW = x_B1SS[first : first + _BATCH]
            if isinstance(generator, UNet):
                x_BCHW = fit_to(x_BCHW, generator.size).expand(-1, generator.in_channels, -1, -1)
                generator(x_BCHW.contiguous(memory_format=torch.channels_last))
            else:
                assert cues_NK is not None
                generator(x_BCHW, cues_NK[first : first + _BATCH])
            done = min(first + _BATCH, len(x_B1SS))
            progress(Step("prepare openvino-int8", done, len(x_B1SS), "windows"))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: sampler.levels() for name, sampler in samplers.items()}


def _rate_hz(recipe: Recipe) -> int:
    """The recipe's rate, or where no song is made at it the nearest at which one is.

    Played at the recipe's rate it is then a little higher or lower: still music.
    """
    return min(max(recipe.sample_rate_hz, 16_000), 96_000)


def _parsed(rows: Any, names: Mapping[str, Any]) -> dict[str, Levels] | None:
    """Levels as they were kept; None if that is not what they are."""
    try:
        found = {name: Levels(float(step), int(below)) for name, (step, below) in rows.items()}
    except (AttributeError, TypeError, ValueError):
        return None
    whole = found.keys() == names.keys() and all(
        0 < each.step < float("inf") and 0 <= each.below <= 255 for each in found.values()
    )
    return found if whole else None
