"""Names of voices at the HTTP door: ``NAME``, ``NAME:STYLE``, or what the operator maps to one, such as OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from koebin.engine.checked_names import check_speaker, nearest
from koebin.engine.errors import InvalidSettings, SpeakerNotServed, UnknownSpeaker, UnknownStyle
from koebin.producers.http.api_keys import Key
from koebin.tasks.broker.fleet import ServedSpeaker


class VoiceNames:
    """Names of voices.

    Args:
        further: ``NAME=SPEAKER:STYLE``, as ``KOEBIN_HTTP_VOICES``.

    Raises:
        InvalidSettings: an entry is not of this form.
    """

    def __init__(self, further: Sequence[str]) -> None:
        self._further = dict(map(_entry, further))

    def known_to(self, key: Key) -> dict[str, str]:
        """Further names that a key may use, with what each stands for."""
        return {name: voice for name, voice in self._further.items() if key.may_use(voice.partition(":")[0])}

    def find(self, voice: str, served: Mapping[str, ServedSpeaker], key: Key) -> tuple[ServedSpeaker, str]:
        """The speaker and the style that a name means; "" is the speaker's first style.

        Args:
            served: live speakers that the key may use, by name.

        Raises:
            UnknownSpeaker, UnknownStyle: none that this key may use has that name.
            SpeakerNotServed: no worker serves it now.
        """
        name, _, style = self._further.get(voice, voice).partition(":")
        if name not in served:
            raise _missing(name, served, key)
        if style and style not in served[name].styles:
            known = ", ".join(nearest(style, served[name].styles) or served[name].styles)
            raise UnknownStyle(f"{name} has no such style", style, f"Use {known}")
        return served[name], style


def _missing(name: str, served: Mapping[str, ServedSpeaker], key: Key) -> UnknownSpeaker | SpeakerNotServed:
    check_speaker(name)
    live = f"Live voices: {', '.join(served)}" if served else "No worker is ready"
    if not key.may_use(name):
        return UnknownSpeaker("no such voice", name, live)
    close = nearest(name, served)
    if close:
        return UnknownSpeaker("no live worker serves this voice", name, f"Did you mean {' or '.join(close)}?")
    return SpeakerNotServed(
        "no live worker serves this voice", name, f"{live}. Start one with: koebin worker --speakers {name}"
    )


def _entry(entry: str) -> tuple[str, str]:
    name, separator, voice = entry.partition("=")
    if not (name.strip() and separator and voice):
        raise InvalidSettings("KOEBIN_HTTP_VOICES: not a name and a voice", entry, "Write NAME=SPEAKER:STYLE")
    check_speaker(voice.partition(":")[0])
    return name.strip(), voice
