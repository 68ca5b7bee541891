"""Work that survives its workers: order, once each, lost workers, nothing left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worker_tasks import (
    calls,
    count_neighbours,
    echo,
    fail,
    give_function_back,
    killed_at_first,
    running,
    sleep_tidily,
    uneven,
)

from soundreel.errors import SettingsError, SoundreelError
from soundreel.parallel import map_items
from soundreel.parallel.order import ITEMS_AHEAD, TRIES, Done, Failed, Lost, Outcome, in_order


class SimulatedEngine:
    """Ends its items in any order, each try as `fates` says, and checks what it is given."""

    def __init__(self, slots: int, fates: dict[int, list[Outcome]], seed: int) -> None:
        self.fates = {number: list(fate) for number, fate in fates.items()}
        self.chance = random.Random(seed)
        self.at_once = slots
        self.running: dict[int, bool] = {}  # number -> alone
        self.begun: set[int] = set()
        self.failed = False

    def slots(self) -> int:
        return self.at_once

    def start(self, number: int, item: int, alone: bool) -> None:
        assert number == item
        assert number not in self.running
        assert len(self.running) < self.at_once
        assert not any(self.running.values()), "something started beside the one that is alone"
        assert not (alone and self.running), "alone means alone"
        assert number in self.begun or not self.failed, "begun after all was over"
        self.begun.add(number)
        self.running[number] = alone

    def outcomes(self, wait: bool) -> list[tuple[int, Outcome]]:
        if not self.running:
            assert not wait, "waiting for nothing would be for ever"
            return []
        count = self.chance.randint(int(wait), len(self.running))
        ended = self.chance.sample(sorted(self.running), count)
        for number in ended:
            del self.running[number]
        return [(number, self.next_outcome(number)) for number in ended]

    def next_outcome(self, number: int) -> Outcome:
        fate = self.fates.get(number, [])
        outcome = fate.pop(0) if fate else Done(10 * number)
        self.failed |= isinstance(outcome, Failed)
        return outcome

    def close(self) -> None:
        pass


@given(
    st.integers(0, 60),
    st.integers(1, 4),
    st.dictionaries(
        st.integers(0, 60),
        st.lists(st.sampled_from([Lost(), Lost(begun=False)]), max_size=5),
        max_size=20,
    ),
    st.integers(0, 2**32),
)
def test_whatever_is_lost_the_results_are_whole_and_in_order(count, slots, fates, seed):
    engine = SimulatedEngine(slots, fates, seed)
    taken = 0

    def items():
        nonlocal taken
        for taken in range(1, count + 1):
            yield taken - 1

    expected = [
        -number if sum(lost.begun for lost in fates.get(number, [])) >= TRIES else 10 * number
        for number in range(count)
    ]
    found = []
    for result in in_order(engine, items(), on_lost=lambda number: -number):
        found.append(result)
        assert taken <= len(found) + slots * ITEMS_AHEAD, "too many items at once"
    assert found == expected
    assert not engine.running


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32), st.data())
def test_an_error_comes_after_all_results_before_it(count, slots, seed, data):
    bad = data.draw(st.integers(0, count - 1))
    engine = SimulatedEngine(slots, {bad: [Lost(), Failed(KeyError(bad))]}, seed)
    found = []
    results = in_order(engine, range(count), None)
    with pytest.raises(KeyError):
        found.extend(results)
    assert found == [10 * number for number in range(bad)]


@pytest.mark.parametrize("workers", [1, 3])
def test_each_item_is_worked_on_once_and_comes_in_order(tmp_path, workers):
    task = partial(uneven, tmp_path)
    assert list(map_items(task, iter(range(40)), workers, apart=True)) == [n * n for n in range(40)]
    assert calls(tmp_path) == Counter(range(40))


def test_a_worker_that_is_killed_loses_nothing(tmp_path):
    times = {0: 1, 5: 2, 11: 1}
    task = partial(killed_at_first, tmp_path, times)
    assert list(map_items(task, range(12), 2)) == list(range(12))
    assert calls(tmp_path) == Counter(range(12)) + Counter(times), "the others were worked on once"


def test_an_item_that_kills_every_worker_is_given_up_and_the_rest_arrives(tmp_path):
    task = partial(killed_at_first, tmp_path, {2: 99, 7: 99})
    found = list(map_items(task, range(10), 2, on_lost=lambda number: -number))
    assert found == [0, 1, -2, 3, 4, 5, 6, -7, 8, 9]
    assert calls(tmp_path) == Counter(range(10)) + Counter({2: TRIES - 1, 7: TRIES - 1})


def test_without_a_way_out_such_an_item_is_an_error_at_its_place(tmp_path):
    results = map_items(partial(killed_at_first, tmp_path, {2: 99}), range(10), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(SoundreelError, match=r"^2: a worker process died at this item, 3 times"):
        next(results)
    assert active_children() == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are seen in /proc")
def test_the_last_try_has_the_machine_for_itself(tmp_path):
    neighbours = list(map_items(partial(count_neighbours, tmp_path), range(12), 3))
    assert neighbours[1] == 0, "memory that others hold may be what it lacked"
    assert max(neighbours) > 0


def test_workers_killed_from_outside_whether_busy_or_idle_lose_nothing(tmp_path):
    chance = random.Random(5)
    results = map_items(partial(uneven, tmp_path), range(60), 3)
    found, kills = [], 0
    for result in results:
        found.append(result)
        if len(found) % 9 == 0 and (alive := active_children()):
            os.kill(chance.choice(alive).pid or 0, signal.SIGKILL)
            kills += 1
    assert kills >= 5
    assert found == [n * n for n in range(60)]


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (1, SettingsError, "one is refused"),
        (2, RuntimeError, "UnreadableError: 1 and 2"),
        (3, RuntimeError, "UnwritableError: holds a lock"),
    ],
)
def test_an_error_crosses_over_and_tells_where_it_was(number, kind, says):
    with pytest.raises(kind, match=says) as caught:
        list(map_items(fail, [0, number], 2))
    assert "in fail" in caught.value.__notes__[0]


def test_items_and_results_larger_than_a_pipe_pass(tmp_path):
    items = [bytes([n]) * 3_000_000 for n in range(6)]
    assert list(map_items(echo, items, 2)) == items


def test_a_result_that_cannot_be_sent_is_an_error_and_no_hang():
    with pytest.raises(Exception, match=r"(?i)pickle"):
        list(map_items(give_function_back, range(3), 2))


def test_closing_stops_the_workers_at_once_and_they_tidy_up(tmp_path):
    results = map_items(partial(sleep_tidily, tmp_path), range(9), 3)
    assert next(results) == 0
    assert len(active_children()) == 3
    results.close()  # pyright: ignore[reportAttributeAccessIssue]  # a generator, by its nature
    assert active_children() == []
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import signal, sys
from functools import partial
from pathlib import Path
from soundreel.parallel import map_items
sys.path.insert(0, sys.argv[1])
from worker_tasks import sleep_tidily
if __name__ == "__main__":
    # As in a terminal, also where the tests themselves run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for result in map_items(partial(sleep_tidily, Path(sys.argv[2])), range(9), 3):
        print(result, flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are seen in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_when_the_caller_goes_the_workers_go(tmp_path, how):
    script, folder = tmp_path / "script.py", tmp_path / "halves"
    script.write_text(SCRIPT)
    folder.mkdir()
    command = [sys.executable, str(script), str(Path(__file__).parent), str(folder)]
    caller = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == "0\n"
    workers = [int(path.name.split(".")[1]) for path in folder.iterdir()]
    assert len(workers) >= 2
    if how == signal.SIGINT:
        os.killpg(caller.pid, how)  # as a terminal does: to everyone at once
    else:
        caller.kill()
    _, errors = caller.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(running(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(running(pid) for pid in workers)
    assert list(folder.iterdir()) == [], "they tidied up"
    if how == signal.SIGINT:
        assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1, errors


def test_workers_that_cannot_even_start_are_an_error_and_no_loss(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from soundreel.parallel import map_items\n"
        "print(list(map_items(abs, range(9), 2, on_lost=print)))\n"  # not below __main__
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=90)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "worker processes die as they start" in done.stderr.splitlines()[-1]


def test_an_engine_that_is_not_known_is_refused():
    with pytest.raises(SettingsError, match='choose "local" or "ray"'):
        list(map_items(abs, [1], engine="spark"))  # pyright: ignore[reportArgumentType]  # on purpose


def test_without_ray_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r'pip install "soundreel\[cluster\]"'):
        list(map_items(abs, [1], engine="ray"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere"])
def test_a_cluster_that_is_not_there_is_one_line_and_no_long_wait(monkeypatch, address):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(SettingsError, match=f"RAY_ADDRESS={address}: no Ray cluster answers"):
        list(map_items(abs, [1], engine="ray"))
