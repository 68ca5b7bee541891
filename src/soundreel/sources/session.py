"""The only place that touches yt-dlp: how it is set up, and what it is kept from.

yt-dlp is used as a library, for looking up and for downloading alone. So that all its connections
can be guarded, it has one transport (`requests`: Python over Python's sockets), no downloaders but
those written in Python, and no programs but those that solve YouTube's puzzles or open a browser's
key ring. No ffmpeg program is needed, and none is used where there is one.
"""

from __future__ import annotations

import io
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soundreel.errors import SourceError
from soundreel.sources.addresses import guard
from soundreel.sources.failures import said_by
from soundreel.sources.formats import sort_order

_TIMEOUT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 60.0
# What a program may be started for: JavaScript that YouTube sends, and browsers' key rings.
_PROGRAMS = {"deno", "node", "bun", "qjs", "quickjs", "dbus-send", "kwallet-query", "security"}
_BROWSER = re.compile(
    r"(?P<name>[^+:]+)(?:\+(?P<keyring>[^:]+))?(?::(?!:)(?P<profile>.+?))?(?:::(?P<container>.+))?"
)


@dataclass(frozen=True)
class Manners:
    """How to behave towards sites, and what to show them."""

    height: int = 480
    retries: int = 5
    pause_seconds: float = 1.0
    rate_limit_bytes: int | None = None
    cookies: Path | None = None
    cookies_from_browser: str | None = None
    allow_private: bool = False
    longest_list: int | None = None

    def wait_seconds(self, attempt: int) -> float:
        """How long to wait after failed attempt 0, 1, 2, ...: twice as long each time."""
        return min(self.pause_seconds * 2.0 ** min(attempt, 30), _LONGEST_WAIT_SECONDS)


class Log:
    """yt-dlp prints nothing; its warnings are kept, since some reasons are said only there."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        pass

    info = debug

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def error(self, message: str) -> None:
        pass  # it is raised as well


@contextmanager
def yt_dlp_session(manners: Manners, log: Log) -> Iterator[Any]:
    """A `YoutubeDL`; while the block runs, the process connects to allowed addresses only.

    Raises: SourceError if yt-dlp is not installed or the cookies cannot be read.
    """
    try:
        import requests  # noqa: F401 - the transport
        import yt_dlp  # noqa: F401 - heavy, and a package without it can still do all else
    except ImportError as error:
        raise SourceError(
            f'links need {error.name}, which is not installed: pip install "soundreel[youtube]"'
        ) from error
    proxies = urllib.request.getproxies()
    with (
        guard(manners.allow_private, proxies),
        _few_programs(),
        _session(manners, log) as session,
    ):
        yield session


@contextmanager
def _session(manners: Manners, log: Log) -> Iterator[Any]:
    from yt_dlp import YoutubeDL
    from yt_dlp.cookies import SUPPORTED_BROWSERS
    from yt_dlp.utils import YoutubeDLError

    class OverRequests(YoutubeDL):
        """yt-dlp with one transport: the others resolve names by themselves or know file://."""

        def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
            handlers = [one for one in handlers if one.RH_KEY == "Requests"]
            return super().build_request_director(handlers, preferences)

    waits = dict.fromkeys(
        ("http", "fragment", "extractor", "file_access"), lambda n: manners.wait_seconds(n)
    )
    params: dict[str, Any] = {
        "logger": log,
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "socket_timeout": _TIMEOUT_SECONDS,
        # What to look up: the formats are chosen by us, of all that there are.
        "format": lambda context: context["formats"][-1:],
        "format_sort": sort_order(manners.height),
        "extract_flat": "in_playlist",
        "noplaylist": True,  # watch?v=...&list=... is the video that was on the screen
        "playlistend": manners.longest_list,
        "geo_bypass": False,  # it would pretend to be in another country
        # How to download.
        "continuedl": True,
        "keep_fragments": True,
        "skip_unavailable_fragments": False,  # a film with holes would pass for a whole one
        "updatetime": False,
        "hls_prefer_native": True,
        "external_downloader": {"default": "native"},
        "ratelimit": manners.rate_limit_bytes,
        # How often, and how quickly after another.
        "retries": manners.retries,
        "fragment_retries": manners.retries,
        "extractor_retries": min(3, manners.retries),
        "retry_sleep_functions": waits,
        "sleep_interval_requests": manners.pause_seconds,
    }
    if manners.cookies is not None:
        params["cookiefile"] = _cookie_text(manners.cookies)
    if manners.cookies_from_browser is not None:
        found = _BROWSER.fullmatch(manners.cookies_from_browser.strip())
        name = found["name"].strip().lower() if found else ""
        if found is None or name not in SUPPORTED_BROWSERS:
            raise SourceError(
                f"cookies from {manners.cookies_from_browser!r}: not a browser that is known: "
                f"give one of {', '.join(sorted(SUPPORTED_BROWSERS))}"
            )
        keyring = found["keyring"].upper() if found["keyring"] else None
        params["cookiesfrombrowser"] = (name, found["profile"], keyring, found["container"])
    session = OverRequests(params)  # pyright: ignore[reportArgumentType] - a plain dict
    try:
        _ = session.cookiejar
    except (YoutubeDLError, OSError) as error:
        raise SourceError(
            f"the cookies of {manners.cookies or manners.cookies_from_browser} cannot be read "
            f"({said_by(error)}): close the browser, or give a file with --cookies"
        ) from error
    with session:
        yield session


def _cookie_text(path: Path) -> io.StringIO:
    """A copy of the cookies: yt-dlp writes its own into what it was given, at the end.

    Raises: SourceError if the file cannot be read, or no line of it is a cookie.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as cookies: check --cookies") from error
    # Netscape format: seven fields; a line that begins so is a cookie that scripts cannot see.
    cookies = [
        line
        for line in lines
        if line.count("\t") == 6 and (line[0] != "#" or line.startswith("#HttpOnly_"))
    ]
    if not cookies:
        raise SourceError(
            f"{path}: has no cookies in Netscape format: export them so from the browser"
        )
    return io.StringIO("\n".join(["# Netscape HTTP Cookie File", *cookies, ""]))


@contextmanager
def _few_programs() -> Iterator[None]:
    """yt-dlp finds no programs but those it is allowed: others open connections by themselves."""
    from yt_dlp.utils import Popen

    start = Popen.__init__

    def checked(self: Any, args: Any, *more: Any, **named: Any) -> None:
        program = Path((args.split() if isinstance(args, str) else list(args))[0]).stem.lower()
        if program not in _PROGRAMS:
            raise FileNotFoundError(2, "not used by Soundreel", program)
        start(self, args, *more, **named)

    Popen.__init__ = checked
    try:
        yield
    finally:
        Popen.__init__ = start
