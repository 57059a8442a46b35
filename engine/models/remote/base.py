"""A remote voice as an acoustic model; how a protocol is spoken is left to its class."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from koebin.engine.audio.marks import Mark, Marks
from koebin.engine.audio.pitch import change_pitch
from koebin.engine.checked_names import known_style
from koebin.engine.content_id import canonical_json
from koebin.engine.errors import EngineNotReady, InvalidOption, UnknownStyle
from koebin.engine.limits import REMOTE_RECENT_BYTES
from koebin.engine.models.base import FloatArray, Rendering, Utterance
from koebin.engine.models.card import VoiceCard
from koebin.engine.models.remote.address import RemoteAddress
from koebin.engine.models.remote.audio import at_rate, sound_of
from koebin.engine.models.remote.client import Client
from koebin.engine.models.remote.recent_answers import Recent
from koebin.engine.observer import batched, stage
from koebin.engine.options import SynthesisOptions

_VERSION: Final = 1
"""Raise it whenever the same answers give other samples."""
_PROBE: Final = "はい。"
_DEFAULTS: Final = SynthesisOptions()
_FIXED: Final = ("noise_scale", "noise_scale_w", "sdp_ratio", "style_weight")
"""Options without a meaning for a remote voice: a value other than the default is refused, not ignored."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a server says it is.

    Attributes:
        facts: what the revision is made of besides the address's query; changes when the voice does.
        styles: names, the default first, and what the server calls them.
    """

    facts: Any
    styles: tuple[tuple[str, str], ...] = (("Neutral", ""),)
    card: VoiceCard = field(default_factory=VoiceCard)


@dataclass(frozen=True, slots=True)
class RemoteSpeech:
    """An utterance as the server spoke it.

    Attributes:
        moras: of the samples' time; () where the server tells none.
    """

    samples: FloatArray
    sample_rate_hz: int
    moras: tuple[Mark, ...] = ()


class RemoteVoice(ABC):
    """``AcousticModel`` over HTTP. The server is asked at once who it is, and to say a word.

    The noise is the server's: the same text may sound otherwise when it is spoken again. What is stored stays, and what
    was spoken lately is kept in memory: a chunk that is tried again makes none of it twice.

    Raises:
        SourceError, SourceUnavailable: the server cannot be used.
    """

    def __init__(self, address: RemoteAddress, keys: Mapping[str, str]) -> None:
        self._address = address
        self._client = Client(address, keys)
        self._recent = Recent(REMOTE_RECENT_BYTES)
        try:
            self._identity = self._ask()
            self._checked = time.monotonic()
            self._checking = threading.Lock()
            self._sample_rate_hz = self._say(_PROBE, SynthesisOptions()).sample_rate_hz
        except BaseException:
            self._client.close()
            raise
        self._closed = False

    @abstractmethod
    def _ask(self) -> Identity:
        """Who the server says it is."""

    @abstractmethod
    def _say(self, text: str, options: SynthesisOptions) -> RemoteSpeech:
        """Speak a text."""

    @property
    def card(self) -> VoiceCard:
        return self._identity.card

    @property
    def sample_rate_hz(self) -> int:
        return self._sample_rate_hz

    @property
    def styles(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._identity.styles)

    @property
    def speaker_count(self) -> int:
        return 1

    @property
    def revision(self) -> str:
        return self._revision(self._identity)

    @property
    def parallel(self) -> int:
        return self._address.concurrency if self._address.batch == 1 else 1

    @property
    def batch_size(self) -> int:
        return self._address.batch

    def synthesize(self, utterances: Sequence[Utterance]) -> list[Rendering]:
        if self._closed:
            raise EngineNotReady("the voice was closed", "", "Load it again")
        for utterance in utterances:
            self._check(utterance.options)
        self._require_unchanged()
        if len(utterances) == 1:
            made = [self._render(utterances[0])]
        else:
            with ThreadPoolExecutor(self._address.concurrency, "koebin-remote") as pool:
                made = list(pool.map(self._render, utterances))
            batched("utterances", len(utterances), self.batch_size)
        self._require_unchanged()
        return made

    def predict_pause(self, first: Utterance, second: Utterance) -> float | None:  # noqa: ARG002 - it cannot tell
        return None

    def close(self) -> None:
        self._closed = True
        self._recent.clear()
        self._client.close()

    def style_id(self, style: str) -> str:
        """What the server calls a style."""
        styles = dict(self._identity.styles)
        return styles[known_style(style, styles) if style else next(iter(styles))]

    def _render(self, utterance: Utterance) -> Rendering:
        options, text = utterance.options, utterance.analysis.text
        key = hashlib.sha256(canonical_json([text, options.content()])).hexdigest()
        made = self._recent.get(key)
        if made is None:
            made = self._made(text, options)
            self._recent.add(key, made)
        return made

    def _made(self, text: str, options: SynthesisOptions) -> Rendering:
        with stage("decoder"):
            spoken = self._say(text, options)
        samples = at_rate(spoken.samples, spoken.sample_rate_hz, self.sample_rate_hz)
        samples = change_pitch(samples, self.sample_rate_hz, options.pitch, options.intonation)
        words = () if spoken.moras else sound_of(samples, self.sample_rate_hz, text)
        return Rendering(samples, Marks(words=words, moras=spoken.moras))

    def _check(self, options: SynthesisOptions) -> None:
        if options.style and not known_style(options.style, self.styles):
            raise UnknownStyle("the remote voice has no such style", options.style, f"Use {', '.join(self.styles)}")
        if options.speaker_id:
            raise InvalidOption("a remote voice has a single speaker", str(options.speaker_id), "Use speaker_id 0")
        for name in _FIXED:
            if getattr(options, name) != getattr(_DEFAULTS, name):
                hint = f"Leave {name} at {getattr(_DEFAULTS, name)}"
                raise InvalidOption(f"a remote voice has no {name}", str(getattr(options, name)), hint)

    def _require_unchanged(self) -> None:
        """Ask now and then who the server is: another voice's audio must not be stored as this one's.

        Raises:
            EngineNotReady: it is another voice than when it was loaded.
        """
        with self._checking:
            if time.monotonic() - self._checked < self._address.check:
                return
            if self._revision(self._ask()) != self.revision:
                raise EngineNotReady(
                    "the remote voice has changed since it was loaded", self._address.uri, "Restart the worker"
                )
            self._checked = time.monotonic()

    def _revision(self, identity: Identity) -> str:
        said = json.dumps([identity.facts, identity.styles], ensure_ascii=False, sort_keys=True)
        query = json.dumps(dict(self._address.query), sort_keys=True)
        text = "\n".join([f"remote {_VERSION} {self._address.protocol}", query, said])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
