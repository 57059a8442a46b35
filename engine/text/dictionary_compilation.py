"""Turn a user dictionary into the binary form that MeCab loads."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from koebin.engine.errors import InvalidDictionary
from koebin.engine.text.dictionary import Dictionary, Entry
from koebin.engine.text.dictionary_priority import cost
from koebin.engine.text.katakana import split_morae
from koebin.engine.text.openjtalk import dictionary_folder

# Context id of 名詞,固有名詞,一般 (proper noun, general) in the wheel's left-id.def and right-id.def.
_PROPER_NOUN: Final = 1348
_FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {
    # What Open JTalk makes of these before MeCab sees them.
    ord('"'): "”",
    ord("'"): "’",
    ord("-"): "−",
    ord("\\"): "￥",
    ord("`"): "‘",
    ord("~"): "〜",
}

_compiling = threading.Lock()


@contextmanager
def compiled(dictionary: Dictionary) -> Iterator[Path]:
    """A compiled dictionary in a private folder that is gone afterwards: MeCab maps the file and keeps it mapped.

    Raises:
        InvalidDictionary: MeCab refuses it.
    """
    folder = Path(tempfile.mkdtemp(prefix="koebin-dictionary-"))
    try:
        source, target = folder / "words.csv", folder / "words.dic"
        source.write_text("".join(map(_row, dictionary.entries)), "utf-8", newline="\n")
        with _compiling, _quiet():
            failed = _compile(source, target)
        if failed or not target.exists():
            raise InvalidDictionary("Open JTalk cannot use the dictionary", dictionary.revision)
        yield target
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def full_width(surface: str) -> str:
    """A surface as MeCab sees it."""
    return surface.translate(_FULL_WIDTH)


def _row(entry: Entry) -> str:
    surface = full_width(entry.surface)
    part_of_speech = "名詞,固有名詞,一般,*,*,*"
    accent = f"{entry.accent}/{len(split_morae(entry.reading))}"
    return (
        f"{surface},{_PROPER_NOUN},{_PROPER_NOUN},{cost(entry)},{part_of_speech},{surface},"
        f"{entry.reading},{entry.reading},{accent},*\n"
    )


def _compile(source: Path, target: Path) -> int:
    from pyopenjtalk.openjtalk import mecab_dict_index

    status: int = mecab_dict_index(os.fsencode(dictionary_folder()), os.fsencode(source), os.fsencode(target))
    return status


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what C code prints nowhere: MeCab reports its progress on the process's own streams, and has no switch.

    Lasts about a millisecond; what other threads print in between is lost with it.
    """
    libc = ctypes.CDLL(None)
    libc.fflush(None)
    saved = {stream: os.dup(stream) for stream in (1, 2) if _is_open(stream)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in saved:
            os.dup2(nowhere, stream)
        yield
        libc.fflush(None)
    finally:
        for stream, descriptor in saved.items():
            os.dup2(descriptor, stream)
            os.close(descriptor)
        os.close(nowhere)


def _is_open(stream: int) -> bool:
    try:
        os.fstat(stream)
    except OSError:  # a daemon without streams
        return False
    return True
