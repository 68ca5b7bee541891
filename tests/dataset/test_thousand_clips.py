"""A thousand clips from a store to shards in a store, with broken files and a killed worker."""

import os
import signal
import threading
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from soundreel.dataset.exchange.shard_folder import import_shards
from soundreel.dataset.remote import prepare_shards
from soundreel.media.sound import write_sound
from soundreel.media.writer import FilmWriter, Song
from soundreel.parallel import map_items
from soundreel.recipe import recipe_from
from store_on_this_machine import store_with

CLIPS, BROKEN_EVERY = 1000, 10
RATE_HZ = 8_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def make(path: Path) -> None:
    """A film of 1.2 s with a texture and a tone of its own; every tenth is broken in some way."""
    number = int(path.stem)
    rng = np.random.default_rng(number)
    picture = np.kron(rng.integers(30, 220, (4, 4, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    time_N = np.arange(int(1.2 * RATE_HZ)) / RATE_HZ
    sound = 0.3 * np.sin(2 * np.pi * rng.uniform(200, 2_000) * time_N)
    write_sound(path.with_suffix(".flac"), sound.astype(np.float32), RATE_HZ)
    song = Song(path.with_suffix(".flac"), Fraction(0), None)
    with FilmWriter(path, 32, 32, Fraction(10), song) as film:
        for n in range(12):
            film.write(np.roll(picture, n, 1))
    path.with_suffix(".flac").unlink()
    if number % BROKEN_EVERY == 3:
        whole = path.read_bytes()
        breaks = [b"", b"no film" * 99, whole[: len(whole) // 3], whole[500:]]
        path.write_bytes(breaks[number // BROKEN_EVERY % len(breaks)])


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    paths = [folder / f"{n:04}.mp4" for n in range(CLIPS)]
    for _ in map_items(make, paths, 2):
        pass
    return paths


@pytest.fixture
def store(monkeypatch):
    """An S3 server on this machine with a bucket `clips`."""
    with store_with("clips", monkeypatch) as files:
        yield files


def workers_named(word: bytes) -> list[int]:
    """Processes that this one began, or those did, with the word in their command line."""
    parents: dict[int, int] = {}
    named = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
                # proc(5): pid (name) state parent ...
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended in the meantime
            parents[int(entry.name)] = parent
            if word in command:
                named.append(int(entry.name))

    def is_below(pid: int) -> bool:
        parent = parents.get(pid, 0)
        return parent == os.getpid() or (parent > 0 and is_below(parent))

    return [pid for pid in named if is_below(pid)]


@pytest.mark.parametrize(
    ("engine", "word"), [("ray", b"ray::_call"), ("local", b"multiprocessing.spawn")]
)
def test_all_but_the_broken_arrive_and_none_twice(
    films, store, tmp_path, engine, word, monkeypatch
):
    if engine == "ray":
        pytest.importorskip("ray", reason="the extra `cluster` is not installed")
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # or a token is kept in the home folder
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for film in films:
        store.pipe(f"clips/in/{film.name}", film.read_bytes())
    killed: list[int] = []
    finished = threading.Event()

    def kill_one_worker() -> None:
        while not finished.is_set() and len(store.ls("clips/out/unfinished", refresh=True)) < 100:
            time.sleep(0.2)
        workers = workers_named(word)
        if workers:
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    def watch() -> None:
        while not finished.is_set() and not store.exists("clips/out/unfinished"):
            store.invalidate_cache()
            time.sleep(0.2)
        kill_one_worker()

    watcher = threading.Thread(target=watch)
    watcher.start()
    recipe = recipe_from("default", every_seconds="1/2", picture_size=32, picture_aspect=1)
    try:
        made = prepare_shards(["s3://clips/in"], "s3://clips/out", recipe, workers=2, engine=engine)
    finally:
        finished.set()
        watcher.join()
    assert killed, "no worker was killed: the test did not test it"
    assert len(made.rows) == CLIPS
    broken = {row.id for row in made.rows if row.left_out is not None}
    assert broken == {f"{n:04}" for n in range(3, CLIPS, BROKEN_EVERY)}
    store.get("clips/out", str(tmp_path / "fetched"), recursive=True)
    tars = [path.name for path in (tmp_path / "fetched" / "shards").iterdir()]
    assert sorted(tars) == sorted(f"{row.id}-000.tar" for row in made.rows if row.id not in broken)
    lists = [
        (tmp_path / "fetched" / f"{split}.txt").read_text() for split in ("train", "val", "test")
    ]
    listed = Counter("".join(lists).split())
    assert listed == Counter(f"shards/{name}" for name in tars), "each clip in one split, once"
    dataset = import_shards(tmp_path / "fetched", tmp_path / "back")
    assert sum(len(dataset.frames(row.id)) for row in dataset.clips()) == 2 * (CLIPS - len(broken))
