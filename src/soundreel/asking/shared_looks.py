"""Which clips of a dataset share a look, where that is told: planted corpora say so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from soundreel.asking.filming import bytes_of
from soundreel.dataset.loading import Pairs
from soundreel.dataset.store import ClipRow
from soundreel.networks.resample import fit_to

#: Frames of all the others that share a look, evenly spread.
_OTHERS = 96


def told_looks(rows: Sequence[ClipRow]) -> dict[str, str]:
    """The look of each clip, by its id, where one lies beside the film that it was prepared from.

    A clip of a planted corpus has its truth beside it (`<id>.truth.json`, see `synthetic`); of any
    other clip nothing is told, and it is left out.
    """
    looks = {}
    for row in rows:
        try:
            truth = json.loads(Path(row.source).with_suffix(".truth.json").read_bytes())
            looks[row.id] = str(truth["look"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return looks


def sharing_look(clip_id: str, candidates: Sequence[str], told: Mapping[str, str]) -> list[str]:
    """Those of some clips that are told to share a clip's look, without itself."""
    look = told.get(clip_id)
    return [one for one in candidates if look and told.get(one) == look and one != clip_id]


def frames_of(
    pairs: Pairs, clip_ids: Sequence[str], shape: tuple[int, int], most: int = _OTHERS
) -> np.ndarray:
    """Frames of some clips, evenly spread over them: B x H x W x 3 uint8, at most `most`."""
    clips = [pairs.clip_ids.index(one) for one in clip_ids]
    places = np.flatnonzero(np.isin(pairs.clip_N, clips))
    if len(places) == 0:
        return np.empty((0, *shape, 3), np.uint8)
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(np.int64)
    return bytes_of(fit_to(pairs.pictures(places[chosen]), shape))
