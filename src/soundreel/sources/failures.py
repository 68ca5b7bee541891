"""Why a video did not come: one of a few kinds, and one line with what to do.

yt-dlp says it in the words of some 1,800 sites. Status codes and error classes are looked at
first, words after that, most particular first ("sign in to confirm your age" is about age).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from soundreel.errors import MediaError, SoundreelError, SourceError
from soundreel.sources.names import plain

#: Kinds that may pass by themselves: worth another try, a little later.
PASSING = frozenset({"network", "busy"})

_ADVICE = {
    "private": "it is private: ask its owner, or give the cookies of an account that may see it",
    "removed": "it is not there any more: look for another copy",
    "region": "it is not offered in this country",
    "age": "it is for adults with an account: give cookies with --cookies-from-browser",
    "members": "it is for members: give the cookies of an account that may see it",
    "login": "the site wants a sign-in: give cookies with --cookies-from-browser or --cookies",
    "live": "it is live or yet to come: fetch it when it has ended",
    "protected": "it is encrypted (DRM): it cannot be fetched",
    "encrypted": "it is live or encrypted in a way that needs ffmpeg, which is not used here",
    "javascript": 'its site needs a JavaScript runtime: pip install "soundreel[youtube]"',
    "unsupported": "no video was found at this address: check it in a browser",
    "busy": "the site asks for fewer requests: wait, then give the same command again",
    "refused": "the server refuses it: check it in a browser, perhaps cookies help",
    "redirects": "its redirects go round in circles: check the link",
    "network": "the network or the server failed: give the same command again to go on",
    "no picture": "it is sound without a picture: give a video",
    "not media": "what came is no video: check the link in a browser",
    "other": "yt-dlp failed: a newer version may help (pip install --upgrade yt-dlp)",
}

# (kind, what yt-dlp's extractors say), in the order in which they are tried.
_WORDS = tuple(
    (kind, re.compile(words, re.I))
    for kind, words in (
        ("age", r"confirm your age|age.?restrict|inappropriate for some users|age.?gate"),
        ("private", r"\bprivate (video|playlist|media|post)|(video|playlist|account) is private"),
        (
            "region",
            r"(available|blocked).{0,40}\b(in|from) your (country|location|region|territory)"
            r"|geo.?(restrict|block)|not available in your|your (country|region) is",
        ),
        ("members", r"members?.only|channel'?s? members|join this channel|subscribers? only"),
        ("busy", r"\b429\b|too many requests|rate.?limit"),
        ("login", r"not a bot|sign.?in|log.?in\b|login|authenticat|account credentials|\b401\b"),
        ("protected", r"\bdrm\b|encrypted"),
        (
            "live",
            r"live (event|stream)|premieres in|will begin in|not (currently|yet) live|is_live"
            r"|live hls|live dash",
        ),
        ("encrypted", r"ffmpeg (could not be found|is not installed|not found)"),
        ("javascript", r"javascript runtime|js runtime|(n|signature|sig) (challenge )?solving"),
        ("redirects", r"redirect.{0,20}(loop|infinite)|infinite loop|too many redirects"),
        ("refused", r"\b403\b|forbidden"),
        (
            "network",
            r"timed? ?out|connection|resolve|unreachable|reset by peer|incomplete ?read|bytes read"
            r"|content too short|expected \d+ bytes|\bssl|certificate|http error 5\d\d"
            r"|did not get any|temporary failure|proxy|remote end closed|eof occurred|broken pipe",
        ),
        (
            "removed",
            r"\b404\b|\b410\b|removed|deleted|terminated|no longer|does ?n[o']t exist|not found"
            r"|(video|content|clip|post) (is )?(unavailable|not available)|unavailable",
        ),
        ("unsupported", r"unsupported url|no (video|media|formats)|requested format|not a valid"),
    )
)  # fmt: skip
_JAVASCRIPT = re.compile(r"javascript runtime|js runtime|(n|signature) challenge solving", re.I)
# Kinds as which a missing JavaScript runtime shows itself where the site needs one.
_MAY_BE_JAVASCRIPT = {"unsupported", "refused", "other", "removed"}
_STATUS = {401: "login", 403: "refused", 404: "removed", 410: "removed", 429: "busy", 451: "region"}
_NOISE = re.compile(
    r"\x1b\[[0-9;]*m|^\s*ERROR:\s*|^\s*\[[\w:+.-]+\]\s*|;? ?please report this issue.*"
    r"|\s*\(caused by .*|\s*See\s+https?://\S+.*|\s*Use --\S+.*|\s*Try --\S+.*"
)
_MAX_SAID = 160


@dataclass(frozen=True)
class Failure:
    """Why something did not come: its kind (a word) and one line of explanation and advice."""

    kind: str
    line: str


class Failed(Exception):  # noqa: N818 - it is what happened to an item, and no bug
    """One item did not come; `failure` says why. The others go on."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.line)
        self.failure = failure


def explain(error: BaseException, warnings: Sequence[str] = ()) -> Failure:
    """The failure that an error of yt-dlp, of the network or of our own means.

    warnings: what yt-dlp warned of on the way; a missing JavaScript runtime is only said there.
    """
    chain = list(_causes(error))
    for one in chain:
        if isinstance(one, SourceError):
            return Failure("refused", str(one))
        if isinstance(one, MediaError):
            return Failure("not media", f"{_ADVICE['not media']} ({said_by(one)})")
        if isinstance(one, SoundreelError):
            return Failure("other", str(one))
    said = said_by(error)
    # Without addresses: a film may be called "login" or "private video".
    kind = _kind(chain, re.sub(r"https?://\S+", "", " ".join(str(one) for one in chain)))
    if kind in _MAY_BE_JAVASCRIPT and any(_JAVASCRIPT.search(warning) for warning in warnings):
        kind = "javascript"
    return failure(kind, said)


def failure(kind: str, said: str = "") -> Failure:
    """A failure of a kind, with the advice for it and what the other side said."""
    return Failure(kind, f"{_ADVICE[kind]} ({said})" if said else _ADVICE[kind])


def is_full(error: BaseException) -> bool:
    """Whether the disk is full: then the other items need not be tried."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return any(
        getattr(one, "errno", None) in full or any(os.strerror(n) in str(one) for n in full)
        for one in _causes(error)
    )


def _kind(chain: Sequence[BaseException], words: str) -> str:
    for one in chain:
        if getattr(one, "redirect_loop", False):
            return "redirects"
        status = getattr(one, "status", None)
        if isinstance(status, int):
            if status >= 500:
                return "network"
            if status in _STATUS:
                return _STATUS[status]
    names = {type(one).__name__ for one in chain}
    if "GeoRestrictedError" in names:
        return "region"
    for kind, pattern in _WORDS:
        if pattern.search(words):
            return kind
    if names & {"TransportError", "IncompleteRead", "SSLError", "TimeoutError", "ProxyError"}:
        return "network"
    return "unsupported" if "UnsupportedError" in names else "other"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, by Python's chain and by the fields that yt-dlp adds."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        info = getattr(one, "exc_info", None)
        before = [info[1] if info else None, getattr(one, "cause", None), one.__cause__]
        # Where a transport raises what yt-dlp does not know (as our guard does), it is in here.
        before += getattr(one, "unexpected_errors", [])
        waiting += [cause for cause in before if isinstance(cause, BaseException)]


def said_by(error: BaseException) -> str:
    """What was said, in one short line without yt-dlp's own advice and decoration."""
    said = str(error)
    for _ in range(3):  # "ERROR: [generic] ..." has two prefixes
        said = _NOISE.sub("", said)
    said = plain(re.sub(r"//[^/@\s]+@", "//", said)).strip(" .;:")
    return said if len(said) <= _MAX_SAID else f"{said[: _MAX_SAID - 3]}..."
