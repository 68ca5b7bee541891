"""The Hub's client, huggingface_hub: opened late, kept quiet, and its troubles in one line.

It is told to send no telemetry (it would say which programs are installed and who called), to
draw no progress bars of its own, and to use no token unless it is given one: see `pull`, `push`.
`HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean to it.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from soundreel import __version__
from soundreel.errors import SharingError, storage_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Result = TypeVar("Result")

#: Before another try, where the Hub has trouble of its own or a connection broke.
WAITS_SECONDS = (1.0, 4.0)
_TRANSIENT = (408, 429, 500, 502, 503, 504)
_HIDDEN = (401, 403, 404)
_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
_LONGEST_SAYING = 200


class HubUnreachableError(SharingError):
    """The Hub does not answer, or has trouble of its own."""


class HiddenError(SharingError):
    """There is nothing of that name, or it is not shown to whoever asks."""


def endpoint() -> str | None:
    """Another Hub than huggingface.co, where one is set."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def page(repository: str) -> str:
    """The address of a repository's page, for a browser."""
    return f"{endpoint() or 'https://huggingface.co'}/{repository}"


def cache_folder() -> Path:
    """Where what was pulled is kept; the client's own cache, which other programs share."""
    from huggingface_hub import constants

    return Path(os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE)


def hub(token: str | bool) -> HfApi:
    """The Hub as seen with a token, or with none (False)."""
    from huggingface_hub import HfApi

    return HfApi(endpoint(), token, library_name="soundreel", library_version=__version__)


def own_token() -> str | None:
    """The token that a person has set here (HF_TOKEN) or logged in with, if any."""
    from huggingface_hub import get_token

    return get_token()


@contextmanager
def quiet() -> Iterator[None]:
    """No telemetry, no progress bars, log lines or warnings of the client's own."""
    from huggingface_hub import constants
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from huggingface_hub.utils import (
        logging as client_log,
    )

    constants.HF_HUB_DISABLE_TELEMETRY = True
    had_bars, verbosity = not are_progress_bars_disabled(), client_log.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        disable_progress_bars()
        client_log.set_verbosity(logging.CRITICAL)
        try:
            yield
        finally:
            client_log.set_verbosity(verbosity)
            if had_bars:
                enable_progress_bars()


def attempt(what: Callable[[], Result], place: str, broken_too: bool = True) -> Result:
    """Do something with the Hub; where it has trouble of its own, some times over.

    place: what it is done to, for the message. broken_too: also where it does not answer at all.

    Raises: HubUnreachableError, HiddenError or SharingError, in one line; StorageError.
    """
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HTTPError,  # pyright: ignore[reportPrivateImportUsage] - of whichever client it uses
        OfflineModeIsEnabled,
    )

    for wait_seconds in (*WAITS_SECONDS, None):
        try:
            with storage_errors(cache_folder()):
                return what()
        except (HTTPError, EntryNotFoundError, OSError, RuntimeError, ValueError) as error:
            # An upload's own error says only that it failed; what it failed by is its cause.
            cause = error.__cause__ if isinstance(error, RuntimeError) else error
            if isinstance(cause, ValueError) and status_of(cause) is None:
                raise SharingError(
                    f"{place}: what the Hub answers makes no sense ({saying(cause)}): check "
                    "HF_ENDPOINT, and whether this network lets the Hub through"
                ) from error
            if not isinstance(cause, HTTPError | EntryNotFoundError | OSError):
                raise
            status = status_of(cause)
            offline = isinstance(cause, OfflineModeIsEnabled)
            again = status in _TRANSIENT or (status is None and broken_too and not offline)
            if not again or wait_seconds is None:
                raise _trouble(cause, place) from error
            time.sleep(wait_seconds)
    raise AssertionError("the last try has returned or raised")


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error stands for; None where no answer came."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _trouble(error: Exception, place: str) -> SharingError:
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RevisionNotFoundError

    status = status_of(error)
    if isinstance(error, OfflineModeIsEnabled):
        return HubUnreachableError(f"{place}: HF_HUB_OFFLINE is set: unset it to reach the Hub")
    if isinstance(error, GatedRepoError):
        return HiddenError(
            f"{place}: its owner lets in only whom they know: ask on its page, then {_LOG_IN}"
        )
    if isinstance(error, RevisionNotFoundError):
        return SharingError(f"{place}: there is no such revision: leave @... out for the newest")
    if status in _HIDDEN:
        return HiddenError(
            f"{place}: there is no such model, or it is private ({status}): check the name; for a "
            f"private one, {_LOG_IN}"
        )
    if status is None:
        return HubUnreachableError(
            f"{place}: the Hub cannot be reached ({saying(error)}): check the connection and give "
            "the same command again"
        )
    if status in _TRANSIENT:
        return HubUnreachableError(
            f"{place}: the Hub has trouble of its own ({status}): give the same command again later"
        )
    return SharingError(f"{place}: the Hub refuses ({saying(error)}): check what you asked of it")


def saying(error: BaseException) -> str:
    """What an error says, short and on one line; a stranger may have written it."""
    said = getattr(error, "server_message", None) or str(error) or type(error).__name__
    said = "".join(letter if letter.isprintable() else " " for letter in said)
    said = " ".join(said.split())
    return said if len(said) <= _LONGEST_SAYING else said[:_LONGEST_SAYING] + "..."
