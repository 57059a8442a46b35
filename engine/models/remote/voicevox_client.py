"""VOICEVOX-shaped servers, AivisSpeech among them: ``audio_query`` gives morae with their lengths, ``synthesis`` a WAV.

AivisSpeech's lengths are all 0: then there are no marks of morae.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from koebin.engine.audio.marks import Mark
from koebin.engine.checked_names import nearest
from koebin.engine.errors import InferenceFailed, InvalidOption, SourceError, SourceNotFound
from koebin.engine.models.card import CardSpeaker, VoiceCard
from koebin.engine.models.remote.audio import decode
from koebin.engine.models.remote.base import Identity, RemoteSpeech, RemoteVoice
from koebin.engine.options import SynthesisOptions

_SPEEDS: Final = (0.5, 2.0)
_MOST_MORAE: Final = 50_000
_MOST_OFF: Final = 0.25
"""Share by which the lengths that are told may differ from the audio before they are not believed."""


class VoicevoxVoice(RemoteVoice):
    """A speaker of the server with all their styles. Marks: the sentence, and morae where the server tells lengths."""

    def _ask(self) -> Identity:
        speakers = self._client.json("GET", "/speakers")
        version = self._client.optional_json("/version")
        found, default = _find(speakers, self._address.query.get("speaker", ""), self._address.query.get("style", ""))
        styles = sorted(_styles(found), key=lambda style: style[1] != default)
        uuid = str(found.get("speaker_uuid", ""))
        card = VoiceCard(
            name=str(found.get("name", ""))[:80],
            licence=self._licence(uuid),
            architecture="VOICEVOX API",
            uuid=uuid[:80],
            version=str(found.get("version", ""))[:80],
            speakers=(CardSpeaker(str(found.get("name", ""))[:80], 0, uuid[:80]),),
        )
        return Identity([version, uuid, found.get("version")], tuple(styles), card)

    def _licence(self, uuid: str) -> str:
        """The terms of use; asked for once, as they come with pictures."""
        if hasattr(self, "_identity"):
            return self._identity.card.licence
        info = self._client.optional_json("/speaker_info", {"speaker_uuid": uuid, "resource_format": "url"})
        policy = info.get("policy") if isinstance(info, dict) else ""
        return policy[:200_000] if isinstance(policy, str) else ""

    def _say(self, text: str, options: SynthesisOptions) -> RemoteSpeech:
        low, high = _SPEEDS
        if not low <= options.speed <= high:
            raise InvalidOption(
                "this remote voice cannot speak so fast or so slowly", str(options.speed), f"Use {low} to {high}"
            )
        speaker = {"speaker": self.style_id(options.style)}
        query = self._client.json("POST", "/audio_query", query={"text": text, **speaker})
        if not isinstance(query, dict):
            raise InferenceFailed("the server's audio query is not an object", text)
        query |= {"speedScale": options.speed, "outputStereo": False}
        data, media_type = self._client.answer("POST", "/synthesis", query=speaker, body=query)
        samples, rate = decode(data, media_type, self._address.uri)
        return RemoteSpeech(samples, rate, moras_of(query, len(samples) / rate))


def moras_of(query: dict[str, Any], seconds: float) -> tuple[Mark, ...]:
    """Marks of the morae, in katakana, fitted to the audio's length; () where the lengths are not told.

    Args:
        query: an audio query.
        seconds: of the audio.
    """
    timed = list(_timed(query))
    total = sum(length for _, length in timed)
    if not any(text and length for text, length in timed) or total <= 0:
        return ()
    speed = _length(query.get("speedScale")) or 1.0
    if abs(total / speed - seconds) > _MOST_OFF * seconds:
        return ()
    marks, at = [], 0.0
    for text, length in timed:
        if text:
            marks.append(Mark(text, at * seconds / total, min(seconds, (at + length) * seconds / total)))
        at += length
    return tuple(marks)


def _timed(query: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Morae and silences ("") in order, with their lengths in seconds."""
    yield "", _length(query.get("prePhonemeLength"))
    number = 0
    for phrase in _list(query.get("accent_phrases")):
        for mora in _list(phrase.get("moras")):
            number += 1
            if number > _MOST_MORAE:
                raise InferenceFailed(f"the server's audio query has more than {_MOST_MORAE} morae")
            text = mora.get("text")
            spoken = text[:10] if isinstance(text, str) else ""
            yield spoken, _length(mora.get("consonant_length")) + _length(mora.get("vowel_length"))
        pause = phrase.get("pause_mora")
        if isinstance(pause, dict):
            yield "", _length(pause.get("vowel_length"))
    yield "", _length(query.get("postPhonemeLength"))


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _length(value: Any) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 3600
    return float(value) if good else 0.0


def _styles(speaker: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and ids of the styles that speak; those that sing are left out."""
    talking = (style for style in _list(speaker.get("styles")) if style.get("type", "talk") == "talk")
    return [(str(style.get("name", ""))[:64], str(style.get("id", ""))) for style in talking]


def _find(speakers: Any, wanted: str, style: str) -> tuple[dict[str, Any], str]:
    """The speaker that an address asks for by name, UUID or the id of a style, and the id of the default style.

    Raises:
        SourceError: the server gives no speakers.
        SourceNotFound: none is called so; names the nearest.
    """
    listed = [speaker for speaker in _list(speakers) if _styles(speaker)]
    if not listed:
        raise SourceError("the server lists no speakers that could speak", "/speakers", "Check the address")
    if not wanted:
        if len(listed) > 1:
            names = ", ".join(str(speaker.get("name", "")) for speaker in listed[:10])
            raise SourceNotFound("the server has several speakers", "", f"Add ?speaker= with one of {names}")
        wanted = str(listed[0].get("name", ""))
    for speaker in listed:
        styles = _styles(speaker)
        if wanted in (speaker.get("name"), speaker.get("speaker_uuid")):
            chosen = [number for name, number in styles if style in ("", name)]
            if not chosen:
                names = ", ".join(name for name, _ in styles)
                raise SourceNotFound("the server's speaker has no such style", style, f"Use {names}")
            return speaker, chosen[0]
        if any(number == wanted for _, number in styles):
            return speaker, wanted
    known = [str(speaker.get("name", "")) for speaker in listed]
    near = nearest(wanted, known) or known[:10]
    raise SourceNotFound("the server has no such speaker", wanted, f"Use {', '.join(near)}, or the id of a style")
