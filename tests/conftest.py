"""What the tests of any room may ask for."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def two_threads() -> Iterator[None]:
    """Torch computes in two threads, as on a person's machine, for tests of what threads change.

    `make test` gives each of its processes one thread.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
