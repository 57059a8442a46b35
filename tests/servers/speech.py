"""A server of voices, OpenAI-shaped and VOICEVOX-shaped, that can be told to misbehave.

```python
with SpeechServer() as server:
    server.faults.append(Trouble("/audio/speech", status=429, headers={"Retry-After": "0"}))
    uri = f"openai+{server.url}/v1?model=m&voice=v"
```
"""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import numpy as np
import soundfile


@dataclass
class Trouble:
    """Something that goes wrong with requests whose path ends in ``where``.

    Attributes:
        where: end of the path.
        status: answer this instead; 0 answers as usual.
        headers: of that answer.
        cut: close the connection after so many bytes of the body; -1 sends all.
        chunked: without a length, so that only the encoding tells the end.
        slow: seconds before each byte of the body.
        body: this instead of the audio.
        times: how often; -1 always.
    """

    where: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1
    chunked: bool = False
    slow: float = 0.0
    body: bytes | None = None
    times: int = 1


class SpeechServer:
    """One voice of tones: the same text is always the same sound.

    Attributes:
        spoken: every text that audio was given for.
        requests: method, path, and the Authorization header.
        key: what the server asks for; "" for nothing.
        owner: part of what it says of its model: another one is another voice.
        container: of the audio, libsndfile's name and media type.
        morae_seconds: length of each mora that ``audio_query`` tells.
    """

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.requests: list[tuple[str, str, str]] = []
        self.faults: list[Trouble] = []
        self.key = ""
        self.owner = "somebody"
        self.container = ("WAV", "audio/wav")
        self.rate = 24_000
        self.morae_seconds = 0.1
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def trouble(self, path: str) -> Trouble | None:
        with self.lock:
            for fault in self.faults:
                if path.endswith(fault.where) and fault.times:
                    fault.times -= 1
                    return fault
        return None

    def tone(self, text: str, seconds: float) -> bytes:
        """Silence, a tone whose height is the text's, silence."""
        time_axis = np.arange(int(seconds * self.rate)) / self.rate
        sound = 0.4 * np.sin(2 * np.pi * (200 + sum(map(ord, text)) % 400) * time_axis)
        edge = np.zeros(self.rate // 10)
        stream = io.BytesIO()
        subtype = "PCM_16" if self.container[0] == "WAV" else None
        soundfile.write(
            stream, np.concatenate([edge, sound, edge]), self.rate, format=self.container[0], subtype=subtype
        )
        return stream.getvalue()


def _handler(server: SpeechServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

        def _answer(self, sent: bytes) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            authorization = self.headers.get("authorization", "")
            server.requests.append((self.command, self.path, authorization))
            trouble = server.trouble(parts.path)
            if server.key and authorization != f"Bearer {server.key}":
                self._send(401, b'{"error": "who are you?"}', "application/json", None)
            elif trouble and trouble.status:
                self._send(trouble.status, trouble.body or b"{}", "application/json", None, trouble.headers)
            else:
                status, body, kind = self._body(parts.path, query, json.loads(sent) if sent else {})
                if trouble and trouble.body is not None:
                    body = trouble.body
                self._send(status, body, kind, trouble)

        def _body(self, path: str, query: dict[str, str], sent: Any) -> tuple[int, bytes, str]:
            found: Any = None
            match path:
                case "/v1/models":
                    found = {"data": [{"id": "m", "owned_by": server.owner, "created": time.time()}]}
                case "/v1/audio/voices":
                    found = {"voices": ["v", "w"]}
                case "/v1/audio/speech":
                    return self._audio(sent["input"], 0.05 * len(sent["input"]) / sent.get("speed", 1.0))
                case "/version":
                    found = "0.1.0"
                case "/speakers":
                    styles = [
                        {"name": "ノーマル", "id": 7},
                        {"name": "喜び", "id": 8},
                        {"name": "歌", "id": 9, "type": "sing"},
                    ]
                    found = [
                        {"name": "別の人", "speaker_uuid": "u0", "styles": [{"name": "x", "id": 1}], "version": "1"},
                        {"name": "声の人", "speaker_uuid": "u1", "styles": styles, "version": server.owner},
                    ]
                case "/speaker_info":
                    found = {"policy": "利用規約\n自由に使えます。", "portrait": "x"}
                case "/audio_query":
                    morae = [
                        {"text": kana, "consonant_length": None, "vowel_length": server.morae_seconds}
                        for kana in query["text"]
                    ]
                    found = {"accent_phrases": [{"moras": morae, "accent": 1, "pause_mora": None}], "speedScale": 1.0}
                    found |= {"prePhonemeLength": 0.1, "postPhonemeLength": 0.1, "kana": query["text"]}
                case "/synthesis":
                    return self._audio(
                        f"{sent['kana']}/{query['speaker']}", 0.1 * len(sent["kana"]) / sent["speedScale"]
                    )
                case _:
                    return 404, b'{"detail": "Not Found"}', "application/json"
            return 200, json.dumps(found, ensure_ascii=False).encode(), "application/json"

        def _audio(self, text: str, seconds: float) -> tuple[int, bytes, str]:
            with server.lock:
                server.spoken.append(text)
            return 200, server.tone(text, seconds), server.container[1]

        def _send(
            self, status: int, body: bytes, kind: str, trouble: Trouble | None, more: dict[str, str] | None = None
        ) -> None:
            chunked = trouble is not None and trouble.chunked
            self.send_response(status)
            self.send_header("Content-Type", kind)
            for name, value in (more or {}).items():
                self.send_header(name, value)
            self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
            self.end_headers()
            cut = trouble.cut if trouble else -1
            sent = body if cut < 0 else body[:cut]
            try:
                if trouble and trouble.slow:
                    for byte in sent:
                        time.sleep(trouble.slow)
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                elif chunked:
                    self.wfile.write(
                        f"{len(sent):x}\r\n".encode() + sent + b"\r\n" + (b"" if cut >= 0 else b"0\r\n\r\n")
                    )
                else:
                    self.wfile.write(sent)
            except OSError:  # the client has gone
                self.close_connection = True
            if cut >= 0:
                self.close_connection = True

    return Handler
