"""The same on a Ray cluster: order, errors, killed workers, a lost machine, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from worker_tasks import calls, fail, killed_at_first, running, threads_and_process, wait_for_file

from soundreel.errors import SettingsError, SoundreelError
from soundreel.parallel import map_items
from soundreel.parallel.order import TRIES

pytestmark = pytest.mark.slow

STORE_BYTES = 100 * 2**20


@pytest.fixture(scope="module")
def ray():
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_AUTH_MODE", "disabled")  # or a token is kept in the home folder
        environment.setenv("PYTHONPATH", str(Path(__file__).parent))  # for worker_tasks
        environment.delenv("RAY_ADDRESS", raising=False)
        environment.delenv("OMP_NUM_THREADS", raising=False)
        yield pytest.importorskip("ray", reason="the extra `cluster` is not installed")


@pytest.fixture
def cluster(ray):
    """A cluster of two CPUs that is already connected to."""
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()


def test_items_come_in_order_and_a_killed_worker_loses_nothing(cluster, tmp_path):
    assert list(map_items(abs, range(-20, 0), engine="ray")) == list(range(20, 0, -1))
    assert cluster.is_initialized(), "a cluster that was there before stays"

    threads = {found[0] for found in map_items(threads_and_process, range(4), engine="ray")}
    assert threads == {"1"}

    (tmp_path / "killed").mkdir()
    times = {0: 1, 4: 2, 7: 99}
    task = partial(killed_at_first, tmp_path / "killed", times)
    found = list(map_items(task, range(10), engine="ray", on_lost=lambda number: -number))
    assert found == [0, 1, 2, 3, 4, 5, 6, -7, 8, 9]
    assert calls(tmp_path / "killed") == Counter(range(10)) + Counter({0: 1, 4: 2, 7: TRIES - 1})

    with pytest.raises(SoundreelError, match=r"^7: a worker process died"):
        list(map_items(task, range(10), engine="ray"))

    results = map_items(fail, [0, 5, 1, 6], engine="ray")
    assert [next(results), next(results)] == [0, 5]
    with pytest.raises(SettingsError, match="one is refused") as caught:
        next(results)
    assert "in fail" in caught.value.__notes__[0]


def test_items_of_a_machine_that_is_lost_run_on_another(ray, tmp_path, monkeypatch):
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    machines = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": STORE_BYTES},
    )
    try:
        second = machines.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        monkeypatch.setenv("RAY_ADDRESS", machines.address)
        # Four items run or wait on two machines, until the second is gone and the file is there.
        results = map_items(partial(wait_for_file, tmp_path), range(8), engine="ray")
        assert next(results) == 0  # the one that does not wait
        deadline = time.monotonic() + 60
        while len({path.read_text() for path in tmp_path.iterdir()}) < 2:
            assert time.monotonic() < deadline, "both machines were to work"
            time.sleep(0.1)
        machines.remove_node(second, allow_graceful=False)
        (tmp_path / "go").touch()
        assert list(results) == [1, 2, 3, 4, 5, 6, 7]
        assert not ray.is_initialized(), "the connection was made for this and ends with it"
    finally:
        machines.shutdown()


SCRIPT = """
import sys
from functools import partial
from pathlib import Path
from soundreel.parallel import map_items
from worker_tasks import killed_at_first, threads_and_process
if __name__ == "__main__":
    task = partial(killed_at_first, Path(sys.argv[1]), {1: 99})
    print(list(map_items(task, range(4), 2, engine="ray", on_lost=lambda number: -number)))
    print(sorted({pid for _, pid in map_items(threads_and_process, range(4), 2, engine="ray")}))
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are seen in /proc")
def test_where_no_cluster_is_one_is_started_and_stopped_without_a_word(ray, tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "calls"
    script.write_text(SCRIPT)
    folder.mkdir()
    command = [sys.executable, str(script), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    results, workers = done.stdout.splitlines()
    assert results == "[0, -1, 2, 3]"
    assert done.stderr == ""
    deadline = time.monotonic() + 30
    while any(map(running, eval(workers))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(running, eval(workers)))


def test_closing_stops_what_runs(cluster, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    results = map_items(partial(wait_for_file, tmp_path), range(8), engine="ray")
    assert next(results) == 0
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < deadline, "two were to work"
        time.sleep(0.1)
    workers = [int(path.name.split(".")[1]) for path in tmp_path.iterdir()]
    results.close()  # pyright: ignore[reportAttributeAccessIssue]  # a generator, by its nature
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(running, workers))
    assert os.getpid() not in workers
    assert signal.getsignal(signal.SIGINT) is before
