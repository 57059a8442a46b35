"""High and low from full-context labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_MISSING: Final = -50
_PHONE: Final = re.compile(r"-(.*?)\+")
_A1: Final = re.compile(r"/A:(-?\d+)\+")
_A2: Final = re.compile(r"\+(\d+)\+")
_A3: Final = re.compile(r"\+(\d+)/")
_F1: Final = re.compile(r"/F:(\d+)_")

_MORAIC: Final = frozenset("aeiouAEIOUN") | {"cl"}
_ENDS: Final = frozenset(("sil", "pau"))


@dataclass(frozen=True, slots=True)
class _Label:
    """Phone; in its accent phrase: morae from the accent (A1), from the left (A2), from the right (A3), in all (F1)."""

    phone: str
    a1: int
    a2: int
    a3: int
    f1: int

    @classmethod
    def parse(cls, label: str) -> _Label:
        phone = _PHONE.search(label)
        return cls(phone.group(1) if phone else "", *(_number(field, label) for field in (_A1, _A2, _A3, _F1)))


def _number(field: re.Pattern[str], label: str) -> int:
    match = field.search(label)
    return int(match.group(1)) if match else _MISSING


def phone_tones(labels: Sequence[str]) -> list[tuple[str, int]]:
    """Phones without pauses, each with 0 (low) or 1 (high).

    Within an accent phrase the pitch rises after its first mora (unless the accent is there) and falls after the accent
    (Open JTalk's A and F fields). Devoiced vowels come back in lower case, ``cl`` as ``q``.
    """
    return [tone for phrase in _phrases([_Label.parse(label) for label in labels]) for tone in _level(phrase)]


def _phrases(labels: Sequence[_Label]) -> Iterator[list[tuple[str, int]]]:
    """Per accent phrase: phones with the pitch relative to its beginning."""
    phrase: list[tuple[str, int]] = []
    tone = 0
    for index, label in enumerate(labels):
        if label.phone in _ENDS:
            yield phrase
            phrase, tone = [], 0
            continue
        if not phrase and label.a2 > 1 and label.a1 <= 0:
            tone = 1  # a sentence that was cut within a phrase, after its rise
        phrase += [(phone, tone) for phone in _plain(label.phone)]
        next_a2 = labels[index + 1].a2 if index + 1 < len(labels) else _MISSING
        if _ends_phrase(label, next_a2):
            yield phrase
            phrase, tone = [], 0
        elif label.a1 == 0 and next_a2 == label.a2 + 1 and label.a2 != label.f1:
            tone -= 1
        elif label.a2 == 1 and next_a2 == 2:
            tone += 1
    yield phrase


def _ends_phrase(label: _Label, next_a2: int) -> bool:
    return label.a3 == 1 and next_a2 == 1 and label.phone in _MORAIC


def accent_phrases(labels: Sequence[str]) -> list[list[list[bool]]]:
    """Per breath group (between pauses), per accent phrase, per mora: whether the pitch falls after it."""
    groups: list[list[list[bool]]] = []
    previous = _Label("sil", _MISSING, _MISSING, _MISSING, _MISSING)
    for label in map(_Label.parse, labels):
        if label.phone not in _ENDS:
            if previous.phone in _ENDS:
                groups.append([])
            if previous.phone in _ENDS or _ends_phrase(previous, label.a2):
                groups[-1].append([])
            if not groups[-1][-1] or previous.phone in _MORAIC:  # A2 does not count beyond 49
                groups[-1][-1].append(label.a1 == 0)
        previous = label
    return groups


def _plain(phone: str) -> tuple[str, ...]:
    if phone in ("kw", "gw"):
        return phone[0], "w"
    if phone == "cl":
        return ("q",)
    return (phone.lower() if phone in "AEIOU" else phone,)


def _level(phrase: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Lift a phrase that only falls, so that all tones are 0 or 1."""
    lift = 1 if min((tone for _, tone in phrase), default=0) < 0 else 0
    for phone, tone in phrase:
        yield phone, min(1, max(0, tone + lift))
