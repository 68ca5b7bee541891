"""Ridge regression across clips, refitted for every pairing of songs and videos.

A fit needs sums of products only (the Gram matrix of the sounds, the products of sounds with
pictures), and so does the correlation of a prediction with the truth. So the products are made
once for each song on each video, and thousands of pairings are refitted from them.

Arrays only. Shapes: V videos, N candidate sounds of a video, B pairings, F folds, A sound curves,
P picture curves, K components of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

#: Pairings that are fitted or gathered at once take about this much memory, a few times over.
_CHUNK_BYTES = 48 * 2**20
#: All the products are kept where they take no more than this.
_KEPT_BYTES = 256 * 2**20

#: The candidate sounds of video v, N x T x A, made ready.
Candidates = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Ridge:
    """How pictures are predicted from sounds.

    strength: what is added to the variance of each component of the sounds (whose curves have 1).
    sound_components, picture_components: how many principal components of each are kept, at most.
    """

    strength: float = 1.0
    sound_components: int = 8
    picture_components: int = 4


@dataclass(frozen=True)
class Scores:
    """Held-out correlation within each video, averaged over the picture's components: [-1, 1].

    score_BV: of each pairing. own_NV: candidates scored by the fit of the first pairing.
    predicted: for each video what the first pairing predicts of its picture curves, T x P.
    """

    score_BV: np.ndarray
    own_NV: np.ndarray
    predicted: tuple[np.ndarray, ...]


def refitted_scores(
    candidates: Candidates,
    pictures: Sequence[np.ndarray],
    choice_BV: np.ndarray,
    fold_V: np.ndarray,
    ridge: Ridge,
) -> Scores:
    """Scores of many pairings, each with fits of its own: whole videos left out, fold by fold.

    pictures: for each video its curves T x P, of mean 0 and unit variance (`streams.standardised`).
    candidates: for each video the sounds that it can be paired with, likewise.
    choice_BV: which of them it has in each pairing; the first pairing is the observed one.
    fold_V: the fold of each video, 0 to F - 1, F at least 2.

    For each pairing b and fold f, over the videos outside f: the sounds' principal components (of
    the songs that this pairing trains with), the pictures' (which no pairing changes), and a ridge
    regression of the latter on the former. The score of a video v of f is the correlation over its
    times of prediction and truth, averaged over the K components; signed, so that it is centred on
    0 without dependence however smooth the curves are. What does not vary scores 0.

    Source: the protocol of docs/evidence.md; sums of products as in Golub and Van Loan, normal
    equations. Time: B x (F eigenproblems of A x A, and V gathers of A x A).

    Raises: ValueError if a fold is empty or there is one only.
    """
    folds = int(fold_V.max()) + 1
    if folds < 2 or len(np.unique(fold_V)) != folds:
        raise ValueError(f"folds {np.unique(fold_V)}: at least two, and none empty, are needed")
    axis_FPK = _picture_axes(pictures, fold_V, folds, ridge.picture_components)
    products = _Products(candidates, pictures)
    score_BV = np.empty(choice_BV.shape)
    own, predicted = [], []
    for part in _parts(len(choice_BV), folds * products.bytes_of_gram):
        choice_bV = choice_BV[part]
        weight_bFAK = _fits(products, choice_bV, fold_V, axis_FPK, ridge)
        for v, picture_TP in enumerate(pictures):
            axis_PK = axis_FPK[fold_V[v]]
            gram_NAA, cross_NAP = products(v)
            cross_NAK = cross_NAP @ axis_PK
            power_K = np.square(picture_TP @ axis_PK).sum(axis=0)
            weight_bAK, chosen_b = weight_bFAK[:, fold_V[v]], choice_bV[:, v]
            for few in _parts(len(chosen_b), products.bytes_of_gram):
                score_BV[part.start + few.start : part.start + few.stop, v] = _score(
                    weight_bAK[few], gram_NAA[chosen_b[few]], cross_NAK[chosen_b[few]], power_K
                )
            if part.start == 0:
                weight_NAK = np.broadcast_to(weight_bAK[0], (len(gram_NAA), *weight_bAK[0].shape))
                own.append(_score(weight_NAK, gram_NAA, cross_NAK, power_K))
                sound_TA = candidates(v)[chosen_b[0]]
                predicted.append(sound_TA @ weight_bAK[0] @ axis_PK.T)
    own_NV = np.full((max(map(len, own)), len(own)), np.nan)
    for v, score_N in enumerate(own):
        own_NV[: len(score_N), v] = score_N
    return Scores(score_BV, own_NV, tuple(predicted))


class _Products:
    """The products of each video's candidate sounds: N x A x A, and N x A x P with its picture.

    Kept where they fit into memory, else made anew each time they are asked for.
    """

    def __init__(self, candidates: Candidates, pictures: Sequence[np.ndarray]) -> None:
        self._candidates, self.pictures = candidates, pictures
        first_NAA, first_NAP = self._made(0)
        self.curves = first_NAA.shape[1]
        self.bytes_of_gram = first_NAA[0].nbytes
        all_of_them = (first_NAA.nbytes + first_NAP.nbytes) * len(pictures)
        fits = all_of_them <= _KEPT_BYTES
        self._kept = [self._made(v) for v in range(len(pictures))] if fits else None

    def __call__(self, v: int) -> tuple[np.ndarray, np.ndarray]:
        return self._made(v) if self._kept is None else self._kept[v]

    def _made(self, v: int) -> tuple[np.ndarray, np.ndarray]:
        sound_NTA = self._candidates(v)
        sound_NAT = np.ascontiguousarray(sound_NTA.transpose(0, 2, 1))
        return sound_NAT @ sound_NTA, sound_NAT @ self.pictures[v]


def _picture_axes(
    pictures: Sequence[np.ndarray], fold_V: np.ndarray, folds: int, components: int
) -> np.ndarray:
    """The pictures' principal axes, learnt without each fold: F x P x K."""
    gram_VPP = np.stack([picture_TP.T @ picture_TP for picture_TP in pictures])
    axes = []
    for fold in range(folds):
        _, axis_PP = np.linalg.eigh(gram_VPP[fold_V != fold].sum(axis=0))
        axes.append(axis_PP[:, ::-1][:, :components])
    return np.stack(axes)


def _fits(
    products: _Products,
    choice_bV: np.ndarray,
    fold_V: np.ndarray,
    axis_FPK: np.ndarray,
    ridge: Ridge,
) -> np.ndarray:
    """Weights b x F x A x K of some pairings, within the sounds' principal components."""
    pairings, folds, curves = len(choice_bV), len(axis_FPK), products.curves
    gram_bFAA = np.zeros((pairings, folds, curves, curves))
    cross_bFAP = np.zeros((pairings, folds, curves, axis_FPK.shape[1]))
    count_F = np.zeros(folds)
    for v, picture_TP in enumerate(products.pictures):
        gram_NAA, cross_NAP = products(v)
        gram_bFAA[:, fold_V[v]] += gram_NAA[choice_bV[:, v]]
        cross_bFAP[:, fold_V[v]] += cross_NAP[choice_bV[:, v]]
        count_F[fold_V[v]] += len(picture_TP)
    # So far what each fold holds; learnt is from all that the others hold.
    gram_bFAA = gram_bFAA.sum(axis=1, keepdims=True) - gram_bFAA
    cross_bFAP = cross_bFAP.sum(axis=1, keepdims=True) - cross_bFAP
    count_F = count_F.sum() - count_F
    variance_bFA, axis_bFAA = np.linalg.eigh(gram_bFAA / count_F[:, None, None])
    axis_bFAC = axis_bFAA[..., -ridge.sound_components :]
    # Rounding can leave a variance of 0 a hair below it.
    shrunk_bFC = variance_bFA[..., -ridge.sound_components :].clip(0) + ridge.strength
    inner_bFCK = axis_bFAC.swapaxes(-1, -2) @ (cross_bFAP @ axis_FPK / count_F[:, None, None])
    return axis_bFAC @ (inner_bFCK / shrunk_bFC[..., None])


def _score(
    weight_BAK: np.ndarray, gram_BAA: np.ndarray, cross_BAK: np.ndarray, power_K: np.ndarray
) -> np.ndarray:
    """Correlation of prediction and truth from their products, averaged over components: B."""
    shared_BK = (weight_BAK * cross_BAK).sum(axis=1)
    predicted_BK = ((gram_BAA @ weight_BAK) * weight_BAK).sum(axis=1)
    norm_BK = np.sqrt(predicted_BK.clip(0) * power_K)
    tiny = 1e-12 * max(1.0, float(power_K.max(initial=0.0)))
    return np.divide(shared_BK, norm_BK, out=np.zeros_like(shared_BK), where=norm_BK > tiny).mean(
        axis=1
    )


def _parts(count: int, bytes_each: int) -> list[slice]:
    size = max(1, _CHUNK_BYTES // max(1, bytes_each))
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]
