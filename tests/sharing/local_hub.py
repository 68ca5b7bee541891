"""A Hub on 127.0.0.1: the part of the real one's API that sharing a model uses, and its failures.

Commits are made of an NDJSON of whole files and of large files that came before by the LFS batch
API; files are served by `resolve`, large ones by a redirect to their content.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

#: What the real Hub's `.gitattributes` makes large.
LARGE = (".safetensors", ".png", ".mp4", ".webm", ".gif", ".bin", ".pkl")


@dataclass
class Repository:
    """Commits, oldest first: each a dict of path -> (content, whether it is a large file)."""

    private: bool = False
    gated: bool = False
    commits: list[tuple[str, dict[str, tuple[bytes, bool]]]] = field(default_factory=list)

    def commit(self, files: dict[str, tuple[bytes, bool]]) -> str:
        told = f"{len(self.commits)} {sorted((path, one[0]) for path, one in files.items())}"
        sha = hashlib.sha1(told.encode()).hexdigest()
        self.commits.append((sha, files))
        return sha

    def at(self, revision: str) -> tuple[str, dict[str, tuple[bytes, bool]]] | None:
        if revision == "main":
            return self.commits[-1]
        return next((one for one in self.commits if one[0] == revision), None)


class LocalHub:
    """What is on it, what it was asked, and how it fails.

    tokens: token -> the owner it may write for. busy: path of a URL -> how often it says `status`
    first. half: content hashes (or file names) whose download breaks off in the middle, as often
    as their number says. asked: (method, path, authorization) of every request. received: content
    that was uploaded, by its hash.
    """

    def __init__(self) -> None:
        self.url = ""
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, str] = {"good": "me"}
        self.readers: set[str] = {"good"}
        self.busy: dict[str, int] = {}
        self.status = 500
        self.half: dict[str, int] = {}
        self.lost_answers = 0
        self.asked: list[tuple[str, str, str | None]] = []
        self.agents: set[str] = set()
        self.received: dict[str, bytes] = {}
        self.uploads: list[str] = []

    def holds(self, name: str, files: dict[str, bytes], gated: bool = False) -> Repository:
        """Put a repository there, as a stranger would have."""
        repository = self.repositories.setdefault(name, Repository(gated=gated))
        repository.commit({p: (data, p.endswith(LARGE)) for p, data in files.items()})
        return repository

    def files(self, name: str) -> dict[str, bytes]:
        return {path: one[0] for path, one in self.repositories[name].commits[-1][1].items()}

    def requests(self, method: str, part: str = "") -> int:
        return sum(asked == method and part in path for asked, path, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LocalHub

    def do_HEAD(self) -> None:
        self.answer()

    do_GET = do_POST = do_PUT = do_HEAD

    def answer(self) -> None:
        hub, url = self.hub, urlsplit(self.path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub.asked.append((self.command, url.path, self.headers.get("Authorization")))
        hub.agents.add(self.headers.get("User-Agent", ""))
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        for path in hub.busy:
            if path in url.path and hub.busy[path] > 0:
                hub.busy[path] -= 1
                return self.end(hub.status)
        match self.command, parts:
            case "POST", ["api", "repos", "create"]:
                return self.create()
            case "POST", ["api", "validate-yaml"]:
                return self.tell({"errors": [], "warnings": []})
            case "PUT", ["lfs", _, oid]:
                assert hashlib.sha256(self.body).hexdigest() == oid
                hub.received[oid] = self.body
                hub.uploads.append(oid)
                return self.tell({})
            case (("GET" | "HEAD"), ["lfs", oid]):
                return self.send(hub.received[oid], oid)
            case "GET", ["api", "models", owner, name, *rest] if rest[:1] in ([], ["revision"]):
                if (repository := self.seen(f"{owner}/{name}")) is None:
                    return None
                sha = repository.commits[-1][0]
                told = {"id": f"{owner}/{name}", "sha": sha, "private": repository.private}
                return self.tell(told)
            case "POST", ["api", "models", owner, name, what, revision]:
                return self.write(f"{owner}/{name}", what, revision)
            case "POST", [owner, name, "info", "lfs", "objects", "batch"]:
                return self.batch(f"{owner}/{name.removesuffix('.git')}")
            case (("GET" | "HEAD"), [owner, name, "resolve", revision, *path]):
                return self.resolve(f"{owner}/{name}", revision, "/".join(path))
        return self.end(404)

    # -- who may what --

    def token(self) -> str | None:
        said = self.headers.get("Authorization")
        return said.removeprefix("Bearer ") if said else None

    def seen(self, name: str) -> Repository | None:
        """The repository if whoever asks may see it; else that is the answer."""
        token, repository = self.token(), self.hub.repositories.get(name)
        if token is not None and token not in self.hub.readers | self.hub.tokens.keys():
            self.end(401, X_Error_Message="Invalid credentials in Authorization header")
        elif repository is None or (repository.private and token not in self.hub.readers):
            self.end(401 if token is None else 404, X_Error_Code="RepoNotFound")
        else:
            return repository
        return None

    def may_write(self, owner: str) -> bool:
        token = self.token()
        if token not in self.hub.tokens:
            self.end(401, X_Error_Message="Invalid credentials in Authorization header")
        elif self.hub.tokens[token] != owner:
            self.end(403, X_Error_Message="You don't have the rights to write here")
        else:
            return True
        return False

    # -- requests --

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if not self.may_write(asked["organization"]):
            return None
        if name in self.hub.repositories:
            return self.tell({"url": f"{self.hub.url}/{name}"}, 409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repositories[name] = Repository(private)
        self.hub.repositories[name].commit({".gitattributes": (b"", False)})
        return self.tell({"url": f"{self.hub.url}/{name}"})

    def write(self, name: str, what: str, revision: str) -> None:
        repository = self.seen(name)
        if repository is None:
            return None
        found = repository.at(revision)
        if found is None:
            return self.end(404, X_Error_Code="RevisionNotFound")
        sha, files = found
        if what == "paths-info":
            wanted = parse_qs(self.body.decode())["paths"]
            return self.tell([self.entry(p, *files[p]) for p in wanted if p in files])
        if not self.may_write(name.partition("/")[0]):
            return None
        if what == "preupload":
            asked = json.loads(self.body)["files"]
            return self.tell({"files": [self.mode(one["path"], files) for one in asked]})
        assert what == "commit"
        first, *rows = [json.loads(line) for line in self.body.splitlines()]
        if first["value"].get("parentCommit") not in (None, sha):
            return self.end(412, X_Error_Message="A commit has happened since.")
        made = dict(files)
        for row in rows:
            value = row["value"]
            if row["key"] == "file":
                made[value["path"]] = (base64.b64decode(value["content"]), False)
            elif row["key"] == "lfsFile":
                made[value["path"]] = (self.hub.received[value["oid"]], True)
            else:
                assert row["key"] == "deletedFile"
                del made[value["path"]]
        commit = repository.commit(made)
        if self.hub.lost_answers > 0:
            self.hub.lost_answers -= 1
            return self.end(502)
        return self.tell(
            {"commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}"}
        )

    def entry(self, path: str, data: bytes, large: bool) -> dict:
        told: dict = {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
        if large:
            oid = hashlib.sha256(data).hexdigest()
            told["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 100}
        return told

    def mode(self, path: str, files: dict[str, tuple[bytes, bool]]) -> dict:
        large = path.endswith(LARGE)
        told = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        if path in files:
            data, was_large = files[path]
            git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            told["oid"] = hashlib.sha256(data).hexdigest() if was_large else git
        return told

    def batch(self, name: str) -> None:
        if not self.may_write(name.partition("/")[0]):
            return None
        objects = []
        for asked in json.loads(self.body)["objects"]:
            told = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.received:
                href = f"{self.hub.url}/lfs/up/{asked['oid']}"
                told["actions"] = {"upload": {"href": href, "header": {}}}
            objects.append(told)
        return self.tell({"transfer": "basic", "objects": objects})

    def resolve(self, name: str, revision: str, path: str) -> None:
        repository = self.seen(name)
        if repository is None:
            return None
        if repository.gated and self.token() not in self.hub.readers:
            return self.end(403 if self.token() else 401, X_Error_Code="GatedRepo")
        found = repository.at(revision)
        if found is None:
            return self.end(404, X_Error_Code="RevisionNotFound")
        sha, files = found
        if path not in files:
            return self.end(404, X_Error_Code="EntryNotFound", X_Repo_Commit=sha)
        data, large = files[path]
        if not large:
            etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return self.send(data, path, ETag=f'"{etag}"', X_Repo_Commit=sha)
        oid = hashlib.sha256(data).hexdigest()
        self.hub.received[oid] = data
        linked = {"X_Linked_Etag": f'"{oid}"', "X_Linked_Size": str(len(data))}
        # The real one keeps large files on other hosts, which have no business with the token.
        elsewhere = self.hub.url.replace("127.0.0.1", "localhost")
        return self.end(302, Location=f"{elsewhere}/lfs/{oid}", X_Repo_Commit=sha, **linked)

    # -- answers --

    def send(self, data: bytes, name: str, **headers: str) -> None:
        asked = self.headers.get("Range")
        first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        body = data[first:]
        self.send_response(206 if asked else 200)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.half.get(name, 0) > 0:
            self.hub.half[name] -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def tell(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def end(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def handle(self) -> None:
        with suppress(ConnectionResetError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class has it
        pass


@contextmanager
def serving_hub() -> Iterator[LocalHub]:
    hub = LocalHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
