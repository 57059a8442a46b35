"""TOML from strangers: keys of a bounded depth, which the standard library's reader does not bound."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from koebin.engine import limits
from koebin.engine.bounded_json import check_depth
from koebin.engine.errors import InvalidInput

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
        table = tomllib.loads(text)
        check_depth(table, limits.TOML_DEPTH)
    except (RecursionError, InvalidInput) as error:
        raise TooDeep("nested too deeply") from error
    return table


__all__ = ["TooDeep", "loads"]
