"""OpenAI-compatible servers: ``POST /audio/speech`` gives a file of audio, and nothing else.

Known to be of this shape: Kokoro-FastAPI, vLLM, Irodori-TTS-Server, and OpenAI's own.
"""

from __future__ import annotations

from typing import Any, Final

from koebin.engine.checked_names import nearest
from koebin.engine.errors import SourceNotFound
from koebin.engine.models.card import VoiceCard
from koebin.engine.models.remote.audio import decode
from koebin.engine.models.remote.base import Identity, RemoteSpeech, RemoteVoice
from koebin.engine.options import SynthesisOptions

_SPEECH: Final = "/audio/speech"
_VOLATILE: Final = frozenset({"created", "permission"})
"""Of a model's entry: the server's start, at some."""


class OpenAiVoice(RemoteVoice):
    """A model and a voice of an OpenAI-compatible server. Marks: the sentence, and where it sounds."""

    def _ask(self) -> Identity:
        query = self._address.query
        model = _entry(self._client.optional_json("/models"), query["model"])
        voices = _voices(self._client.optional_json("/audio/voices"))
        voice = query.get("voice", "")
        if voices and voice and "+" not in voice and voice not in voices:
            near = nearest(voice, voices) or voices[:10]
            raise SourceNotFound("the server has no such voice", voice, f"Use {', '.join(near)}")
        card = VoiceCard(name=voice or query["model"], architecture=query["model"])
        return Identity(model, card=card)

    def _say(self, text: str, options: SynthesisOptions) -> RemoteSpeech:
        query = self._address.query
        body: dict[str, Any] = {"model": query["model"], "input": text, "response_format": query.get("format", "wav")}
        body |= {name: query[name] for name in ("voice", "instructions", "language") if name in query}
        if options.speed != 1.0:
            body["speed"] = options.speed
        data, media_type = self._client.answer("POST", _SPEECH, body=body)
        return RemoteSpeech(*decode(data, media_type, self._address.uri))


def _entry(models: Any, name: str) -> dict[str, Any]:
    """What the server says of a model, but for what changes with its start."""
    listed = models.get("data") if isinstance(models, dict) else None
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("id") == name:
            return {key: value for key, value in entry.items() if key not in _VOLATILE}
    return {}


def _voices(answer: Any) -> list[str]:
    listed = answer.get("voices") if isinstance(answer, dict) else None
    names = (item.get("id") or item.get("name") if isinstance(item, dict) else item for item in listed or [])
    return [name for name in names if isinstance(name, str)] if isinstance(listed, list) else []
