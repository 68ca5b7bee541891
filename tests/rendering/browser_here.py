"""A real page in a real browser, where there is one: headless Chromium over its debugging pipe."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

# Chromium listens at 3 and speaks at 4.
_AT_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """An open page. Source of the protocol: chromedevtools.github.io/devtools-protocol."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._said = b""
        self._count = 0
        self._session: str | None = None

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol and its answer; events in between are passed over."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._said:
                more = os.read(self._from, 2**20)
                assert more, "the browser has gone"
                self._said += more
            line, self._said = self._said.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, path: Path) -> None:
        """Open a file, as a person would by clicking on it, and wait until it is ready."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call("Page.navigate", url=path.as_uri())
        for _ in range(1000):
            if self.run("return document.readyState === 'complete'"):
                return
            time.sleep(0.02)
        raise AssertionError(f"{path.name} does not open")

    def run(self, script: str) -> Any:
        """What the body of an async function returns that is run on the page."""
        answer = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {script} }})()",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def give(self, selector: str, *files: Path) -> None:
        """Choose files, as a person would in the dialogue."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])


@contextmanager
def browser_page(path: Path, profile: Path) -> Iterator[Page]:
    """A page opened from a file; the profile is where a browser keeps what it keeps."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here to open the page with")
    (read_here, write_there), (read_there, write_here) = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (read_there, write_there)]
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", _AT_3_AND_4, *map(str, theirs)),
            *(browser, *flags, f"--user-data-dir={profile}"),
        ],
        pass_fds=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for end in (read_there, write_there, *theirs):
        os.close(end)
    try:
        page = Page(write_here, read_here)
        page.open(path)
        yield page
        page._session = None
        page.call("Browser.close")
        process.wait(30)
    finally:
        with suppress(ProcessLookupError):  # it and its own processes
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(read_here)
        os.close(write_here)
