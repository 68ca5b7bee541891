"""How often is right more often than chance? Exact numbers for counted answers.

For the votes on blind pairs of films (`rendering/blind.py`), whose page computes the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from soundreel.errors import SettingsError

#: What `format` says in the files of votes and of keys, and what a vote may be.
VOTES_FORMAT, KEY_FORMAT = "soundreel votes 1", "soundreel vote key 1"
SIDES = ("A", "B")
CANNOT_TELL = "cannot tell"


def binomial_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval for a proportion, within [0, 1].

    Its ends are the chances at which so many successes or more, or so many or fewer, come about
    in (1 - confidence) / 2 of all cases. (0, 1) of no trials.

    Source: Clopper & Pearson, Biometrika 26 (1934), 404-413.

    Raises: ValueError unless 0 <= successes <= trials and 0 < confidence < 1.
    """
    _check(successes, trials)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: give more than 0 and less than 1")
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _root(lambda p: _upper_tail(successes, trials, p) - tail)
    high = (
        1.0
        if successes == trials
        else _root(lambda p: tail - _upper_tail(trials - successes, trials, 1 - p))
    )
    return low, high


def binomial_p_value(successes: int, trials: int, chance: float = 0.5) -> float:
    """How likely so many successes or more are by chance alone: one-sided, exact; 1 of no trials.

    Raises: ValueError unless 0 <= successes <= trials and 0 <= chance <= 1.
    """
    _check(successes, trials)
    if not 0 <= chance <= 1:
        raise ValueError(f"chance {chance}: give 0 to 1")
    return _upper_tail(successes, trials, chance)


def sides_p_value(votes: Sequence[tuple[int, int]]) -> float:
    """How likely so many right votes or more are if only the sides were left to chance.

    votes: for each pair of films how many were right and how many wrong, in [0, 1].

    Votes on one pair are not independent: all may have liked the film on the left, or the one
    with more in it. Here each pair's votes stay as they are and only which of the two films was
    the song's own is drawn anew, 1/2 each: exact by convolution. It holds however the voters
    agree, and speaks of the songs: m pairs cannot give less than 2 ** -m.
    """
    chance_of = {0: 1.0}
    for right, wrong in votes:
        if right < 0 or wrong < 0:
            raise ValueError(f"{right} right and {wrong} wrong votes: give 0 or more")
        after: dict[int, float] = {}
        for total, chance in chance_of.items():
            for more in (right, wrong):
                after[total + more] = after.get(total + more, 0.0) + chance / 2
        chance_of = after
    observed = sum(right for right, _ in votes)
    return min(1.0, sum(chance for total, chance in chance_of.items() if total >= observed))


@dataclass(frozen=True)
class PairVotes:
    """The votes on one pair of films."""

    right: int
    wrong: int
    cannot_tell: int


@dataclass(frozen=True)
class Tally:
    """What the votes on blind pairs say once the key is known.

    right of votes: "cannot tell" is counted in `cannot_tell` and is not among `votes`.
    low, high: the 95% interval of the share of right votes.
    p_value: so many right votes or more by guessing, if every vote stands for itself.
    sides_p_value: the same if the votes on a pair may hang together (see `sides_p_value`).
    """

    right: int
    votes: int
    cannot_tell: int
    people: int
    low: float
    high: float
    p_value: float
    sides_p_value: float
    pairs: dict[str, PairVotes]


def tally(votes_json: str | bytes, key_json: str | bytes) -> Tally:
    """Count the votes that a vote page saved, by its key.

    votes_json, key_json: what the two files hold, to the byte.

    A person's first vote on a pair counts.

    Raises: SettingsError if either is not what it should be, the votes name a pair that is not
    in the key, or they were cast on a page with another key (or the key was changed since).
    """
    votes = _read(votes_json, VOTES_FORMAT)
    key = _read(key_json, KEY_FORMAT)
    key_bytes = key_json.encode() if isinstance(key_json, str) else key_json
    if votes.get("key_sha256") != hashlib.sha256(key_bytes).hexdigest():
        raise SettingsError(
            "the key is not the one that the votes were cast under, or was changed since: take "
            "the key file that was written with their page"
        )
    sides: dict[str, str] = key["sides"]
    counts: dict[str, dict[str, int]] = {
        name: dict.fromkeys((*SIDES, CANNOT_TELL), 0) for name in sides
    }
    people, counted = set(), set()
    for vote in votes["votes"]:
        try:
            person, pair = vote["person"], vote["pair"]
            counts[pair][vote["choice"]] += (person, pair) not in counted
            counted.add((person, pair))
            people.add(person)
        except (KeyError, TypeError) as error:
            raise SettingsError(
                f"the votes hold {str(vote)[:80]!r}, which is no vote on a pair of the key: "
                "download them again"
            ) from error
    pairs = {
        name: PairVotes(
            right=of[sides[name]],
            wrong=of["B" if sides[name] == "A" else "A"],
            cannot_tell=of[CANNOT_TELL],
        )
        for name, of in counts.items()
    }
    right = sum(pair.right for pair in pairs.values())
    total = right + sum(pair.wrong for pair in pairs.values())
    low, high = binomial_interval(right, total)
    return Tally(
        right=right,
        votes=total,
        cannot_tell=sum(pair.cannot_tell for pair in pairs.values()),
        people=len(people),
        low=low,
        high=high,
        p_value=binomial_p_value(right, total),
        sides_p_value=sides_p_value([(pair.right, pair.wrong) for pair in pairs.values()]),
        pairs=pairs,
    )


def _read(text: str | bytes, form: str) -> dict[str, Any]:
    what = "votes" if form == VOTES_FORMAT else "key"
    try:
        content = json.loads(text)
        if content["format"] == form:
            if form == VOTES_FORMAT and isinstance(content["votes"], list):
                return content
            if form == KEY_FORMAT and all(side in SIDES for side in content["sides"].values()):
                return content
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise SettingsError(
        f"the {what}: no {what} of a vote page: give the file that was written for it"
    )


def _check(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}: give 0 <= successes <= trials")


def _upper_tail(successes: int, trials: int, chance: float) -> float:
    """P(X >= successes) of a binomial X, by its terms: exact but for rounding."""
    if successes == 0 or chance == 1:
        return 1.0
    if chance == 0:
        return 0.0
    log_factorial_N = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])
    i_K = np.arange(successes, trials + 1)
    log_terms_K = (
        log_factorial_N[trials]
        - log_factorial_N[i_K]
        - log_factorial_N[trials - i_K]
        + i_K * np.log(chance)
        + (trials - i_K) * np.log1p(-chance)
    )
    return min(1.0, float(np.exp(log_terms_K).sum()))


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function of [0, 1] crosses 0: by halving, to the last bit or nearly."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
