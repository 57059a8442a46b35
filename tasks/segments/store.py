"""Segment storage: existence, writing and reading of a segment's audio and marks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from koebin.engine.audio.marks import LEVELS, Mark, Marks
from koebin.engine.bounded_json import loads
from koebin.engine.errors import InvalidInput, InvalidMessage
from koebin.engine.limits import SAMPLE_RATE_HZ, SEGMENT_SECONDS
from koebin.engine.observer import stage
from koebin.tasks import store_keys
from koebin.tasks.stores.base import Store

if TYPE_CHECKING:
    from koebin.engine.audio.audio import Audio

_PARALLEL_QUESTIONS: Final = 16


def stored(store: Store, segment_keys: Iterable[str]) -> set[str]:
    """Those of the segments that the store has."""
    wanted = list(dict.fromkeys(segment_keys))
    if store.uri.startswith("file:"):
        return {key for key in wanted if store.exists(store_keys.segment_audio(key))}
    with ThreadPoolExecutor(_PARALLEL_QUESTIONS) as pool:
        found = pool.map(lambda key: store.exists(store_keys.segment_audio(key)), wanted)
        return {key for key, there in zip(wanted, found, strict=True) if there}


def write(store: Store, key: str, audio: Audio) -> bool:
    """Write marks first, audio last: the audio is the commit. False if another worker's audio is there already."""
    from koebin.engine.audio.encoding import encode_segment

    with stage("encode"):
        data = encode_segment(audio)
    with stage("store"):
        store.put(store_keys.segment_marks(key), dump_marks(audio.marks, audio.sample_rate_hz, len(audio.samples)))
        return store.put(store_keys.segment_audio(key), data)


def read(store: Store, key: str) -> Audio:
    """Audio of a stored segment. Raises: StoreNotFound, InvalidMessage."""
    from koebin.engine.audio.encoding import decode_segment

    return decode_segment(store.get(store_keys.segment_audio(key)), read_marks(store, key))


def read_cut(store: Store, key: str, head: float, tail: float) -> Audio:
    """Audio of a stored segment without the given seconds at its beginning and end."""
    from koebin.engine.audio.silence import cut_silence

    return cut_silence(read(store, key), head, tail)


def read_timing(store: Store, key: str) -> tuple[Marks, float]:
    """Marks of a stored segment, and its length in seconds. Raises: StoreNotFound, InvalidMessage."""
    document = _document(store.get(store_keys.segment_marks(key)))
    return _marks(document), document["samples"] / document["sample_rate_hz"]


def read_marks(store: Store, key: str) -> Marks:
    """Marks of a stored segment. Raises: StoreNotFound, InvalidMessage."""
    return load_marks(store.get(store_keys.segment_marks(key)))


def dump_marks(marks: Marks, sample_rate_hz: int, samples: int) -> bytes:
    """The JSON of a segment's marks."""
    plain = {f"{name}s": [_plain(mark) for mark in level] for name, level in zip(LEVELS, marks.levels(), strict=True)}
    document = {"version": 1, "sample_rate_hz": sample_rate_hz, "samples": samples, **plain}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(mark: Mark) -> dict[str, Any]:
    return {"text": mark.text, "start": mark.start, "end": mark.end, "speaker": mark.speaker}


def load_marks(data: bytes) -> Marks:
    """Marks from JSON. Raises: InvalidMessage: not the JSON of marks."""
    return _marks(_document(data))


def _document(data: bytes) -> dict[str, Any]:
    try:
        document = loads(data)
        if not 0 < document["sample_rate_hz"] <= SAMPLE_RATE_HZ:
            raise ValueError("its rate is invalid")
        if not 0 <= document["samples"] <= SEGMENT_SECONDS * document["sample_rate_hz"]:
            raise ValueError("its length is invalid")
    except (ValueError, KeyError, TypeError, InvalidInput) as error:
        raise InvalidMessage("the stored marks of a segment cannot be read", str(error)) from error
    return dict(document)


def _marks(document: dict[str, Any]) -> Marks:
    try:
        return Marks(*(_level(document[f"{name}s"]) for name in LEVELS))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidMessage("the stored marks of a segment cannot be read", str(error)) from error


def _level(rows: list[dict[str, Any]]) -> tuple[Mark, ...]:
    return tuple(Mark(row["text"], float(row["start"]), float(row["end"]), row["speaker"]) for row in rows)
