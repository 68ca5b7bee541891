"""The same song or the same pictures in two clips, whatever their files are called.

Clips share a stretch where many of their landmarks (sound) or perceptual hashes (pictures) are
equal at one offset in time. No clip is compared with every other: only those that have rare
hashes in common at one offset are looked at closely. How often it is wrong, and what it cannot
find: docs/sameness.md.

Shapes: N landmarks and K pictures of a clip, E entries of all clips, P pairs of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np

from soundreel.atomic import atomic_file
from soundreel.dataset.coincidence import elected, equal_pairs, votes_for
from soundreel.errors import DatasetError
from soundreel.sound.fingerprint import HOP_SECONDS

#: What must be shared: 10 s, or half of the shorter clip (but 3 s of it). A channel's jingle, a
#: film's credits or a sample are shorter; tied by those, clips that have nothing else in common
#: would chain up until none could be held out. Up to 10 s may so be found on both sides of a
#: split: of a clip of four minutes, a twenty-fifth.
ENOUGH_SECONDS = 10.0
ENOUGH_SHARE = 0.5
LEAST_SECONDS = 3.0
#: What is found at one offset is one stretch where it is no further apart than this.
_GAP_SECONDS = 5.0

#: A landmark may come this much earlier or later, in hops: what encoders and cuts do to it.
_JITTER_HOPS = 2
#: Offsets are first counted in cells as wide as that to both sides, two cells at a time.
_CELL_HOPS = 2 * _JITTER_HOPS
#: Landmarks that must agree within 5 s for these seconds to count. Of songs played by the same
#: few instruments, at the same tempo and in the same key, up to 9 s a minute agree so; with 8
#: landmarks it would be 13, and with 15 drums on top hide a song.
_LEAST_LANDMARKS = 12
#: Pictures whose hashes differ in no more bits than this are the same ...
_SAME_BITS = 10
#: ... and those that differ in more than this are certainly different.
_OTHER_BITS = 20
#: How many different pictures must be shared: a title card is one, however long it stands.
_LEAST_PICTURES = 4

#: Pairs of entries to look at, of sound and of pictures: what bounds memory and time.
_MOST_PAIRS = 16_000_000
#: Entries at nearly one offset that make two clips worth a closer look.
_WORTH_A_LOOK = 3
#: Pictures that are closer in time than this go into the index once, ...
_INDEX_SECONDS = 0.75
#: ... and are compared once.
_COMPARE_SECONDS = 0.19
#: Offsets that are looked at for two clips with pictures in common.
_OFFSETS_TRIED = 5


@dataclass(frozen=True)
class Prints:
    """What a clip is recognised by.

    sound_hash_N, sound_time_N: uint32 and int32, as `fingerprint` gives them.
    picture_hash_K, picture_seconds_K: uint64 perceptual hashes, and when in the clip the
        pictures are; float64, ascending. Pictures without structure are not among them.
    """

    sound_hash_N: np.ndarray
    sound_time_N: np.ndarray
    picture_hash_K: np.ndarray
    picture_seconds_K: np.ndarray


@dataclass(frozen=True)
class Match:
    """Two clips that share something.

    first, second: places in the sequence given to `find_same`, first < second.
    shared_seconds: how much of the first is found in the second.
    offset_seconds: what is at t in the first is at t + offset_seconds in the second.
    """

    first: int
    second: int
    what: Literal["same song", "same pictures", "same file"]
    shared_seconds: float
    offset_seconds: float


def save_prints(path: Path, prints: Prints) -> None:
    """Write the prints of a clip as .npz; the same prints give the same bytes.

    Raises: StorageError if the disk is full or the place cannot be written.
    """
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            sound_hash_N=prints.sound_hash_N,
            sound_time_N=prints.sound_time_N,
            picture_hash_K=prints.picture_hash_K,
            picture_seconds_K=prints.picture_seconds_K,
        )


def load_prints(path: Path) -> Prints:
    """Read what `save_prints` wrote.

    Raises: DatasetError if the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Prints(**{name: arrays[name] for name in Prints.__dataclass_fields__})
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise DatasetError(
            f"{path}: cannot be read as the prints of a clip: prepare the dataset again"
        ) from error


def groups_of(count: int, ties: Iterable[tuple[int, int]]) -> list[int]:
    """The group of each of `count` clips: the lowest place among those it is tied to, by any chain.

    A clip without a match is a group of its own.
    """
    leader = list(range(count))

    def lead(clip: int) -> int:
        while leader[clip] != clip:
            leader[clip] = leader[leader[clip]]
            clip = leader[clip]
        return clip

    for first, second in ties:
        one, other = lead(first), lead(second)
        leader[max(one, other)] = min(one, other)
    return [lead(clip) for clip in range(count)]


def find_same(prints: Sequence[Prints], sha256s: Sequence[str]) -> list[Match]:
    """Which clips share a file, a song or pictures, ascending in first, second and what.

    prints, sha256s: one each for every clip. Of clips with the same bytes the first is compared
    with the others; the rest are tied to it.
    """
    assert len(prints) == len(sha256s)
    first_with: dict[str, int] = {}
    matches = []
    for clip, sha256 in enumerate(sha256s):
        first = first_with.setdefault(sha256, clip)
        if first != clip:
            matches.append(Match(first, clip, "same file", _length_seconds(prints[clip]), 0.0))
    places = sorted(first_with.values())
    for first, second, hops in _sound_candidates(prints, places):
        found = _shared_sound(prints[first], prints[second], hops)
        if found:
            matches.append(Match(first, second, "same song", *found))
    for first, second in _picture_candidates(prints, places):
        found = _shared_pictures(prints[first], prints[second])
        if found:
            matches.append(Match(first, second, "same pictures", *found))
    return sorted(matches, key=lambda match: (match.first, match.second, match.what))


def _sound_candidates(
    prints: Sequence[Prints], places: Sequence[int]
) -> Iterator[tuple[int, int, int]]:
    """(first, second, hops): clips whose landmarks agree, at an offset within a cell of `hops`."""
    hash_E = np.concatenate([np.empty(0, np.uint32), *(prints[p].sound_hash_N for p in places)])
    time_E = np.concatenate([np.empty(0, np.int32), *(prints[p].sound_time_N for p in places)])
    clip_E = _clip_of_each(places, [len(prints[p].sound_hash_N) for p in places])
    votes = (
        votes_for(clip_E[i_P], clip_E[j_P], (time_E[j_P] - time_E[i_P]) // _CELL_HOPS)
        for i_P, j_P in equal_pairs(hash_E, clip_E, _MOST_PAIRS)
    )
    for first, second, cell in elected(votes, _WORTH_A_LOOK):
        yield first, second, (cell + 1) * _CELL_HOPS


def _picture_candidates(
    prints: Sequence[Prints], places: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Clips that have several pictures in common, all at nearly one offset."""
    indexed = [_thinned(prints[p], _INDEX_SECONDS) for p in places]
    hash_E = np.concatenate([np.empty(0, np.uint64), *(hash_K for hash_K, _ in indexed)])
    seconds_E = np.concatenate([np.empty(0), *(seconds_K for _, seconds_K in indexed)])
    clip_E = _clip_of_each(places, [len(hash_K) for hash_K, _ in indexed])
    # Of pictures 4 bits apart, four in five have one of four bands in common, and it takes only
    # a few such pictures to get two clips looked at.
    pairs = [np.empty(0, np.int64)]
    for band in range(4):
        band_E = hash_E >> np.uint64(16 * band) & np.uint64(0xFFFF)
        for i_P, j_P in equal_pairs(band_E, clip_E, _MOST_PAIRS // 4):
            near_P = _bits_set(hash_E[i_P] ^ hash_E[j_P]) <= _SAME_BITS
            pairs.append(i_P[near_P] * len(hash_E) + j_P[near_P])
    # Each pair once, in however many bands it agrees.
    i_P, j_P = np.divmod(np.unique(np.concatenate(pairs)), max(1, len(hash_E)))
    cell_P = np.floor((seconds_E[j_P] - seconds_E[i_P]) / (2 * _INDEX_SECONDS)).astype(np.int64)
    votes = votes_for(clip_E[i_P], clip_E[j_P], cell_P)
    for first, second, _ in elected([votes], _WORTH_A_LOOK):
        yield first, second


def _clip_of_each(places: Sequence[int], entries: Sequence[int]) -> np.ndarray:
    return np.array(places, np.int32).repeat(entries)


def _shared_sound(first: Prints, second: Prints, hops: int) -> tuple[float, float] | None:
    """How many seconds two clips share, and at which offset near `hops`; None if not enough."""
    known_M = np.sort(_landmarks(second))
    sought_N = _landmarks(first) + hops
    # The first of the same hash that is not earlier than a cell before where it should be.
    at_N = np.searchsorted(known_M, sought_N - _CELL_HOPS).clip(max=len(known_M) - 1)
    late_N = known_M[at_N] - sought_N
    is_found_N = np.abs(late_N) <= _CELL_HOPS
    late_S = late_N[is_found_N]
    together = np.convolve(
        np.bincount(late_S + _CELL_HOPS, minlength=2 * _CELL_HOPS + 1),
        np.ones(2 * _JITTER_HOPS + 1, np.int64),
        "valid",
    )
    near_S = np.abs(late_S - (int(together.argmax()) + _JITTER_HOPS - _CELL_HOPS)) <= _JITTER_HOPS
    seconds_S = first.sound_time_N[is_found_N][near_S] * HOP_SECONDS
    shared = _stretches(_dense(seconds_S, _GAP_SECONDS, _LEAST_LANDMARKS), _GAP_SECONDS)
    lengths = [_span(clip.sound_time_N * HOP_SECONDS) for clip in (first, second)]
    if shared < _enough(min(lengths)):
        return None
    return round(shared, 3), round((hops + float(late_S[near_S].mean())) * HOP_SECONDS, 3)


def _landmarks(prints: Prints) -> np.ndarray:
    """Each hash with its hop as one number: a hop later is one more."""
    return (prints.sound_hash_N.astype(np.int64) << 32) + prints.sound_time_N


def _shared_pictures(first: Prints, second: Prints) -> tuple[float, float] | None:
    """How many seconds of pictures two clips share, and at which offset; None if not enough."""
    hash_I, seconds_I = _thinned(first, _COMPARE_SECONDS)
    hash_J, seconds_J = _thinned(second, _COMPARE_SECONDS)
    if min(len(hash_I), len(hash_J)) < _LEAST_PICTURES:
        return None
    i_P, j_P = _near_pairs(hash_I, hash_J)
    step = max(_COMPARE_SECONDS, *(np.median(np.diff(s)) for s in (seconds_I, seconds_J)))
    offset_P = seconds_J[j_P] - seconds_I[i_P]
    cells, votes = np.unique(np.floor(offset_P / step), return_counts=True)
    best = (0.0, 0.0)
    for cell in cells[np.argsort(-votes, kind="stable")[:_OFFSETS_TRIED]]:
        at_P = np.abs(offset_P / step - cell - 0.5) <= 1
        i_S = np.unique(i_P[at_P])
        if _different(hash_I[i_S]) >= _LEAST_PICTURES:
            shared = _stretches(seconds_I[i_S], max(_GAP_SECONDS, 2.5 * step))
            best = max(best, (shared, -float(np.median(offset_P[at_P]))))
    if best[0] < _enough(min(_span(seconds_I), _span(seconds_J))):
        return None
    return round(best[0], 3), round(-best[1], 3)


def _near_pairs(hash_I: np.ndarray, hash_J: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) of the hashes that differ in at most `_SAME_BITS` bits."""
    i_parts, j_parts = [], []
    for start in range(0, len(hash_I), 256):
        away_IJ = _bits_set(hash_I[start : start + 256, None] ^ hash_J)
        i, j = np.nonzero(away_IJ <= _SAME_BITS)
        i_parts.append(i + start)
        j_parts.append(j)
    return np.concatenate(i_parts), np.concatenate(j_parts)


def _different(hash_S: np.ndarray) -> int:
    """How many of the pictures are certainly different from one another, up to what is needed."""
    kept: list[np.ndarray] = []
    for one in hash_S:
        if all(_bits_set(one ^ other) > _OTHER_BITS for other in kept):
            kept.append(one)
        if len(kept) == _LEAST_PICTURES:
            break
    return len(kept)


def _bits_set(value: np.ndarray) -> np.ndarray:
    """How many of the 64 bits are set: uint64 -> int64, of the same shape."""
    parts = np.ascontiguousarray(value, np.uint64)[..., None].view(np.uint16)
    return _BITS_SET[parts].sum(-1, dtype=np.int64)


_BITS_SET = np.array([value.bit_count() for value in range(2**16)], np.uint8)


def _thinned(prints: Prints, every_seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Hashes and seconds of pictures that are at least so far apart."""
    kept, last = [], -np.inf
    for k, seconds in enumerate(prints.picture_seconds_K.tolist()):
        if seconds - last >= every_seconds:
            kept.append(k)
            last = seconds
    return prints.picture_hash_K[kept], prints.picture_seconds_K[kept]


def _dense(seconds_S: np.ndarray, within_seconds: float, at_least: int) -> np.ndarray:
    """Those of ascending times that have `at_least` (with itself) within so many seconds around."""
    stop_S = np.searchsorted(seconds_S, seconds_S + within_seconds / 2, "right")
    start_S = np.searchsorted(seconds_S, seconds_S - within_seconds / 2, "left")
    return seconds_S[stop_S - start_S >= at_least]


def _stretches(seconds_S: np.ndarray, gap_seconds: float) -> float:
    """How long the stretches are that ascending times make, the gaps between them left out."""
    gaps_S = np.diff(seconds_S)
    return float(gaps_S[gaps_S <= gap_seconds].sum())


def _enough(shorter_seconds: float) -> float:
    return min(ENOUGH_SECONDS, max(LEAST_SECONDS, ENOUGH_SHARE * shorter_seconds))


def _length_seconds(prints: Prints) -> float:
    sound = prints.sound_time_N[-1:].max(initial=0) * HOP_SECONDS
    return round(float(max(sound, prints.picture_seconds_K[-1:].max(initial=0))), 3)


def _span(seconds_S: np.ndarray) -> float:
    return float(seconds_S[-1] - seconds_S[0]) if len(seconds_S) else 0.0
