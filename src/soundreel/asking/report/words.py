"""The verdicts in plain words: what came out, how sure that is, and what may be said of it."""

from __future__ import annotations

import math
from typing import Literal

from soundreel.asking.report.written import (
    count,
    counted,
    interval,
    p_value,
    plain,
    share,
    signed,
)

Tone = Literal["yes", "no", "open", "invalid"]

#: The verdicts of the two tests: the words shown large, and the tone they are shown in.
HEADLINES: dict[str, tuple[str, Tone]] = {
    "YES": ("Yes", "yes"),
    "NEGLIGIBLE": ("Yes, but negligible", "no"),
    "NO": ("No", "no"),
    "UNDECIDED": ("Undecided", "open"),
    "INVALID": ("Invalid", "invalid"),
    "uses the music": ("It uses the music", "yes"),
    "responds, but not usefully": ("It responds, but not usefully", "no"),
    "ignores the song": ("It ignores the song", "no"),
    "undecided": ("Undecided", "open"),
}

_MEANINGS = {
    "YES": "One may say: in these videos the picture goes with the music from moment to moment, "
    "in the qualities measured here. One may not say that the music makes it so.",
    "NEGLIGIBLE": "One may say: there is a link, and it is smaller than what was set beforehand "
    "as mattering. One may not build on it.",
    "NO": "One may say: of the kind of link that was looked for, there is none that matters in "
    "these videos. One may not say that music and picture have nothing to do with each other.",
    "UNDECIDED": "One may say nothing either way. That the test did not come out is no sign that "
    "there is no link; more videos would tell.",
    "INVALID": "One may not use any number of this report, until what is wrong has been put right "
    "and the test has been run again.",
    "uses the music": "One may say: given a new song, this model makes pictures that move with it "
    "as those of the real videos do, in the qualities measured here.",
    "responds, but not usefully": "One may say: this model hears the song, but what it does with "
    "it has not been seen to resemble what the real videos do.",
    "ignores the song": "One may say: this model makes much the same film of every song. Whether "
    "the videos would have allowed more is the question of the dataset test.",
    "undecided": "One may say nothing either way; more unseen songs would tell.",
}


def what_it_means(verdict: str) -> str:
    """What may be said after a verdict, and what not. Raises: KeyError for no verdict of ours."""
    return _MEANINGS[verdict]


def opening(
    verdict: str,
    effect: float,
    low: float,
    high: float,
    p_swap: float,
    p_shift: float,
    mde80: float,
    delta: float,
    videos: int,
    samples: int,
    videos_needed: int | None = None,
    *,
    alpha: float = 0.05,
    reason: str = "",
) -> tuple[str, ...]:
    """The dataset test's verdict in a few plain paragraphs.

    low, high: the 95% interval. samples: moments of each video, about. videos_needed: to find an
    effect of delta four times out of five; None if unknown. reason: of INVALID, a sentence.

    Raises: KeyError for no verdict of the dataset test.
    """
    these = f"these {counted(videos, 'video', 'videos')}" if videos != 1 else "this one video"
    if verdict == "INVALID":
        return (
            "This test cannot be trusted here, and so there is no answer.",
            *((reason,) if reason else ()),
            "The numbers below are shown so that the fault can be found. They answer nothing.",
        )
    first = {
        "YES": f"In {these} the picture at a moment goes with the music at that moment, and more "
        "so than luck, slow changes and each video's own look can explain.",
        "NEGLIGIBLE": f"In {these} the picture goes with the music, but so little that it was "
        "said beforehand not to matter.",
        "NO": f"In {these} there is no link of the kind looked for, between the music and the "
        "picture at the same moment, that is large enough to matter. A smaller one remains "
        "possible.",
        "UNDECIDED": f"From {these} it cannot be told whether the picture goes with the music. "
        "Neither a link nor its absence is shown.",
    }[verdict]
    size = (
        f"The effect is {signed(effect)} (95 % interval {interval(low, high)}): how much better a "
        "video is told from its own song than from another video's, on a scale where 0 means that "
        f"any song would do. It was measured at about {count(samples)} moments of each video. "
    ) + _against_delta(verdict, low, high, delta)
    checks = _checks(p_swap, p_shift, low, alpha)
    return (first, size, checks, *_ears(verdict, mde80, delta, videos, videos_needed))


def _against_delta(verdict: str, low: float, high: float, delta: float) -> str:
    smallest = f"the smallest that matters, set beforehand at {plain(delta, 3)}"
    if verdict == "YES":
        if low > delta:
            return f"All of the interval lies above {smallest}."
        return (
            f"Part of the interval lies below {smallest}: that there is a link is clear, that it "
            "is large enough to matter is not."
        )
    if verdict in ("NEGLIGIBLE", "NO"):
        return f"The test for smallness passed: what fits the data is smaller than {smallest}."
    if low > delta or high < -delta:
        return f"The interval lies beyond {smallest}."
    if max(abs(low), abs(high)) <= delta:
        return f"The interval lies within {smallest}."
    return f"The interval holds effects on both sides of {smallest}."


def _checks(p_swap: float, p_shift: float, low: float, alpha: float) -> str:
    worse = max(p_swap, p_shift)
    said = (
        f"Could it be luck? Without any link, an effect at least this large comes up in "
        f"{_tries(p_swap)} when songs are swapped between the videos (p = {p_value(p_swap)}), and "
        f"in {_tries(p_shift)} when the music is shifted in time (p = {p_value(p_shift)}). "
    )
    if worse <= alpha and low <= 0:
        return said + (
            f"Both had to be {plain(alpha, 2)} or less, and both are; but the 95 % interval had "
            "to lie above 0 as well, and it does not."
        )
    if worse <= alpha:
        return said + f"Both had to be {plain(alpha, 2)} or less, and both are."
    passed = min(p_swap, p_shift) <= alpha
    return said + (
        f"Both had to be {plain(alpha, 2)} or less; {'only one is' if passed else 'neither is'}."
    )


def _tries(p: float) -> str:
    """A probability as a count: `about 3 of 1,000 tries`."""
    if not math.isfinite(p):
        return "an unknown number of tries"
    of = next((n for n in (100, 1000, 10_000, 100_000) if p * n >= 1), 1_000_000)
    hits = min(of, max(1, round(p * of)))
    return f"about {count(hits)} of {count(of)} tries"


def _ears(
    verdict: str, mde80: float, delta: float, videos: int, videos_needed: int | None
) -> tuple[str, ...]:
    """What could have been found: for the verdicts where that is the question."""
    if not math.isfinite(mde80) or verdict in ("YES", "NEGLIGIBLE"):
        return ()
    said = (
        f"How sharp are the test's ears? An effect of {signed(mde80)} or more would have been "
        "found four times out of five, or oftener."
    )
    if verdict == "UNDECIDED" and videos_needed is not None and videos_needed > videos:
        said += (
            f" To find one of {plain(delta, 3)} as surely, about "
            f"{counted(videos_needed, 'video', 'videos')} like these would be needed."
        )
    return (said,)


def model_opening(
    verdict: str,
    sensitivity: float,
    effect: float,
    low: float,
    high: float,
    p_swap: float,
    p_shift: float,
    songs: int,
    skill: float | None = None,
    two_choice: float | None = None,
    *,
    alpha: float = 0.05,
    reason: str = "",
) -> tuple[str, ...]:
    """The model test's verdict in a few plain paragraphs.

    sensitivity: variance of the pictures over inputs, as a share of the real frames'. effect,
    low, high: how much better its pictures of a song fit that song's video than another's.
    songs: that it had never heard. skill: against the mean picture of training. two_choice: the
    share of right answers, chance .5. reason: a sentence for a test that is INVALID.

    Raises: KeyError for no verdict of the model test, but "INVALID".
    """
    if verdict == "INVALID":
        return opening(verdict, effect, low, high, p_swap, p_shift, 0, 0, 0, 0, reason=reason)
    new = f"{counted(songs, 'song', 'songs')} that it had never heard"
    first = {
        "uses the music": f"On {new}, what this model makes goes with the real video of the very "
        "song and the very moment, more than with any other.",
        "responds, but not usefully": f"On {new}, this model makes other pictures of other sounds, "
        "but they are not seen to fit the real video of their song better than another's.",
        "ignores the song": f"On {new}, this model makes nearly the same pictures whatever it "
        "hears.",
        "undecided": f"From {new} it cannot be told whether this model uses what it hears.",
    }[verdict]
    heard = (
        f"Over different sounds its pictures vary {share(sensitivity)} as much as real frames do. "
        f"They fit their own song's video by {signed(effect)} better than another's (95 % interval "
        f"{interval(low, high)}; 0 means that any song would do)."
    )
    more = []
    if skill is not None and math.isfinite(skill):
        nearer = "nearer to the truth than" if skill > 0 else "no nearer to the truth than"
        more.append(
            f"Frame by frame it is {nearer} the mean picture of training: its error is "
            f"{share(abs(skill), 1)} {'smaller' if skill > 0 else 'larger'}."
        )
    if two_choice is not None and math.isfinite(two_choice):
        more.append(
            "Asked which of two moments of a video its picture belongs to, it points to the right "
            f"one in {share(two_choice)} of cases; guessing gives 50 %."
        )
    return (
        first,
        heard,
        *((" ".join(more),) if more else ()),
        _checks(p_swap, p_shift, low, alpha),
    )


def key_numbers(
    effect: float,
    low: float,
    high: float,
    p_swap: float,
    p_shift: float,
    mde80: float,
    delta: float,
    videos: int,
    samples: int,
) -> tuple[tuple[str, str, str], ...]:
    """The few numbers on top of a report: name, value, what it is."""
    return (
        ("Effect", signed(effect), "its own song, less another's; 0: any song would do"),
        ("95 % interval", interval(low, high), "effects that go well with these data"),
        (
            "p-value",
            p_value(max(p_swap, p_shift)),
            "how often luck alone does as well: the larger of two checks",
        ),
        ("Would be found", signed(mde80), "the effect found four times out of five (MDE80)"),
        ("Would matter", f"± {plain(delta, 3)}", "the smallest effect that matters (delta)"),
        ("Looked at", f"{count(videos)} by {count(samples)}", "videos, and moments of each"),
    )
