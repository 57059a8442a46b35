"""Addresses of remote voices.

==============================================================  ============================================
``openai+http://host:8880/v1?model=kokoro&voice=jf_alpha``      an OpenAI-compatible server, ``/audio/speech``
``voicevox+http://host:10101?speaker=888753760``                VOICEVOX, AivisSpeech and their kind
==============================================================  ============================================

``+https`` is there for both. Options of both: ``concurrency`` (requests at once, 2), ``batch`` (sentences taken at
once, 1), ``timeout`` (seconds of one answer, 60), ``attempts`` (tries of a request, 4) and ``check`` (seconds after
which the server is asked again who it is, 30). Keys are set apart, in ``KOEBIN_VOICE_KEYS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from koebin.engine.checked_names import nearest
from koebin.engine.errors import SourceError

Protocol = Literal["openai", "voicevox"]

_SCHEME: Final = re.compile(r"(openai|voicevox)\+(https?)")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_SECRETS: Final = re.compile(r"key|token|secret|password|auth", re.IGNORECASE)
_OWN: Final[dict[Protocol, frozenset[str]]] = {
    "openai": frozenset({"model", "voice", "format", "instructions", "language"}),
    "voicevox": frozenset({"speaker", "style"}),
}
_NUMBERS: Final[dict[str, tuple[float, float, float]]] = {
    "concurrency": (2, 1, 64),
    "batch": (1, 1, 64),
    "timeout": (60, 0.1, 600),
    "attempts": (4, 1, 10),
    "check": (30, 0, 3600),
}
"""Value where nothing is said, lowest and highest."""
_FORMATS: Final = ("wav", "flac", "mp3", "opus")
_FORMS: Final = (
    "Use openai+http://host:port/v1?model=…&voice=… or voicevox+http://host:port?speaker=…, "
    "and KOEBIN_VOICE_KEYS=HOST=KEY for a key"
)


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """Where a remote voice is, and how it is asked.

    Attributes:
        base: ``http(s)://host[:port][/path]`` without a slash at its end.
        place: host, with the port if there is one.
        query: what decides the sound: model, voice, speaker and the like.
    """

    protocol: Protocol
    base: str
    place: str
    query: Mapping[str, str]
    concurrency: int
    batch: int
    timeout: float
    attempts: int
    check: float

    @property
    def uri(self) -> str:
        """The address, which holds no credentials."""
        query = f"?{urlencode(sorted(self.query.items()))}" if self.query else ""
        return f"{self.protocol}+{self.base}{query}"

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname or ""


def is_remote(source: str | None) -> bool:
    """Whether a source's address is that of a remote voice."""
    return source is not None and bool(_SCHEME.fullmatch(source.partition("://")[0]))


def parse_remote(uri: str) -> RemoteAddress:
    """The parts of an address.

    Raises:
        SourceError: it has another form, holds credentials, or an option that is none. No message holds a secret.
    """
    scheme, _, rest = uri.partition("://")
    known = _SCHEME.fullmatch(scheme)
    try:
        parts = urlsplit(f"//{rest}")
        place, port = parts.hostname, parts.port
    except ValueError:
        raise SourceError("not the address of a remote voice", "", _FORMS) from None
    if "@" in parts.netloc:
        raise SourceError("the address of a remote voice holds credentials", place or "", _FORMS)
    if not known or not place or parts.fragment or _UNPRINTABLE.search(uri):
        raise SourceError("not the address of a remote voice", place or "", _FORMS)
    protocol: Protocol = "openai" if known[1] == "openai" else "voicevox"
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    numbers = {name: _number(name, options.pop(name, None), place) for name in _NUMBERS}
    _check_options(protocol, options, place)
    host = f"[{place}]" if ":" in place else place
    netloc = f"{host}:{port}" if port else host
    return RemoteAddress(
        protocol,
        f"{known[2]}://{netloc}{parts.path.rstrip('/')}",
        netloc.lower(),
        options,
        concurrency=int(numbers["concurrency"]),
        batch=int(numbers["batch"]),
        timeout=numbers["timeout"],
        attempts=int(numbers["attempts"]),
        check=numbers["check"],
    )


def _check_options(protocol: Protocol, options: Mapping[str, str], place: str) -> None:
    own = _OWN[protocol]
    for name, value in options.items():
        if _SECRETS.search(name):
            raise SourceError(
                "a key does not belong in the address of a voice", place, "Set KOEBIN_VOICE_KEYS=HOST=KEY"
            )
        if name not in own:
            near = nearest(name, {*own, *_NUMBERS}) or sorted({*own, *_NUMBERS})
            raise SourceError("a remote voice has no such option", name[:40], f"Use {', '.join(near)}")
        if not value or len(value) > 500:
            raise SourceError(f"the option {name} of a remote voice cannot be used", value[:40])
    if protocol == "openai" and not options.get("model"):
        raise SourceError("the address names no model", place, "Add ?model=…&voice=…")
    if options.get("format", "wav") not in _FORMATS:
        raise SourceError("no such format of a remote voice", options["format"][:40], f"Use {', '.join(_FORMATS)}")


def _number(name: str, value: str | None, place: str) -> float:
    default, low, high = _NUMBERS[name]
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise SourceError(
            f"{name} of the remote voice at {place} is out of range", value[:40], f"Use {low:g} to {high:g}"
        )
    return number
