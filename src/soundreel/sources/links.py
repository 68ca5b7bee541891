"""What a person gives to `fetch`: URLs, text files of links, media files, folders.

Reading a list contacts nobody. Each thing becomes a `Link`; what cannot be used is a `Link` too,
one that says what is wrong with it, so that a typing error in line 7 does not stop the other 49.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from soundreel.media.probe import MEDIA_SUFFIXES

#: No list that a person wrote is longer; a film given by mistake is.
_MAX_LIST_BYTES = 16 * 2**20
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# "youtube.com/watch?v=..." and "www.example.org": a host with a dot, then a path or "www.".
_BARE = re.compile(r"(?:www\.[^\s/]+\.[a-z]{2,}|(?:[\w-]+\.)+[a-z]{2,}(?=/))(?:/\S*)?", re.I)
_YOUTUBE_HOSTS = {"youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com"}
_YOUTUBE_PATH = re.compile(r"/(?:shorts|embed|live|v)/([\w-]{11})(?:/|$)")
_SMUGGLED = "__youtubedl_smuggle"  # what yt-dlp's extractors tell each other in a fragment


@dataclass(frozen=True)
class Link:
    """One thing to fetch: either `url`, or `path`, or `wrong` (one line) is set.

    key: what the archive knows it by; equal for links that mean the same thing.
    shown: for a person to read: without user name and password.
    """

    key: str
    shown: str
    url: str | None = None
    path: Path | None = None
    wrong: str | None = None


def read_links(places: Sequence[str | Path]) -> list[Link]:
    """The links that `places` name, in their order, each once.

    places: URLs, text files of links, media files, folders (the media files in them, by name).
    """
    links: dict[str, Link] = {}
    for place in places:
        for link in _links_of(place):
            links.setdefault(link.key, link)
    return list(links.values())


def link_to(url: str) -> Link:
    """A link to a URL as it stands; only http and https are links at all."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in _DEFAULT_PORTS and bool(parts.hostname)
        _ = parts.port  # raises ValueError for :99999 and :abc
    except ValueError:
        return _broken(url, "is no address that can be read: check it for typing errors")
    if not usable:
        scheme = parts.scheme.lower()
        if scheme == "file":
            return _broken(url, "file:// links are not followed: give the file's path itself")
        return _broken(url, f"only http and https links are followed, not {scheme}://")
    return Link(key=key_of(url), shown=without_credentials(url), url=url)


def key_of(url: str) -> str:
    """The form of a URL that the archive uses: links that mean the same have the same key.

    Scheme and host in small letters, no user name, password or default port, no time mark
    (`#t=90`); the many forms of a YouTube video's address become one. The path and the query
    are kept to the letter: only the server knows whether their case or order matters.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    scheme = parts.scheme.lower()
    video_id = _youtube_id(host.removeprefix("www."), parts.path, parts.query)
    if video_id:
        return f"https://www.youtube.com/watch?v={video_id}"
    place = f"[{host}]" if ":" in host else host
    if parts.port not in (None, _DEFAULT_PORTS.get(scheme)):
        place += f":{parts.port}"
    fragment = parts.fragment
    if fragment.startswith(("t=", _SMUGGLED)):
        fragment = ""
    return urlunsplit((scheme, place, parts.path or "/", parts.query, fragment))


def without_credentials(url: str) -> str:
    """The URL as a person may see it: without user name and password, on one line."""
    parts = urlsplit(url)
    fragment = "" if parts.fragment.startswith(_SMUGGLED) else parts.fragment
    place = parts.netloc.rpartition("@")[2]
    return " ".join(urlunsplit((parts.scheme, place, parts.path, parts.query, fragment)).split())


def _youtube_id(host: str, path: str, query: str) -> str | None:
    if host == "youtu.be":
        found = re.fullmatch(r"/([\w-]{11})/?", path)
        return found[1] if found else None
    if host not in _YOUTUBE_HOSTS:
        return None
    if path.rstrip("/") == "/watch":
        video_id = dict(parse_qsl(query)).get("v", "")
        return video_id if re.fullmatch(r"[\w-]{11}", video_id) else None
    found = _YOUTUBE_PATH.match(path)
    return found[1] if found else None


def _links_of(place: str | Path) -> Iterator[Link]:
    text = str(place).strip()
    if isinstance(place, str) and _SCHEME.match(text):
        yield link_to(text)
        return
    path = Path(place)
    if path.is_dir():
        inside = sorted(path.iterdir(), key=lambda inside: inside.name)
        media = [one for one in inside if one.suffix.lower() in MEDIA_SUFFIXES and one.is_file()]
        if not media:
            yield _broken(text, "there are no media files in this folder")
        for one in media:
            yield _file(one)
    elif path.is_file():
        yield from [_file(path)] if path.suffix.lower() in MEDIA_SUFFIXES else _listed(path)
    elif isinstance(place, str) and _BARE.fullmatch(text):
        yield link_to(f"https://{text}")
    else:
        yield _broken(text, "no such file or folder, and no link (those begin with https://)")


def _listed(path: Path) -> Iterator[Link]:
    """The links in a text file."""
    if path.stat().st_size > _MAX_LIST_BYTES:
        yield _broken(str(path), "is too large for a list of links: give a text file")
        return
    data = path.read_bytes()
    # Notepad saves as UTF-16 where it is asked for "Unicode"; both marks name their encoding.
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        yield _broken(str(path), "is neither a media file nor a text file of links")
        return
    if "\0" in text:
        yield _broken(str(path), "is neither a media file nor a text file of links")
        return
    found = False
    for number, line in enumerate(text.splitlines(), 1):
        for link in parse_line(line, f"{path}, line {number}"):
            found = True
            yield link
    if not found:
        yield _broken(str(path), "there are no links in this file: write one on each line")


def parse_line(line: str, place: str) -> list[Link]:
    """The links in one line of a list; `place` names the line where something is wrong with it.

    Blank lines and those that begin with # hold none. Before the link there may be a number or a
    title, after it anything; several links with only spaces or commas between them all count.
    """
    line = line.strip()
    if not line or line.startswith(("#", "//", ";")):
        return []
    links: list[Link] = []
    for word in re.split(r"\s+", line):
        url = _url_in(word)
        if url is not None:
            links.append(link_to(url))
        elif links or word.startswith("#"):
            break  # what follows the link is a remark
    return links or [_broken(f"{place}: {line[:80]}", "there is no link in this line")]


def _url_in(word: str) -> str | None:
    found = _SCHEME.search(word)
    if found:
        url = word[found.start() :]
        # <url>, "url" and (url), as they stand in letters and tables
        for opening, closing in ("<>", "()", '""', "''"):
            if word[: found.start()].endswith(opening):
                url = url.partition(closing)[0]
        return url.rstrip(",;")
    bare = word.strip("<>()\"',;")
    return f"https://{bare}" if _BARE.fullmatch(bare) else None


def _file(path: Path) -> Link:
    return Link(key=path.resolve().as_uri(), shown=str(path), path=path)


def _broken(text: str, wrong: str) -> Link:
    shown = without_credentials(text) if _SCHEME.match(text) and _splits(text) else text
    return Link(key=f"broken {text}", shown=" ".join(shown.split()), wrong=wrong)


def _splits(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return True
