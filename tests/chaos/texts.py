"""Texts of the jobs."""

from __future__ import annotations

from typing import Final

from koebin.tasks.script import Passage, Script

KINDS: Final = 4
VOICES: Final = ("mei", "ken", "small")
SENTENCES: Final = (
    "朝の市場には魚と野菜が並びます。",
    "雨の日は図書館で本を読みます。",
    "船はゆっくりと港を出ました。",
    "庭の木に小さな鳥が来ています。",
    "夜空に星が一つ光りました。",
)


def script(kind: int, sentences: int) -> Script:
    """One of ``KINDS``: a reader, two who talk in turn, a reader with long lines, one with a JP-Extra voice."""
    lines = [f"第{n}。{SENTENCES[n % len(SENTENCES)]}" for n in range(1, sentences // 2 + 1)]
    match kind % KINDS:
        case 0:
            return Script([Passage("".join(lines), "mei")])
        case 1:
            return Script([Passage(line, "mei" if n % 2 else "ken", line=n) for n, line in enumerate(lines, 1)])
        case 2:
            return Script([Passage("".join(lines[at : at + 5]), "ken", line=at) for at in range(0, len(lines), 5)])
        case _:
            return Script([Passage(line, "mei" if n % 4 == 0 else "small", line=n) for n, line in enumerate(lines, 1)])
