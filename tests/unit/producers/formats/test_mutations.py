"""Mutated files of every format: a script, or an error of ours, in bounded time and memory."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from koebin.engine.errors import InvalidInput
from koebin.producers.formats.file_kinds import FORMATS, Format
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import source_from
from koebin.producers.formats.speaker_names import Voice
from tests.unit.producers.formats.mutations import mutants, seeds

FOR_EVER_SECONDS = 60
"""Of one small file; a reader that takes so long does not end."""
MEBIBYTES = 700
"""How much more memory a process may have taken, most of it the interpreter's own libraries."""


@contextmanager
def bounded() -> Iterator[None]:
    """An error instead of a hang."""

    def stop(*_: object) -> None:
        raise AssertionError(f"not read within {FOR_EVER_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(FOR_EVER_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(data: bytes, kind: Format) -> str:
    """What becomes of a file: ``read``, or the name of the error."""
    try:
        with bounded():
            parse_script(source_from(data, kind, explicit=True), Voice("mei"))
    except InvalidInput as error:
        return type(error).__name__
    return "read"


def check(kind: Format, folder: Path, count: int, seed: int) -> None:
    """Nothing but results and our own errors."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, data in enumerate(mutants(seeds(folder)[kind], count, seed)):
        try:
            outcome(data, kind)
        except BaseException as error:
            (folder / f"{number}.{kind}").write_bytes(data)
            raise AssertionError(f"{folder}/{number}.{kind} of seed {seed}: {error!r}") from error
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEBIBYTES << 10


@pytest.mark.parametrize("kind", FORMATS)
def test_a_few_of_each_format(kind: Format, tmp_path: Path) -> None:
    check(kind, tmp_path, 10, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_thousand_of_each_format(kind: Format, seed: int, tmp_path: Path) -> None:
    check(kind, tmp_path, 500, seed)
