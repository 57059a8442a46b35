"""TOML from strangers: keys of a bounded depth, which the standard library's reader does not bound."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from koebin.engine import limits

_PART: Final = r"""(?:[A-Za-z0-9_-]{1,200}|"[^"\n]{0,200}"|'[^'\n]{0,200}')[ \t]*"""
_LONG_KEY: Final = re.compile(
    rf"(?:^[ \t]*\[{{0,2}}|[{{,])[ \t]*{_PART}(?:\.[ \t]*{_PART}){{{limits.TOML_KEYS},}}", re.MULTILINE
)


class TooDeep(ValueError):
    """A key of more names than are taken, or tables inside of each other."""


def loads(text: str) -> dict[str, Any]:
    """The table.

    Raises:
        tomllib.TOMLDecodeError: not TOML.
        TooDeep: nested too deeply.
    """
    if _LONG_KEY.search(text):
        raise TooDeep(f"a key has more than {limits.TOML_KEYS} names")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TooDeep("nested too deeply") from error


__all__ = ["TooDeep", "loads"]
