"""A web site on 127.0.0.1 with real small films, and with the ways in which real sites fail."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import av

TYPES = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".flac": "audio/flac",
    ".mpd": "application/dash+xml",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".ts": "video/mp2t",
    ".html": "text/html; charset=utf-8",
    ".rss": "application/rss+xml",
}


class Site:
    """What a server serves, and a record of what it was asked and how much it sent.

    files: path -> bytes. moved: path -> where to. status: path -> error code. A path in `half`
    breaks off in the middle unless a range is asked for; one in `breaks` always breaks off after
    2,000 bytes; one in `slow` sends 20 kB at a time with a pause; one in `busy` says 503 as often
    as its number says.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.status: dict[str, int] = {}
        self.half: set[str] = set()
        self.breaks: set[str] = set()
        self.slow: set[str] = set()
        self.busy: dict[str, int] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.sent: dict[str, int] = {}
        self.connections = 0
        self.url = ""
        self.cookies: list[str | None] = []

    def times(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)

    def ranges(self, path: str) -> list[int]:
        """The first bytes of the ranges that were asked for."""
        found = [value for asked, value in self.asked if asked == path and value]
        return [int(value.removeprefix("bytes=").partition("-")[0]) for value in found]


@contextmanager
def serving(site: Site, address: str = "127.0.0.1") -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            site.connections += 1
            super().setup()

        def do_GET(self) -> None:
            # A proxy is asked for whole URLs: it answers from the same files.
            whole = self.path.startswith("http://")
            path = urlsplit(self.path).path if whole else self.path
            site.asked.append((self.path if whole else path, self.headers.get("Range")))
            site.cookies.append(self.headers.get("Cookie"))
            if site.busy.get(path, 0) > 0:
                site.busy[path] -= 1
                self.end(503)
            elif path in site.moved:
                self.end(302, Location=site.moved[path])
            elif path in site.status or path not in site.files:
                self.end(site.status.get(path, 404))
            else:
                self.send_film(path, site.files[path])

        def send_film(self, path: str, data: bytes) -> None:
            asked = self.headers.get("Range")
            first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
            if first >= len(data):
                self.end(416)
                return
            body = data[first:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Type", TYPES.get(Path(path).suffix, "video/mp4"))
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if path in site.breaks:
                body = body[:2000]
            elif path in site.half and not asked:
                body = body[: len(body) // 2]
            step = 20_000 if path in site.slow else len(body) or 1
            try:
                for start in range(0, len(body), step):
                    piece = body[start : start + step]
                    self.wfile.write(piece)
                    site.sent[path] = site.sent.get(path, 0) + len(piece)
                    if path in site.slow:
                        time.sleep(0.05)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the other side has seen enough
            self.close_connection = path in site.breaks | site.half | site.slow

        def end(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # a killed fetch says no good-bye
                super().handle()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    site.url = f"http://{address}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def padded(film: bytes, size: int) -> bytes:
    """An MP4 of a certain size: a `free` box at its end says nothing at length."""
    length = size - len(film)
    assert length >= 8
    return film + length.to_bytes(4, "big") + b"free" + bytes(length - 8)


def segmented(film: Path, folder: Path, name: str, kinds: str, **options: str) -> dict[str, bytes]:
    """A film as a manifest and its segments, made by FFmpeg's own muxers: file name -> bytes.

    kinds: "va" for picture and sound, "v" or "a" for one of them.
    """
    folder.mkdir(parents=True)
    form = "dash" if name.endswith(".mpd") else "hls"
    with (
        av.open(str(film)) as source,
        av.open(str(folder / name), "w", format=form, options=options) as target,
    ):
        chosen = [one for one in source.streams if one.type[0] in kinds]
        streams = {one.index: target.add_stream_from_template(one) for one in chosen}
        for packet in source.demux(*chosen):
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
