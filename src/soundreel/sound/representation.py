"""Sound images: pictures of the windows of a sound.

The window that ends at sample `end` is [end - window_samples, end); before sample 0, and
beyond the sound's last, there is silence. Where windows share columns (their ends are whole
hops apart, as in a film at 30 frames a second), the columns are computed once and the windows
are slices of them: equal to the bit to one transform a window, at a fraction of the work.

Shapes: N samples, B windows, L samples in a window, K columns, S pixels a side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from soundreel.recipe import Recipe
from soundreel.sound.spectra import columns_of

#: Samples transformed at a time. On the CPU few enough to stay in a core's cache; a GPU wants
#: more to fill it.
_CPU_TILE_SAMPLES = 2**20
_GPU_TILE_SAMPLES = 2**24


def sound_images(sound_N: Tensor, end_samples_B: Tensor, recipe: Recipe) -> Tensor:
    """The sound images of the windows that end at the given samples.

    sound_N: float32 in [-1, 1], on any device, at the recipe's rate.
    end_samples_B: int64, the exclusive end of each window, in any order.

    Shape: B x 1 x S x S, float32 in [-1, 1], on the sound's device. Ends that are whole hops
    apart share columns where that is less work; the pictures are the same to the bit.
    """
    if recipe.representation == "waveform" or len(end_samples_B) < 2:
        return per_window_images(sound_N, end_samples_B, recipe)
    end_samples_B = end_samples_B.cpu()
    phase_B = end_samples_B % recipe.hop_samples
    phases = phase_B.unique()
    if len(phases) == 1:
        return _images_of_one_phase(sound_N, end_samples_B, recipe)
    size = recipe.sound_image_size
    image_B1SS = sound_N.new_empty(len(end_samples_B), 1, size, size)
    for phase in phases:
        of_phase = torch.nonzero(phase_B == phase).squeeze(1)
        images = _images_of_one_phase(sound_N, end_samples_B[of_phase], recipe)
        image_B1SS[of_phase.to(sound_N.device)] = images
    return image_B1SS


def per_window_images(sound_N: Tensor, end_samples_B: Tensor, recipe: Recipe) -> Tensor:
    """As `sound_images`, each window transformed on its own, a few windows at a time."""
    size = recipe.sound_image_size
    image_B1SS = sound_N.new_empty(len(end_samples_B), 1, size, size)
    windows = _tile_windows(sound_N, recipe)
    for first in range(0, len(end_samples_B), windows):
        window_BL = windows_of(
            sound_N, end_samples_B[first : first + windows], recipe.window_samples
        )
        if recipe.representation == "waveform":
            loudest_B1 = window_BL.abs().amax(-1, keepdim=True)
            # Silence has no largest magnitude to divide by: it stays zero.
            window_BL /= torch.where(loudest_B1 > 0, loudest_B1, 1)
            image_B1SS[first : first + windows, 0] = window_BL.view(-1, size, size)
            continue
        segment_BKN = window_BL.unfold(-1, recipe.segment_samples, recipe.hop_samples)
        column_KS = _columns(segment_BKN.reshape(-1, recipe.segment_samples), recipe)
        column_BSK = column_KS.view(-1, size, size).transpose(1, 2)
        image_B1SS[first : first + windows, 0] = column_BSK
    return image_B1SS


def sliced_images(sound_N: Tensor, end_samples_B: Tensor, recipe: Recipe) -> Tensor:
    """As `sound_images`, as slices of one transform; the ends must be whole hops apart.

    Where the ends ascend in equal steps (a film), the result is a view in which neighbouring
    pictures share memory: read it, or `.clone()` it, but do not write into it.

    Raises: ValueError if the ends are not whole hops apart, or the recipe is `waveform`.
    """
    size, hop = recipe.sound_image_size, recipe.hop_samples
    if recipe.representation == "waveform":
        raise ValueError("windows of `waveform` share no columns")
    if len(end_samples_B) == 0:
        return sound_N.new_empty(0, 1, size, size)
    end_samples_B = end_samples_B.cpu()
    first_end = int(end_samples_B.min())
    apart_B = end_samples_B - first_end
    if (apart_B % hop).any():
        raise ValueError(f"the ends of the windows are not whole hops of {hop} samples apart")
    column_B = apart_B // hop
    columns = int(column_B.max()) + size
    column_SK = columns_from(sound_N, first_end - recipe.window_samples, columns, recipe)
    return images_from_columns(column_SK, column_B)


def columns_from(sound_N: Tensor, start_sample: int, columns: int, recipe: Recipe) -> Tensor:
    """Columns of a sound, one a hop, the first one's segment beginning at `start_sample`.

    Shape: S x K, float32 in [-1, 1]; the segments may reach beyond both ends of the sound.
    """
    hop, segment = recipe.hop_samples, recipe.segment_samples
    column_SK = sound_N.new_empty(recipe.sound_image_size, columns)
    tile = _tile_windows(sound_N, recipe) * recipe.sound_image_size
    for first in range(0, columns, tile):
        # All tiles are of one length (the last reaches back), as transforms of batches of
        # another length need not be equal to the bit on every device.
        place = max(0, min(first, columns - tile))
        count = min(tile, columns)
        start = start_sample + place * hop
        stretch = _stretch(sound_N, start, start + (count - 1) * hop + segment)
        column_KS = _columns(stretch.unfold(0, segment, hop), recipe)
        column_SK[:, place : place + count] = column_KS.T
    return column_SK


def images_from_columns(column_SK: Tensor, column_B: Tensor) -> Tensor:
    """The pictures whose first columns are given: B x 1 x S x S.

    A view that shares memory where the places ascend in equal steps, else a copy.
    """
    slice_BSS = column_SK.unfold(1, column_SK.shape[0], 1).transpose(0, 1)
    step = int(column_B[1] - column_B[0]) if len(column_B) > 1 else 1
    if step > 0 and bool((column_B.diff() == step).all()):
        first, last = int(column_B[0]), int(column_B[-1])
        return slice_BSS[first : last + 1 : step].unsqueeze(1)
    return slice_BSS[column_B.to(column_SK.device)].unsqueeze(1)


def windows_of(sound_N: Tensor, end_samples_B: Tensor, window_samples: int) -> Tensor:
    """The windows [end - window_samples, end) of a sound, silence outside it.

    Shape: B x window_samples, a copy, on the sound's device.
    """
    window_BL = sound_N.new_empty(len(end_samples_B), window_samples)
    for window_L, end in zip(window_BL, end_samples_B.tolist(), strict=True):
        _copy_stretch(sound_N, end - window_samples, window_L)
    return window_BL


def _images_of_one_phase(sound_N: Tensor, end_samples_B: Tensor, recipe: Recipe) -> Tensor:
    """Whichever way is less work, for ends that are whole hops apart; never a shared view."""
    span = int(end_samples_B.max() - end_samples_B.min())
    columns = span // recipe.hop_samples + recipe.sound_image_size
    if columns < len(end_samples_B) * recipe.sound_image_size:
        return sliced_images(sound_N, end_samples_B, recipe).contiguous()
    return per_window_images(sound_N, end_samples_B, recipe)


def _stretch(sound_N: Tensor, start: int, stop: int) -> Tensor:
    """Samples [start, stop), a view where the sound has them all, else a copy with silence."""
    if start >= 0 and stop <= len(sound_N):
        return sound_N[start:stop]
    stretch_N = sound_N.new_empty(stop - start)
    _copy_stretch(sound_N, start, stretch_N)
    return stretch_N


def _copy_stretch(sound_N: Tensor, start: int, into_L: Tensor) -> None:
    length = len(into_L)
    first = min(max(0, -start), length)
    last = max(min(length, len(sound_N) - start), first)
    into_L[:first] = 0
    into_L[first:last] = sound_N[start + first : start + last]
    into_L[last:] = 0


def _columns(segment_KN: Tensor, recipe: Recipe) -> Tensor:
    if recipe.representation == "psd" and segment_KN.device.type == "mps":
        # That device has no double precision, and `psd` is nothing without it.
        return columns_of(segment_KN.cpu(), recipe).to(segment_KN.device)
    return columns_of(segment_KN, recipe)


def _tile_windows(sound_N: Tensor, recipe: Recipe) -> int:
    """How many windows' columns are computed at a time."""
    samples = _CPU_TILE_SAMPLES if sound_N.device.type == "cpu" else _GPU_TILE_SAMPLES
    return max(1, samples // (recipe.sound_image_size * recipe.fft_samples))
