"""What the workers do in the tests of `parallel`: a light module, since each worker loads it."""

import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from soundreel.errors import SettingsError
from soundreel.parallel.order import TRIES


def leave_trace(folder: Path, number: int) -> None:
    """One more file a call, so that calls can be counted across processes."""
    (folder / f"{number}.{os.getpid()}.{time.monotonic_ns()}").touch()


def calls(folder: Path) -> Counter[int]:
    return Counter(int(path.name.split(".")[0]) for path in folder.iterdir())


def uneven(folder: Path, number: int) -> int:
    leave_trace(folder, number)
    time.sleep(random.Random(number).choice([0, 0, 0.001, 0.05]))
    return number * number


def killed_at_first(folder: Path, times: dict[int, int], number: int) -> int:
    """Kills its own process at the first `times[number]` calls for a number."""
    leave_trace(folder, number)
    if calls(folder)[number] <= times.get(number, 0):
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def count_neighbours(folder: Path, number: int) -> int:
    leave_trace(folder, number)
    if number == 1 and calls(folder)[1] < TRIES:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    workers = {path.name.split(".")[1] for path in folder.iterdir()} - {str(os.getpid())}
    return sum(Path(f"/proc/{pid}").exists() for pid in workers)


class UnreadableError(Exception):
    """Can be written to a pipe and not be read again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class UnwritableError(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def fail(number: int) -> int:
    if number == 1:
        raise SettingsError("one is refused")
    if number == 2:
        raise UnreadableError(1, 2)
    if number == 3:
        raise UnwritableError
    return number


def echo(content: bytes) -> bytes:
    return content


def give_function_back(number: int):
    return lambda: number


def sleep_tidily(folder: Path, number: int) -> int:
    if number == 0:
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.01)
        return 0
    half = folder / f"{number}.{os.getpid()}"
    try:  # before the file is there: a signal may come right after it
        half.touch()
        time.sleep(100)
    finally:
        half.unlink(missing_ok=True)
    return number


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def threads_and_process(number: int) -> tuple[str | None, int]:
    return os.environ.get("OMP_NUM_THREADS"), os.getpid()


def wait_for_file(folder: Path, number: int) -> int:
    """Waits, but for 0, until the file `go` is there; says by a file on which Ray node."""
    if number == 0:
        return 0
    import ray  # pyright: ignore[reportMissingImports]  # an extra

    trace = folder / f"{number}.{os.getpid()}"
    trace.with_suffix(f"{trace.suffix}.partial").write_text(ray.get_runtime_context().get_node_id())
    trace.with_suffix(f"{trace.suffix}.partial").rename(trace)
    while not (folder / "go").exists():
        time.sleep(0.02)
    return number
