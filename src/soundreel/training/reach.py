"""Pairs within reach of the networks: in this machine's memory, or whole on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from soundreel.dataset.loading import Pairs
from soundreel.sound.representation import per_window_images, windows_of
from soundreel.training.source import InMemory, Source

#: Of the memory that is free on a GPU, the networks need the rest.
_GPU_SHARE = 0.4
#: Frames sent to a GPU at a time.
_SENT_AT_ONCE = 1024


class Reach(Protocol):
    """Pairs whose pictures and sound images can be had for indices. B = len(indices)."""

    @property
    def holds_sound(self) -> bool:
        """False where sound images are stored and there is no sound."""
        ...

    def pictures(self, indices: np.ndarray) -> Tensor:
        """B x 3 x S x S, float32 in [-1, 1]."""
        ...

    def sound_images(self, indices: np.ndarray) -> Tensor:
        """B x 1 x S x S, float32 in [-1, 1]."""
        ...

    def altered_images(
        self, indices: np.ndarray, gain_B: np.ndarray, later_B: np.ndarray
    ) -> Tensor:
        """Sound images of a louder sound, of windows that end later.

        gain_B: what each window's samples are multiplied by; later_B: samples, int. The sound
        itself is altered, so that every representation is what it would be of such a sound.
        """
        ...


def reach_for(
    source: Source, device: torch.device
) -> Callable[[int, Sequence[int]], tuple[Reach, np.ndarray]]:
    """What turns places of an epoch into pairs within reach, and indices into them.

    On a GPU whose memory they fit, pairs in memory are brought there once and stay.
    """
    if isinstance(source, InMemory) and device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if resident_bytes(source.pairs) < _GPU_SHARE * free:
            resident = Resident(source.pairs, device)
            return lambda epoch, places: (resident, source.at(epoch, places)[1])

    def nearby(epoch: int, places: Sequence[int]) -> tuple[Reach, np.ndarray]:
        pairs, indices = source.at(epoch, places)
        return Nearby(pairs), indices

    return nearby


class Nearby:
    """Pairs in this machine's memory, or mapped into it from a disk."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs

    @property
    def holds_sound(self) -> bool:
        return self._pairs.sound_images_NSS is None

    def pictures(self, indices: np.ndarray) -> Tensor:
        return self._pairs.pictures(indices)

    def sound_images(self, indices: np.ndarray) -> Tensor:
        return self._pairs.sound_images(indices)

    def altered_images(
        self, indices: np.ndarray, gain_B: np.ndarray, later_B: np.ndarray
    ) -> Tensor:
        pairs, length = self._pairs, self._pairs.recipe.window_samples
        window_BL = torch.cat(
            [
                windows_of(
                    torch.from_numpy(np.asarray(pairs.sounds[int(pairs.clip_N[index])])),
                    torch.tensor([pairs.end_sample_N[index] + later]),
                    length,
                )
                for index, later in zip(indices, later_B, strict=True)
            ]
        )
        return _images_of(window_BL, gain_B, pairs)


class Resident:
    """Pairs held whole on a device: nothing is sent but which ones are wanted.

    All sounds lie there one after the other, with silence before each, so that a window is a
    stretch of one long sound.
    """

    def __init__(self, pairs: Pairs, device: torch.device) -> None:
        self._pairs = pairs
        self._device = device
        count, length = len(pairs), pairs.recipe.window_samples
        self._frames_N3HW = torch.empty(pairs.frames_N3HW.shape, dtype=torch.uint8, device=device)
        for first in range(0, count, _SENT_AT_ONCE):
            part = np.ascontiguousarray(pairs.frames_N3HW[first : first + _SENT_AT_ONCE])
            self._frames_N3HW[first : first + _SENT_AT_ONCE] = torch.from_numpy(part.copy())
        stored = pairs.sound_images_NSS
        self._stored_NSS = None if stored is None else torch.tensor(stored).to(device)
        begins, place = [], 0
        for sound in pairs.sounds:
            place += length
            begins.append(place)
            place += len(sound)
        self._sound_N = torch.zeros(place + length, device=device)
        for begin, sound in zip(begins, pairs.sounds, strict=True):
            self._sound_N[begin : begin + len(sound)] = torch.from_numpy(np.array(sound))
        self._end_sample_N = pairs.end_sample_N + np.array(begins, np.int64)[pairs.clip_N]
        # How far a window may move before it would hear a neighbour; silence lies that far.
        self._room_before_N = pairs.end_sample_N
        lengths = np.array([len(sound) for sound in pairs.sounds], np.int64)
        self._room_after_N = lengths[pairs.clip_N] + length - pairs.end_sample_N

    @property
    def holds_sound(self) -> bool:
        return self._stored_NSS is None

    def pictures(self, indices: np.ndarray) -> Tensor:
        chosen_B = torch.from_numpy(indices).to(self._device)
        return self._frames_N3HW[chosen_B].float().div_(127.5).sub_(1)

    def sound_images(self, indices: np.ndarray) -> Tensor:
        if self._stored_NSS is not None:
            chosen_B = torch.from_numpy(indices).to(self._device)
            return self._stored_NSS[chosen_B][:, None].float().div_(127.5).sub_(1)
        still_B = np.zeros(len(indices), np.int64)
        return self.altered_images(indices, np.ones(len(indices)), still_B)

    def altered_images(
        self, indices: np.ndarray, gain_B: np.ndarray, later_B: np.ndarray
    ) -> Tensor:
        length = self._pairs.recipe.window_samples
        # No further than where there is nothing but silence.
        later_B = later_B.clip(-self._room_before_N[indices], self._room_after_N[indices])
        end_B = torch.from_numpy(self._end_sample_N[indices] + later_B).to(self._device)
        sample_BL = end_B[:, None] - length + torch.arange(length, device=self._device)
        window_BL = self._sound_N[sample_BL.clamp_(0, len(self._sound_N) - 1)]
        return _images_of(window_BL, gain_B, self._pairs)


def resident_bytes(pairs: Pairs) -> int:
    """The memory that `Resident` needs for pairs."""
    stored = 0 if pairs.sound_images_NSS is None else pairs.sound_images_NSS.nbytes
    padding = 4 * pairs.recipe.window_samples * (len(pairs.sounds) + 1)
    return pairs.frames_N3HW.nbytes + stored + padding + sum(4 * len(s) for s in pairs.sounds)


def _images_of(window_BL: Tensor, gain_B: np.ndarray, pairs: Pairs) -> Tensor:
    window_BL = (
        window_BL * torch.from_numpy(gain_B.astype(np.float32)).to(window_BL.device)[:, None]
    )
    count, length = window_BL.shape
    end_B = torch.arange(1, count + 1) * length
    return per_window_images(window_BL.reshape(-1), end_B, pairs.recipe)
