"""Films in a real browser: they load, play, seek to the right picture and have their sound."""

import functools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from flash_and_click import BITS
from songs_made_here import write_parts, write_song
from soundreel.media.film_format import film_format
from soundreel.media.film_joining import join_parts
from soundreel.media.growing import GrowingFilm
from soundreel.media.song_track import Song

FPS = Fraction(25)
LENGTHS = [30, 30, 40]
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PAGE = """<!doctype html><title>films</title><body><script>
const names = %s, results = {};
const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const once = (video, event) => new Promise((resolve) => video.addEventListener(event, resolve));

function row(picture, width, height) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const red = [...context.getImageData(0, height >> 2, width, 1).data];
  return red.filter((value, index) => index %% 4 === 0);
}

async function film(name) {
  const video = document.createElement("video");
  video.src = name;
  document.body.append(video);
  const found = {error: null};
  const failed = once(video, "error").then(() => { found.error = video.error.message; });
  const played = (async () => {
    await once(video, "loadedmetadata");
    [found.width, found.height] = [video.videoWidth, video.videoHeight];
    found.duration = Number.isFinite(video.duration) ? video.duration : null;
    await video.play();
    while (video.currentTime < 0.3) await later(20);
    found.played = video.currentTime;
    found.sound = video.webkitAudioDecodedByteCount;
    video.pause();
    const sought = once(video, "seeked");
    const presented = new Promise((resolve) => {  // "seeked" may come before the picture
      const see = (now, {mediaTime}) =>
        mediaTime > 1.4 ? resolve() : video.requestVideoFrameCallback(see);
      video.requestVideoFrameCallback(see);
    });
    video.currentTime = 1.5;
    await Promise.all([sought, presented]);
    found.sought = video.currentTime;
    found.row = row(video, video.videoWidth, video.videoHeight);
  })();
  await Promise.race([failed, played, later(15000)]);
  return found;
}

async function gif(name) {
  const data = (await fetch(name)).body;
  const decoder = new ImageDecoder({data, type: "image/gif"});
  await decoder.completed;
  const track = decoder.tracks.selectedTrack;
  const rows = [];
  for (const frameIndex of [0, 1, track.frameCount - 1]) {
    const {image} = await decoder.decode({frameIndex});
    rows.push(row(image, image.displayWidth, image.displayHeight));
  }
  const shown = new Image();
  shown.src = name;
  await shown.decode();
  return {frames: track.frameCount, loops: track.repetitionCount === Infinity, rows,
          width: shown.naturalWidth};
}

(async () => {
  for (const name of names) {
    results[name] = await (name.endsWith(".gif") ? gif(name) : film(name)).catch(String);
  }
  await fetch("/done", {method: "POST", body: JSON.stringify(results)});
})();
</script>"""


class _Site(BaseHTTPRequestHandler):
    """Files of a folder, with byte ranges, since browsers seek only with these."""

    def __init__(self, folder: Path, told: list, done: threading.Event, *arguments) -> None:
        self._folder, self._told, self._done = folder, told, done
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = self._folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        first, last = 0, len(data) - 1
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            begin, end = wanted.removeprefix("bytes=").split("-")
            first, last = int(begin), min(last, int(end or last))
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        kind = {".html": "text/html", ".gif": "image/gif"}.get(path.suffix)
        self.send_header("Content-Type", kind or f"video/{path.suffix[1:]}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        with suppress(ConnectionError):  # the browser may have seen enough of it
            self.wfile.write(data[first : last + 1])

    def do_POST(self) -> None:
        self._told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()
        self._done.set()

    def log_message(self, format: str, *_) -> None:  # noqa: A002 (the base class calls it so)
        pass


@contextmanager
def site(folder: Path, told: list, done: threading.Event) -> Iterator[int]:
    handler = functools.partial(_Site, folder, told, done)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shown_in_browser(folder: Path, names: list[str], profile: Path) -> dict:
    """What a browser makes of some files: name -> what the page found out."""
    if BROWSER is None:
        pytest.skip("no chromium or chrome is on the PATH")
    (folder / "page.html").write_text(PAGE % json.dumps(names))
    told: list[dict] = []
    done = threading.Event()
    with site(folder, told, done) as port:
        command = [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={profile}",
            f"http://127.0.0.1:{port}/page.html",
        ]
        browser = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            done.wait(120)
        finally:
            browser.terminate()
            output, _ = browser.communicate(timeout=30)
    assert told, output[-2000:]
    return told[0]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Every kind of film, as the browser saw it."""
    folder = tmp_path_factory.mktemp("films")
    songs = {
        kind: Song(write_song(folder / f"song{kind}", kind, seconds=Fraction(4)))
        for kind in (".mp3", ".m4a", ".flac", ".opus", ".ogg")
    }
    names = []
    for name, kind in [
        ("mp3.mp4", ".mp3"),
        ("aac.mp4", ".m4a"),
        ("encoded.mp4", ".flac"),
        ("opus.webm", ".opus"),
        ("vorbis.webm", ".ogg"),
        ("encoded.webm", ".flac"),
    ]:
        form = film_format(folder / name, 384, 192, FPS)
        parts = write_parts(folder / name.replace(".", "-"), form, LENGTHS)
        join_parts(folder / name, form, parts, 100, songs[kind])
        names.append(name)
        if kind == ".flac":  # half of the film, which goes on growing
            growing = GrowingFilm(folder / f"growing.{form.kind}", form, songs[kind])
            for part in parts[:2] + parts[:1]:
                growing.add(part)
            shutil.copyfile(growing.path, folder / f"half.{form.kind}")
            growing.discard()
            names.append(f"half.{form.kind}")
    form = film_format(folder / "film.gif", 384, 192, FPS)
    join_parts(folder / "film.gif", form, write_parts(folder / "gif", form, [9, 9, 12]), 30)
    return shown_in_browser(folder, [*names, "film.gif"], tmp_path_factory.mktemp("profile"))


def number_in(row: list[int]) -> int:
    """The number that a row of a numbered picture shows."""
    middles = ((np.arange(BITS) + 0.5) * len(row) / BITS).astype(int)
    return sum(1 << bit for bit, middle in enumerate(middles) if row[middle] > 127)


@pytest.mark.parametrize(
    "name",
    ["mp3.mp4", "aac.mp4", "encoded.mp4", "opus.webm", "vorbis.webm", "encoded.webm"],
)
def test_a_browser_plays_and_seeks(seen: dict, name: str) -> None:
    film = seen[name]
    assert film["error"] is None
    assert (film["width"], film["height"]) == (384, 192)
    assert abs(film["duration"] - 4) < 0.05
    assert film["played"] >= 0.3
    assert film["sound"] > 1000
    assert abs(film["sought"] - 1.5) < 0.001
    assert number_in(film["row"]) in (37, 38)  # 1.5 s is within picture 37


@pytest.mark.parametrize("name", ["half.mp4", "half.webm"])
def test_a_browser_plays_a_film_that_still_grows(seen: dict, name: str) -> None:
    film = seen[name]
    assert film["error"] is None
    assert (film["width"], film["height"]) == (384, 192)
    assert film["played"] >= 0.3
    assert film["sound"] > 1000
    assert number_in(film["row"]) in (36, 37, 38)


def test_a_browser_shows_a_gif_that_moves_and_loops(seen: dict) -> None:
    gif = seen["film.gif"]
    assert (gif["frames"], gif["loops"], gif["width"]) == (30, True, 384)
    assert [number_in(row) for row in gif["rows"]] == [0, 1, 29]
