"""Keys of everything that Koebin keeps in a store, and the check of job ids."""

from __future__ import annotations

import re
from typing import Final

from koebin.engine.errors import InvalidName

_JOB: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DOCUMENTS: Final = frozenset(("segments", "pieces", "dictionaries", "http"))
_HEX: Final = re.compile(r"[0-9a-f]{8,64}")


def check_job(job: str) -> str:
    """Return ``job`` if it is a valid job id: 1 to 100 of ``A-Z a-z 0-9 . _ -``, first a letter or a digit.

    Raises:
        InvalidName: anything else.
    """
    if not is_job(job):
        raise InvalidName(
            "not a valid job id", job, "Use 1 to 100 of A-Z a-z 0-9 . _ - and begin with a letter or a digit"
        )
    return job


def is_job(name: str) -> bool:
    """Whether this is a valid job id."""
    return _JOB.fullmatch(name) is not None


def segment_audio(key: str) -> str:
    """Key of a segment's samples, FLAC 24 bit: its existence is the commit."""
    return f"segments/{_hex(key)[:2]}/{key}.flac"


def segment_marks(key: str) -> str:
    """Key of a segment's marks, written before the audio."""
    return f"segments/{_hex(key)[:2]}/{key}.json"


def block_product(name: str) -> str:
    """Key of a block's intermediate product, ``<digest>.<kind>``: ``koebin.tasks.assembly.programme.block_cache``."""
    return f"pieces/{_hex(name.partition('.')[0])[:2]}/{name}"


def dictionary(revision: str) -> str:
    """Key of a dictionary as it was when a job was planned."""
    return f"dictionaries/{_hex(revision)}.json"


def manifest(job: str) -> str:
    """Key of a job's immutable manifest; written last, so that a job without one was never submitted."""
    return f"jobs/{check_job(job)}/manifest.json"


def chunk(job: str, number: int) -> str:
    """Key of a chunk's segments and their places in the programme."""
    return f"jobs/{check_job(job)}/chunks/{number:06d}.json"


def done(job: str, number: int) -> str:
    """Key of a chunk's done document, written before the ledger is updated, so that one listing rebuilds a lost
    ledger."""
    return f"{done_prefix(job)}{number:06d}.json"


def done_prefix(job: str) -> str:
    return f"jobs/{check_job(job)}/done/"


def result(job: str) -> str:
    """Key of a job's result: its existence ends the job."""
    return f"jobs/{check_job(job)}/result.json"


def output(job: str, name: str) -> str:
    """Key of a deliverable of a job."""
    if not name or name.startswith((".", "/")) or ".." in name or "\\" in name:
        raise InvalidName("not a valid name for an output file", name)
    return f"jobs/{check_job(job)}/out/{name}"


def user_words(owner: str) -> str:
    """Words that a key of the HTTP door has given readings for."""
    return f"http/{check_job(owner)}/words.json"


def is_document(key: str) -> bool:
    """Whether an object is Koebin's own, to be read by it alone: plans, segments, dictionaries; no deliverable."""
    first, _, rest = key.partition("/")
    if first == "jobs":
        return not rest.partition("/")[2].startswith("out/")
    return first in _DOCUMENTS


def _hex(value: str) -> str:
    if not _HEX.fullmatch(value):
        raise InvalidName("not a lower-case hexadecimal digest", value)
    return value
