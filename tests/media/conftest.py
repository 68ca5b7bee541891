"""Films are decoded by all cores here, as for a person, though `make test` computes in one."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def all_cores() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("OMP_NUM_THREADS", raising=False)
        yield
