"""What a model makes of songs that it never heard, beside the frames that are true of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from soundreel.asking.song_cues import SongCues, song_cues
from soundreel.dataset.loading import Pairs
from soundreel.evidence.descriptors import picture_descriptors
from soundreel.evidence.realism import small_pictures
from soundreel.networks.bundle import Model
from soundreel.networks.resample import fit_to
from soundreel.progress import Listener, Step
from soundreel.seeding import seed_for
from soundreel.sound.representation import sound_images

_AT_ONCE = 16
#: Pictures of a clip that are kept whole, spread over it; the others only small.
WHOLE_OF_A_CLIP = 24
#: Neighbouring pictures of a clip that motion and flicker are measured on.
RUN_PICTURES = 48
_MEAN_OF = 512


@dataclass(frozen=True)
class FilmedClip:
    """One unseen song: what is true and what was made, T moments of it.

    times_seconds_T: of the moments. truth_TD, made_TD: pictures of 32 x 32, float32 in [-1, 1],
    flattened. truth_curves_TP, made_curves_TP: `PICTURE_NAMES` of the whole pictures.
    whole_K: places among the T of the pictures that are kept whole; truth_KHW3, made_KHW3: those.
    truth_run_RHW3, made_run_RHW3: neighbouring pictures, where the dataset has them densely.
    run_cuts: at which of these the made film cuts, as it was planned; a U-Net's never does.
    look: the training clip whose look a `reel` chose for this song; None for a U-Net.
    """

    id: str
    times_seconds_T: np.ndarray
    truth_TD: np.ndarray
    made_TD: np.ndarray
    truth_curves_TP: np.ndarray
    made_curves_TP: np.ndarray
    whole_K: np.ndarray
    truth_KHW3: np.ndarray
    made_KHW3: np.ndarray
    truth_run_RHW3: np.ndarray
    made_run_RHW3: np.ndarray
    run_cuts: tuple[int, ...] = ()
    look: str | None = None


def film_clips(
    model: Model,
    held_out: Sequence[Pairs],
    most_moments: int,
    step_seconds: float,
    seed: int,
    progress: Listener,
) -> list[FilmedClip]:
    """Have a model film every clip of some pairs, at most `most_moments` of each.

    Moments are evenly spread over the clip. A model that draws noise has the same noise at the
    same moment of every song, so that differences between songs are the songs'. A `reel` films
    each as `render` would (see `song_cues`): its looks, layouts and cuts are what it makes of the
    song too.
    """
    jobs = [
        (pairs, clip, name)
        for pairs in held_out
        for clip, name in enumerate(pairs.clip_ids)
        if (pairs.clip_N == clip).any()
    ]
    filmed = []
    for done, (pairs, clip, name) in enumerate(jobs):
        progress(Step("film unseen songs", done, len(jobs), "songs", name))
        filmed.append(_film(model, pairs, clip, name, most_moments, step_seconds, seed))
    progress(Step("film unseen songs", len(jobs), len(jobs), "songs"))
    return filmed


def made_of(model: Model, x_1SS: Tensor, seed: int) -> np.ndarray:
    """What a model makes of one sound image, as a small picture: D, float32 in [-1, 1].

    One moment is no song to plan a film of: a `reel` draws it as the nearest one that it remembers.
    """
    return _small(bytes_of(model.pictures(x_1SS[None], [seed_for(seed, "moment", 0)])))[0]


def silence_image(model: Model) -> Tensor:
    """The sound image of silence: 1 x S x S."""
    recipe = model.recipe
    samples = recipe.window_samples
    return sound_images(torch.zeros(samples), torch.tensor([samples]), recipe)[0]


def mean_image(pairs: Pairs) -> Tensor:
    """The mean of training sound images: 1 x S x S."""
    places = np.unique(np.linspace(0, len(pairs) - 1, min(_MEAN_OF, len(pairs))).round())
    total = torch.zeros(())
    for part in _parts(places.astype(np.int64)):
        total = total + pairs.sound_images(part).double().sum(0)
    return (total / len(places)).float()


def _film(
    model: Model,
    pairs: Pairs,
    clip: int,
    name: str,
    most: int,
    step_seconds: float,
    seed: int,
) -> FilmedClip:
    of_clip = np.flatnonzero(pairs.clip_N == clip)
    count = min(most, len(of_clip))
    chosen = of_clip[np.unique(np.linspace(0, len(of_clip) - 1, count).round().astype(np.int64))]
    whole_K = np.unique(
        np.linspace(0, len(chosen) - 1, min(WHOLE_OF_A_CLIP, len(chosen))).round().astype(np.int64)
    )
    run = of_clip[_run(pairs.time_seconds_N[of_clip], step_seconds)]
    # One plan for both, so that a moment is drawn alike in either.
    cues = _cues(model, pairs, clip, np.union1d(chosen, run), seed)
    small: dict[str, list[np.ndarray]] = {"truth": [], "made": []}
    curves: dict[str, list[np.ndarray]] = {"truth": [], "made": []}
    whole: dict[str, list[np.ndarray]] = {"truth": [], "made": []}
    done = 0
    for truth_BHW3, made_BHW3 in _pictures(model, pairs, chosen, seed, cues):
        kept = whole_K[(whole_K >= done) & (whole_K < done + len(truth_BHW3))] - done
        for kind, pictures in (("truth", truth_BHW3), ("made", made_BHW3)):
            small[kind].append(_small(pictures))
            # Motion needs neighbours in time, which moments far apart are not.
            curves[kind].append(picture_descriptors(pictures).values_TD[:, :-1])
            whole[kind].append(pictures[kept])
        done += len(truth_BHW3)
    runs = list(_pictures(model, pairs, run, seed, cues)) if len(run) else []
    cuts = () if cues is None else cues.cuts_within(pairs.time_seconds_N[run])
    none = np.empty((0, *model.picture_shape, 3), np.uint8)
    return FilmedClip(
        id=name,
        times_seconds_T=pairs.time_seconds_N[chosen],
        truth_TD=np.concatenate(small["truth"]),
        made_TD=np.concatenate(small["made"]),
        truth_curves_TP=np.concatenate(curves["truth"]),
        made_curves_TP=np.concatenate(curves["made"]),
        whole_K=whole_K,
        truth_KHW3=np.concatenate(whole["truth"]),
        made_KHW3=np.concatenate(whole["made"]),
        truth_run_RHW3=np.concatenate([pair[0] for pair in runs]) if runs else none,
        made_run_RHW3=np.concatenate([pair[1] for pair in runs]) if runs else none,
        run_cuts=tuple(int(cut) for cut in cuts),
        look=None if cues is None else cues.look,
    )


def _cues(model: Model, pairs: Pairs, clip: int, places: np.ndarray, seed: int) -> SongCues | None:
    images = (pairs.sound_images(part) for part in _parts(places))
    return song_cues(model, pairs.sounds[clip], images, pairs.time_seconds_N[places], seed)


def _run(times_seconds_N: np.ndarray, step_seconds: float) -> np.ndarray:
    """Places of the longest stretch without gaps, at most `RUN_PICTURES`, from its middle."""
    if step_seconds > 0.13 or len(times_seconds_N) < 3:
        return np.empty(0, np.int64)
    gaps = np.flatnonzero(np.diff(times_seconds_N) > 1.5 * step_seconds) + 1
    edges = np.concatenate([[0], gaps, [len(times_seconds_N)]])
    longest = int(np.diff(edges).argmax())
    start, stop = int(edges[longest]), int(edges[longest + 1])
    first = start + max(0, stop - start - RUN_PICTURES) // 2
    return np.arange(first, min(stop, first + RUN_PICTURES))


def _pictures(
    model: Model, pairs: Pairs, places: np.ndarray, seed: int, cues: SongCues | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(true, made) pictures of some pairs at the model's size, B x H x W x 3 uint8 each."""
    first = 0
    for part in _parts(places):
        seeds = [seed_for(seed, "moment", first + n) for n in range(len(part))]
        truth_B3HW = fit_to(pairs.pictures(part), model.picture_shape)
        cue_BK = None if cues is None else cues.at(pairs.time_seconds_N[part])
        made_B3HW = model.pictures(pairs.sound_images(part), seeds, cue_BK)
        yield bytes_of(truth_B3HW), bytes_of(made_B3HW)
        first += len(part)


def _parts(places: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(places), _AT_ONCE):
        yield places[first : first + _AT_ONCE]


def shaped(pictures_NHW3: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pictures at another size (rows, columns), uint8 -> uint8."""
    x_N3HW = torch.from_numpy(pictures_NHW3).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return bytes_of(fit_to(x_N3HW, shape))


def bytes_of(x_B3HW: Tensor) -> np.ndarray:
    """Pictures as a network has them, in [-1, 1], as B x H x W x 3 uint8."""
    x_B3HW = x_B3HW.float().add(1).mul(127.5).round().clamp(0, 255).byte()
    return x_B3HW.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _small(pictures_BHW3: np.ndarray) -> np.ndarray:
    small_BSS3 = small_pictures(pictures_BHW3).astype(np.float32)
    return (small_BSS3 / 127.5 - 1).reshape(len(pictures_BHW3), -1)
