"""A server that speaks as much of the Hugging Face hub's protocol as downloading and publishing a model needs.

```python
with HubServer() as hub:
    commit = hub.commit("user/voices", {"onnx/speakers/mei/config.json": b"{}"})
    hub.private["user/voices"] = "hf_secret"        # asks for this token from now on
    hub.faults.append(Fault("config.json", status=503))
```
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]

_LARGE = (".safetensors", ".onnx", ".npy")


@dataclass
class Fault:
    """Something that goes wrong with requests whose path contains ``where``.

    Attributes:
        where: part of the path; "" is every request.
        status: answer this instead; 0 answers as usual.
        cut: of a body, send so many bytes and close the connection; -1 sends all.
        flip: change one byte of the body, so that its size stays.
        times: how often; -1 always.
        method: only these requests.
    """

    where: str
    status: int = 0
    cut: int = -1
    flip: bool = False
    times: int = 1
    method: str = "GET"


class HubServer:
    """Repositories in memory, served on a free port.

    Attributes:
        commits: of each repository, files by commit.
        branches: of each repository, the commit of each branch and tag.
        private: the token that a repository asks for.
        requests: (method, path, Authorization) of everything that was asked.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, Files]] = {}
        self.branches: dict[str, dict[str, str]] = {}
        self.private: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, str]] = []
        self.stopped = False
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def commit(self, repository: str, files: Files, branch: str = "main") -> str:
        """Make a commit that holds exactly these files, and return its hash."""
        with self._lock:
            commits = self.commits.setdefault(repository, {})
            commit = hashlib.sha1(f"{repository}{branch}{len(commits)}".encode()).hexdigest()
            commits[commit] = dict(files)
            self.branches.setdefault(repository, {})[branch] = commit
        return commit

    def asked(self, part: str, method: str = "GET") -> int:
        """How many requests had ``part`` in their path."""
        return sum(how == method and part in path for how, path, _ in self.requests)

    def fault(self, method: str, path: str) -> Fault:
        """What is to go wrong with this request."""
        with self._lock:
            for fault in self.faults:
                if fault.where in path and fault.method == method and fault.times:
                    fault.times -= 1
                    return fault
        return Fault("")

    def stop(self) -> None:
        """Refuse connections from now on, and break those that are open at their next request."""
        if not self.stopped:
            self.stopped = True
            self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        if self.hub.stopped:
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((method, path, self.headers.get("Authorization", "")))
        fault = self.hub.fault(method, path)
        if fault.status:
            self._send(fault.status, b"{}")
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|preupload|commit)/(.+))?", path):
            self._api(match[1], match[2] or "revision", match[3] or "main", body)
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(match[1], match[2], match[3], fault, method)
        else:
            self._error(404, "EntryNotFound")

    def _api(self, repository: str, what: str, reference: str, body: bytes) -> None:
        files = self._files(repository, reference)
        if files is None:
            return
        if what == "preupload":
            asked = json.loads(body)["files"]
            self._json(
                {"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in asked]}
            )
        elif what == "commit":
            commit = self.hub.commit(repository, _changed(files, body), reference)
            url = f"{self.hub.endpoint}/{repository}/commit/{commit}"
            self._json({"success": True, "commitOid": commit, "commitUrl": url})
        elif what == "tree":
            self._json([_entry(path, content) for path, content in sorted(files.items())])
        else:
            commit = self.hub.branches[repository].get(reference, reference)
            self._json({"id": repository, "sha": commit, "siblings": [{"rfilename": path} for path in sorted(files)]})

    def _files(self, repository: str, reference: str) -> Files | None:
        token = self.hub.private.get(repository)
        given = self.headers.get("Authorization", "")
        if token and given != f"Bearer {token}":
            self._error(403 if given else 401, "RepoNotFound" if not given else "GatedRepo")
        elif repository not in self.hub.commits:
            self._error(404, "RepoNotFound")
        else:
            commit = self.hub.branches[repository].get(reference, reference)
            files = self.hub.commits[repository].get(commit)
            if files is not None:
                return files
            self._error(404, "RevisionNotFound")
        return None

    def _file(self, repository: str, reference: str, path: str, fault: Fault, method: str) -> None:
        files = self._files(repository, reference)
        if files is None:
            return
        if path not in files:
            self._error(404, "EntryNotFound")
            return
        content, start = files[path], 0
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(match[1])
        headers = {
            "X-Repo-Commit": self.hub.branches[repository].get(reference, reference),
            "ETag": f'"{_etag(path, content)}"',
            "Accept-Ranges": "bytes",
        }
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if fault.flip:
            body = body[:-1] + bytes([body[-1] ^ 1])
        self._send(206 if start else 200, body, headers, cut=fault.cut, method=method)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int = -1, method: str = ""
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD" or method == "HEAD":
            return
        self.wfile.write(body if cut < 0 else body[:cut])
        if cut >= 0:
            self.wfile.flush()
            self.close_connection = True


def _entry(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": _git_hash(content)}
    if path.endswith(_LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


def _etag(path: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if path.endswith(_LARGE) else _git_hash(content)


def _git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _changed(files: Files, body: bytes) -> Files:
    changed = dict(files)
    for line in body.splitlines():
        operation = json.loads(line)
        value = operation["value"]
        if operation["key"] == "file":
            changed[value["path"]] = base64.b64decode(value["content"])
        elif operation["key"] == "deletedFile":
            del changed[value["path"]]
    return changed
