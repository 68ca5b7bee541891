import os
import subprocess
import sys
import time

import pytest

from soundreel import threads
from soundreel.errors import SettingsError
from soundreel.threads import FreeCores, let_threads_rest

CORES = len(os.sched_getaffinity(0))
BUSY = "while True: pass"


def looks(cores: FreeCores, seconds: float) -> list[int]:
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(20_000))  # what this process does itself is not others' work
        count = cores.threads()
        if count is not None:
            found.append(count)
    return found


class Cores(FreeCores):
    """Cores whose work is told: (seconds, of anyone, of this process) at each look."""

    def __init__(self, count: int, *told: tuple[float, float, float]) -> None:
        self._cores = list(range(count))
        self._told = list(told)
        self._seen = self._told.pop(0)

    def _now(self):
        return self._told.pop(0)


def test_threads_are_the_cores_that_others_leave():
    # In a second each: nothing else, one core and a bit, all of them, more than there are.
    cores = Cores(4, (0, 0, 0), (1, 4, 4), (2, 8, 6.8), (3, 12, 6.8), (4, 17, 6.8))
    assert [cores.threads() for _ in range(4)] == [4, 3, 1, 1]


def test_what_this_process_does_itself_is_not_the_work_of_others():
    cores = Cores(2, (0, 10, 0), (2, 14, 4), (4, 16, 6))
    assert [cores.threads(), cores.threads()] == [2, 2]


def test_between_two_looks_a_second_passes():
    cores = Cores(2, (0, 0, 0), (0.5, 1, 0), (1.5, 3, 0))
    assert [cores.threads(), cores.threads()] == [None, 1]


def test_a_real_program_beside_us_takes_its_core():
    if CORES < 2:
        pytest.skip("one core cannot be shared out")
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(CORES)]
    try:
        assert min(looks(FreeCores(), 4)) < CORES
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_where_the_system_does_not_say_it_is_refused(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: set())
    with pytest.raises(SettingsError, match="threads = 'free' needs Linux"):
        FreeCores()


def test_what_a_person_has_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    let_threads_rest()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    assert int(os.environ["GOMP_SPINCOUNT"]) > 0
