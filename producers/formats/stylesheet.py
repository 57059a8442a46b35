"""Style sheets, as far as they hide elements: ``display: none`` and ``visibility: hidden`` by tag, class and id.

Source: CSS 2.2, https://www.w3.org/TR/CSS22/, for what wins: importance, specificity, order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_SHEET_CHARS: Final = 2_000_000
MAX_HIDING_RULES: Final = 5_000
_FEW: Final = 50
"""Selectors that share a name and are kept, so that an element is not compared with thousands."""

_NAME: Final = r"[A-Za-z_\u0080-\U0010ffff-][\w\u0080-\U0010ffff-]{0,200}"
_SIMPLE: Final = re.compile(rf"(?P<tag>\*|{_NAME})?(?P<rest>(?:[.#]{_NAME}){{0,10}})")
_PART: Final = re.compile(rf"([.#])({_NAME})")
_SHOWN: Final = re.compile(
    r"(?:^|;)\s*(?P<property>display|visibility)\s{0,20}:\s{0,20}(?P<value>[a-z-]{1,20})"
    r"\s{0,20}(?P<important>!\s{0,20}important)?\s{0,20}(?=;|$)",
    re.IGNORECASE,
)
_BRACE: Final = re.compile(r"[{}]")
_ON_SCREEN: Final = frozenset(("", "all", "screen", "only screen", "only all"))
_WHOLE: Final = frozenset(("html", "body", "*"))
"""Hidden until a script shows them."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one selector does to one property.

    Attributes:
        rank: the rule with the greatest one wins.
    """

    tag: str
    identity: str
    classes: frozenset[str]
    property: str
    hides: bool
    rank: tuple[bool, int, int, int, int]

    def matches(self, tag: str, identity: str, classes: frozenset[str]) -> bool:
        """Whether it is about such an element."""
        return (
            self.tag in ("", tag)
            and (not self.identity or self.identity == identity)
            and self.classes.issubset(classes)
        )


class StyleSheet:
    """Rules of all sheets of a page that hide or show elements, in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[tuple[str, str, frozenset[str], str], _Rule]] = {}
        self._count = 0

    def add(self, sheet: str, media: str = "") -> None:
        """Take the rules of a sheet; selectors that are more than tag, classes and id are left out."""
        if media.strip().lower() not in _ON_SCREEN:
            return
        for selectors, declarations in _blocks(sheet[:MAX_SHEET_CHARS]):
            found = list(_SHOWN.finditer(declarations))
            for selector in selectors.split(",") if found else ():
                self._add(selector.strip(), found)

    def hides(self, tag: str, attributes: Mapping[str, str]) -> bool:
        """Whether an element is not shown, by the sheets or by its own ``style``."""
        winners: dict[str, tuple[tuple[bool, int, int, int, int], bool]] = {}
        classes = frozenset(attributes.get("class", "").split())
        identity = attributes.get("id", "").strip()
        for key in (tag, f"#{identity}", *(f".{name}" for name in classes)) if self._rules else ():
            for rule in self._rules.get(key, {}).values():
                if rule.matches(tag, identity, classes):
                    winners[rule.property] = max(
                        winners.get(rule.property, (rule.rank, rule.hides)), (rule.rank, rule.hides)
                    )
        for order, own in enumerate(_SHOWN.finditer(attributes.get("style", ""))):
            name, hides, important = _declared(own)
            candidate = ((important, 1, 0, 0, order), hides)
            winners[name] = max(winners.get(name, candidate), candidate)
        return any(hides for _, hides in winners.values())

    def _add(self, selector: str, declarations: list[re.Match[str]]) -> None:
        match = _SIMPLE.fullmatch(selector)
        if not match or not selector or self._count + len(declarations) > MAX_HIDING_RULES:
            return
        tag, parts = (match["tag"] or "").lower(), _PART.findall(match["rest"])
        identities = [name for kind, name in parts if kind == "#"]
        classes = frozenset(name for kind, name in parts if kind == ".")
        if len(identities) > 1 or (tag in _WHOLE and not parts):
            return
        tag = "" if tag == "*" else tag
        identity = identities[0] if identities else ""
        key = f"#{identity}" if identity else f".{min(classes)}" if classes else tag
        weight = (len(identities), len(classes) * 2 + bool(tag))
        for declaration in declarations:
            name, hides, important = _declared(declaration)
            self._count += 1
            rule = _Rule(tag, identity, classes, name, hides, (important, 0, *weight, self._count))
            kept = self._rules.setdefault(key, {})
            same = (tag, identity, classes, name)
            if same in kept or len(kept) < _FEW:
                kept[same] = max(rule, kept.get(same, rule), key=lambda each: each.rank)


def is_hidden(tag: str, attributes: Mapping[str, str], styles: StyleSheet) -> bool:
    """Whether an element is not shown: ``hidden``, ``aria-hidden``, its own style, or the sheets say so."""
    spoken = attributes.get("aria-hidden", "").strip().lower() != "true"
    return "hidden" in attributes or not spoken or styles.hides(tag, attributes)


def _declared(match: re.Match[str]) -> tuple[str, bool, bool]:
    """Property, whether it hides, whether it is important."""
    return match["property"].lower(), match["value"].lower() in ("none", "hidden", "collapse"), bool(match["important"])


def _blocks(sheet: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations of every rule that counts on a screen."""
    sheet = _without_comments(sheet)
    position, silent = 0, 0
    opened: list[str] = []
    for brace in _BRACE.finditer(sheet):
        before = sheet[position : brace.start()]
        position = brace.end()
        if brace[0] == "{":
            prelude = before.rpartition(";")[2].strip()
            opened.append(prelude)
            silent += _is_silent(prelude)
        elif opened:
            prelude = opened.pop()
            silent -= _is_silent(prelude)
            if not silent and not prelude.startswith("@"):
                yield prelude, before


def _is_silent(prelude: str) -> bool:
    """Whether what stands in this block counts somewhere else, such as on paper."""
    if not prelude.startswith("@"):
        return False
    name, _, condition = prelude.partition(" ")
    return name.lower() != "@media" or condition.strip().lower() not in _ON_SCREEN


def _without_comments(sheet: str) -> str:
    parts, position = [], 0
    while (start := sheet.find("/*", position)) >= 0:
        parts.append(sheet[position:start])
        end = sheet.find("*/", start + 2)
        if end < 0:
            return "".join(parts)
        position = end + 2
    return "".join([*parts, sheet[position:]])
