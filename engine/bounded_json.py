"""JSON from outside, with bounds on its depth and its numbers, so that no reader of ours can be exhausted by it."""

from __future__ import annotations

import json
from typing import Any

from koebin.engine.errors import InvalidInput
from koebin.engine.limits import JSON_DEPTH, JSON_DIGITS


def loads(data: bytes | str, *, depth: int = JSON_DEPTH) -> Any:
    """The value of a JSON text.

    Args:
        depth: lists and objects inside of each other that are taken.

    Raises:
        InvalidInput: no JSON, nested deeper, or a whole number of more than ``JSON_DIGITS`` digits.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = json.loads(text, parse_int=_whole_number)
    except RecursionError:
        raise _too_deep(depth) from None
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}"[:200]) from None
    if text.count("[") + text.count("{") > depth:
        check_depth(value, depth)
    return value


def check_depth(value: object, depth: int = JSON_DEPTH) -> None:
    """Go through a decoded value without recursion.

    Raises:
        InvalidInput: lists and objects are nested deeper than ``depth``.
    """
    level = [value]
    for _ in range(depth):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, (list, tuple)):
                inner.extend(each)
        if not inner:
            return
        level = inner
    if any(isinstance(each, (dict, list, tuple)) for each in level):
        raise _too_deep(depth)


def _too_deep(depth: int) -> InvalidInput:
    return InvalidInput("JSON is nested too deeply", f"more than {depth} levels", "Send flat documents")


def _whole_number(digits: str) -> int:
    if len(digits) > JSON_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits, of which {JSON_DIGITS} are taken")
    return int(digits)
