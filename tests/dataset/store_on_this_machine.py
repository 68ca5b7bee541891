"""An object store on 127.0.0.1, for tests of what reads from and writes to one."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def store_with(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 server with an empty bucket, as this process and its children will find it."""
    s3fs = pytest.importorskip("s3fs", reason="the extra `cluster` is not installed")
    moto = pytest.importorskip("moto.server", reason="no S3 server to test with (moto)")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What an earlier server of this process held is still there.
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=30).close()
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.mkdir(bucket)
    yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
