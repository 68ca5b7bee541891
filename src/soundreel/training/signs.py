"""Signs that a training goes wrong, read from its rows of metrics.jsonl.

Each says what is seen and what to try. None of them stops a run but `explodes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

Row = Mapping[str, Any]

#: The discriminator's loss when it cannot tell: log 2 for the real and log 2 for the made.
INDECISION = 2 * math.log(2)
#: Its loss when it is right with a probability of exp(-0.05) = 95 % on the real and on the made...
WINNING_DISCRIMINATOR_LOSS = 0.1
#: ...and the generator's when its patches pass for real with exp(-3) = 5 %. What is beyond learns
#: little: the discriminator's answer hardly changes with the picture any more.
WINNING_ADVERSARIAL_LOSS = 3.0
#: A GAN swings; three measurements in a row are no swing.
WINNING_ROWS = 3

#: Pictures that vary by a hundredth of the frames' variance vary by a tenth of their contrast at
#: most: to the eye they are all the same.
DEAF_SENSITIVITY = 0.01
#: The first measurement may come before anything is learnt: it does not count.
DEAF_ROWS = 2

#: So many measurements since the best one, each so much worse than it. Held-out L1 sways by 1 or
#: 2 % from one to the next, and with a high learning rate by more, but then up and down.
OVERFITTING_ROWS = 3
OVERFITTING_SHARE = 0.03

#: Twice as near as the mean picture on what it trained on, and no nearer on what it did not, three
#: measurements in a row: what it learnt holds for its own clips only. (400 epochs of five real
#: clips: held-out L1 above the mean picture's from the first row to the last, so it never turned.)
HOLLOW_SHARE = 0.5
HOLLOW_ROWS = 3

#: A generator that is ruined (tried here: a learning rate of 1 halfway) does not go to infinity:
#: its layers are normalised and its pictures bounded, so it falls back to one flat answer, with
#: an L1 of about what it began with. Three times the L1 of late, over 20 steps, is no noise; and
#: below 0.4, where the mean picture of most footage lies, nothing is lost.
EXPLODED_RATIO = 3.0
EXPLODED_L1 = 0.4
_EXPLODED_ROWS = 5


def warnings_of(rows: Sequence[Row]) -> list[str]:
    """What is wrong as of the last row, a sentence with advice each; mostly nothing.

    rows: all rows of a run in order. Values that are missing or None say nothing.
    """
    signs: tuple[Callable[[Sequence[Row]], str | None], ...] = (
        _discriminator_wins,
        _input_does_not_matter,
        _learns_by_heart,
        _no_better_than_the_mean,
    )
    return [sentence for sign in signs if (sentence := sign(rows)) is not None]


def explodes(recent_l1: Sequence[float], row_l1: Sequence[float]) -> bool:
    """Whether a generator has lost what it had learnt, and going on makes no sense.

    recent_l1: training L1 of the latest steps (or means of some), 20 of them or more to be sure;
    row_l1: its means of the rows so far. Without any of either the answer is no: a generator may
    begin badly. The adversarial loss is not asked: in an ordinary GAN it may be anything. Losses
    that are no numbers are another matter.
    """
    if not recent_l1 or not row_l1:
        return False
    recent, usual = fmean(recent_l1), median(row_l1[-_EXPLODED_ROWS:])
    return recent > EXPLODED_L1 and recent > EXPLODED_RATIO * usual


def _discriminator_wins(rows: Sequence[Row]) -> str | None:
    seen = _last(rows, "discriminator_loss", WINNING_ROWS)
    fooled = _last(rows, "adversarial_loss", WINNING_ROWS)
    if seen is None or fooled is None:
        return None
    if max(seen) >= WINNING_DISCRIMINATOR_LOSS or min(fooled) <= WINNING_ADVERSARIAL_LOSS:
        return None
    return (
        f"the discriminator wins: its loss is {seen[-1]:.2g} (undecided: {INDECISION:.2f}), the "
        f"generator's {fooled[-1]:.1f}, so the generator learns little from it: lower "
        "discriminator_learning_rate or discriminator_width"
    )


def _input_does_not_matter(rows: Sequence[Row]) -> str | None:
    seen = _last(rows[1:], "sensitivity", DEAF_ROWS)
    if seen is None or max(seen) >= DEAF_SENSITIVITY:
        return None
    return (
        f"the pictures hardly depend on the input: their variance is {100 * seen[-1]:.2f} % of the "
        "true ones': train longer, with a higher learning_rate or gan_weight, or see with inspect "
        "whether sound and pictures belong together"
    )


def _learns_by_heart(rows: Sequence[Row]) -> str | None:
    if any(row.get("measured_on") != "held-out" or row.get("l1") is None for row in rows):
        return None
    best = min(range(len(rows)), key=lambda n: rows[n]["l1"], default=0)
    seen, trained = _last(rows[best + 1 :], "l1", OVERFITTING_ROWS), _last(rows, "l1_loss", 1)
    trained_then = rows[best].get("l1_loss") if rows else None
    if seen is None or trained is None or trained_then is None:
        return None
    if min(seen) <= (1 + OVERFITTING_SHARE) * rows[best]["l1"] or trained[-1] >= trained_then:
        return None
    worse = seen[-1] / max(rows[best]["l1"], 1e-9) - 1
    return (
        f"it begins to learn by heart: held-out L1 is {100 * worse:.0f} % worse than at step "
        f"{rows[best]['step']:,}, while that of training still falls: stop there (stop_on), or "
        "give it more clips, or more gain_db, time_mask and band_mask"
    )


def _no_better_than_the_mean(rows: Sequence[Row]) -> str | None:
    if any(row.get("measured_on") != "held-out" for row in rows[-HOLLOW_ROWS:]):
        return None
    seen, mean = _last(rows, "l1", HOLLOW_ROWS), _last(rows, "mean_l1", HOLLOW_ROWS)
    trained = _last(rows, "l1_loss", 1)
    if seen is None or mean is None or trained is None:
        return None
    if min(seen) < mean[-1] or trained[-1] >= HOLLOW_SHARE * mean[-1]:
        return None
    return (
        f"what it learns holds for its own clips only: L1 is {trained[-1]:.2f} on those, "
        f"{seen[-1]:.2f} on clips it never saw, where the mean picture has {mean[-1]:.2f}: give it "
        "more clips, or fewer looks"
    )


def _last(rows: Sequence[Row], name: str, count: int) -> list[float] | None:
    """A column's last values; None where there are fewer, or one is not known."""
    values = [row.get(name) for row in rows[-count:]]
    known = [value for value in values if value is not None]
    return known if len(known) == count else None
