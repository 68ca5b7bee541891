"""How threads that compute wait for each other, and how many there are beside other programs."""

from __future__ import annotations

import os
import time
from pathlib import Path

from soundreel.errors import SettingsError

#: A waiting thread looks so often whether there is work before it sleeps. Measured on two cores
#: (`benchmarks/lost_core.py`): without any looking a training step took 1.4 times as long. With
#: the library's own 300,000 looks it was no faster, and beside another program that held a core
#: it took twice as long as with 10,000.
_LOOKS = "10000"
_LOOK_AGAIN_SECONDS = 1.0


def let_threads_rest() -> None:
    """Let threads that wait for work sleep soon; to be called before torch or numpy is imported.

    OpenMP reads the first two once: one is the standard's, the other that of the GNU library,
    which torch brings on Linux. The third is for numpy's matrix products: their threads never
    sleep while there may be more, and what is large here torch computes. In a render they spent
    as much time waiting as the network took (`benchmarks/rendering.py`). What a person has set
    stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", _LOOKS)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class FreeCores:
    """The cores that other programs leave free, from one look to the next.

    Several threads that share their work wait for the slowest: one that has to share its core
    with another program holds up all, hundreds of times a step.
    """

    def __init__(self) -> None:
        """Raises: SettingsError where the system does not say how busy its cores are."""
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if not self._cores or not Path("/proc/stat").is_file():
            raise SettingsError(
                "threads = 'free' needs Linux, which says how busy its cores are: set it to 'all'"
            )
        self._seen = self._now()

    def threads(self) -> int | None:
        """How many threads to compute with from now on; None: too soon to say something new.

        As many as there are cores that others leave free, rounded, at least one.
        """
        seconds, busy, own = self._now()
        before = self._seen
        passed = seconds - before[0]
        if passed < _LOOK_AGAIN_SECONDS:
            return None
        self._seen = seconds, busy, own
        others = max(0.0, (busy - before[1]) - (own - before[2])) / passed
        return max(1, min(len(self._cores), round(len(self._cores) - others)))

    def _now(self) -> tuple[float, float, float]:
        """Now, the seconds that our cores have worked for anyone, and for this process."""
        wanted = {f"cpu{core}" for core in self._cores}
        ticks = 0
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
            name, *numbers = line.split()
            if name in wanted:
                # proc(5): user, nice, system, idle, iowait, irq, softirq, steal, ...
                user, nice, system, _, _, irq, softirq = (int(n) for n in numbers[:7])
                ticks += user + nice + system + irq + softirq
        spent = os.times()
        busy = ticks / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, spent.user + spent.system
