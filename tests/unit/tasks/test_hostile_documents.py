"""Documents of a store that somebody else wrote: an error of ours, and bounded memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from koebin.engine.audio.encoding.flac_frames import Frames
from koebin.engine.audio.encoding.segments import decode_segment
from koebin.engine.errors import InvalidInput
from koebin.engine.text.dictionary import Dictionary
from koebin.tasks.assembly.programme.block_outline import Outline, load_section
from koebin.tasks.contracts import ChunkDocument, Manifest, parse_json
from koebin.tasks.segments.store import load_marks

DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_OBJECT = b'{"samples":' * 50_000 + b"1" + b"}" * 50_000
LONG = b"9" * 5_000
HOSTILE = (
    DEEP,
    DEEP_OBJECT,
    LONG,
    b'{"samples":' + LONG + b',"sample_rate_hz":48000}',
    b'{"samples":1,"sample_rate_hz":' + LONG + b"}",
    b'{"samples":1e999,"sample_rate_hz":48000,"sentences":[]}',
    b'{"samples":NaN,"sample_rate_hz":NaN}',
    b'{"samples":true,"frames":true,"heads":["",""],"extras":["",""]}\n',
    b'{"samples":' + b"9" * 900 + b',"frames":0,"heads":["",""],"extras":["",""]}\n',
    b"[" + b"9" * 900 + b",1,2,3]",
    b"[[],1e999,1,1e999]",
    b'{"a":"\\ud800"}',
    b"\xff\xfe",
    b"null",
    b"",
)
READERS: tuple[Callable[[bytes], object], ...] = (
    load_marks,
    Frames.load,
    load_section,
    Outline.load,
    lambda data: Outline.load(b"\n".join((data, data, data))),
    lambda data: list(Outline((), load_section(b"[[],0,0,0]"), data).marks()),
    lambda data: parse_json(Manifest, data),
    lambda data: parse_json(ChunkDocument, data),
    lambda data: Dictionary.from_json(data.decode(errors="replace")),
)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("data", HOSTILE, ids=[data[:12] for data in HOSTILE])
def test_a_hostile_document_is_refused_with_an_error_of_ours(reader: Callable[[bytes], object], data: bytes) -> None:
    tracemalloc.start()
    try:
        reader(data)
    except InvalidInput:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 << 20


def flac(samples: int, rate: int) -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, np.zeros(samples, np.float32), rate, format="FLAC", subtype="PCM_24")
    return sink.getvalue()


def announcing(data: bytes, samples: int) -> bytes:
    """The stream with another number of samples in its first block: RFC 9639, section 8.2."""
    at = 4 + 4 + 10
    field = int.from_bytes(data[at : at + 8], "big") >> 36 << 36 | samples
    return data[:at] + field.to_bytes(8, "big") + data[at + 8 :]


@pytest.mark.parametrize("samples", [1 << 35, 48_000 * 3601])
def test_a_segment_that_announces_too_much_is_refused_before_it_is_decoded(samples: int) -> None:
    data = announcing(flac(4800, 48_000), samples)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match="too long"):
            decode_segment(data)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert len(decode_segment(announcing(flac(4800, 48_000), 4800)).samples) == 4800


@pytest.mark.parametrize("scale", ["nan", "inf", "9" * 400, "two"])
def test_a_segment_with_a_strange_scale_is_refused(scale: str) -> None:
    sink = io.BytesIO()
    with soundfile.SoundFile(sink, "w", 48_000, 1, format="FLAC", subtype="PCM_24") as file:
        file.comment = f"koebin-scale={scale}"
        file.write(np.zeros(100, np.float32))
    with pytest.raises(InvalidInput, match="scale"):
        decode_segment(sink.getvalue())


def test_honest_marks_are_read() -> None:
    document = {"version": 1, "sample_rate_hz": 48_000, "samples": 0}
    levels = {name: [] for name in ("sentences", "phrases", "words", "moras", "phones")}
    assert load_marks(json.dumps({**document, **levels}).encode()).moras == ()
