"""Synthesis requests for a speaker, and their division into sentences. Light: no Open JTalk."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from koebin.engine.checked_names import nearest
from koebin.engine.errors import InvalidOption
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.engine.text.dictionary import Dictionary
from koebin.engine.text.sentences import split_sentences


@dataclass(frozen=True, slots=True)
class Request:
    """One sentence with everything that decides its audio except the speaker.

    Attributes:
        text: spoken as one sentence, whatever it contains.
        options: synthesis options.
        readings: given readings of spans of ``text``.
        dictionary: the user's words; None for none.

    Raises:
        InvalidOption: something of another type.
    """

    text: str
    options: SynthesisOptions = SynthesisOptions()
    readings: tuple[Reading, ...] = ()
    dictionary: Dictionary | None = None

    def __post_init__(self) -> None:
        _check_type("options", self.options, SynthesisOptions)
        _check_type("dictionary", self.dictionary, Dictionary)
        for reading in self.readings:
            _check_type("a reading", reading, Reading)


def _check_type(name: str, value: object, wanted: type) -> None:
    if value is not None and not isinstance(value, wanted):
        raise InvalidOption(f"{name} of a wrong type", repr(value), f"Give a {wanted.__name__} of the engine's")


def split_request(request: Request) -> list[Request]:
    """One request per sentence, with readings counted from each sentence's own beginning.

    Raises:
        InvalidOption: a reading exceeds the text or crosses the end of a sentence.
    """
    requests = []
    left = list(request.readings)
    for sentence in split_sentences(request.text):
        inside = [reading for reading in left if sentence.start <= reading.start and reading.end <= sentence.end]
        left = [reading for reading in left if reading not in inside]
        moved = tuple(
            replace(reading, start=reading.start - sentence.start, end=reading.end - sentence.start)
            for reading in inside
        )
        requests.append(replace(request, text=sentence.text, readings=moved))
    if left:
        place = f"{left[0].start}:{left[0].end}"
        raise InvalidOption("a reading does not lie within one sentence", place, "Give spans in characters of the text")
    return requests


def merge_options(options: SynthesisOptions | None, changes: dict[str, Any]) -> SynthesisOptions:
    """Options with some of them replaced.

    Raises:
        InvalidOption: not a known option (names the nearest), or a value out of range.
    """
    _check_type("options", options, SynthesisOptions)
    known = [field.name for field in fields(SynthesisOptions)]
    for name in changes:
        if name not in known:
            close = nearest(name, known)
            raise InvalidOption(
                "not a known option", name, f"Did you mean {close[0]}?" if close else f"Use {', '.join(known)}"
            )
    return replace(options or SynthesisOptions(), **changes)
