"""One over each bound of docs/limits.md: the error that the page names, and none at the bound where that is cheap."""

from __future__ import annotations

import io
import json
import math
import struct
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pytest
import soundfile
from PIL import Image
from pydantic import ValidationError

from koebin.engine import limits
from koebin.engine.audio.encoding.segments import decode_segment
from koebin.engine.errors import (
    InvalidCheckpoint,
    InvalidDictionary,
    InvalidInput,
    InvalidMessage,
    InvalidName,
    InvalidScript,
    InvalidText,
)
from koebin.engine.models.jp_extra.aivm import read_aivm
from koebin.engine.models.jp_extra.configuration import array_from, read_json
from koebin.engine.text.checks import MAX_CHARS, MAX_LINE_CHARS, check_text
from koebin.engine.text.dictionary import MAX_ENTRIES, MAX_READING, MAX_SURFACE, Dictionary, Entry
from koebin.producers.briefings import briefing_file
from koebin.producers.briefings.briefing_file import InvalidBriefing, load_briefing
from koebin.producers.briefings.sandbox.feed_parser import MAX_FIELD
from koebin.producers.commands.inputs import load_each
from koebin.producers.formats.archive import open_archive
from koebin.producers.formats.covers import cover_from
from koebin.producers.formats.dictionary import parse_dictionary
from koebin.producers.formats.file_kinds import Format
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.markdown import MAX_BRACKETS
from koebin.producers.formats.source import read_source, source_from
from koebin.producers.formats.speaker_names import Voice
from koebin.producers.formats.stylesheet import MAX_SHEET_CHARS, StyleSheet
from koebin.producers.formats.written_readings import parse_reading
from koebin.producers.http.openai import MOST_OF_A_BATCH, BatchRequest
from koebin.tasks.contracts import (
    MAX_CHUNK_CHARACTERS,
    MAX_CHUNK_SEGMENTS,
    MAX_TEXT_CHARACTERS,
    ChunkRequest,
    SynthesizeRequest,
    parse,
)
from koebin.tasks.script import Script
from koebin.tasks.stores.base import MAX_PART_BYTES, check_key
from koebin.worker.celery_ext.admission import Hold, Refuse, Run, judge
from koebin.worker.celery_ext.envelope import TOO_LONG, is_task_id, read
from tests.project.test_limits import ROOT, ROWS
from tests.unit.engine.models.jp_extra.test_aivm import hand_made
from tests.unit.producers.formats.pdfs import pdf
from tests.unit.tasks.test_hostile_documents import announcing, flac

NARRATOR: Final = Voice("mei")


def script(kind: Format, text: str | bytes) -> Script:
    return parse_script(source_from(text.encode() if isinstance(text, str) else text, kind, explicit=True), NARRATOR)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def judged(body: str = "[[],{},{}]", **headers: object) -> Any:
    whole = {"task": "koebin.synthesize", "id": "x", **headers}
    return judge(SimpleNamespace(content_type="application/json", headers=whole, body=body.encode()), time.time)


def refused(body: str = "[[],{},{}]", **headers: object) -> str:
    verdict = judged(body, **headers)
    assert isinstance(verdict, Refuse)
    assert isinstance(verdict.error, InvalidMessage)
    return str(verdict.error)


def fb2(inner: str, doctype: str = "") -> Script:
    return script("fb2", f"{doctype}<FictionBook><body><section>{inner}</section></body></FictionBook>")


def zipped(data: bytes, method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a", data)
    return out.getvalue()


def unpacked(data: bytes, method: int) -> int:
    with open_archive(zipped(data, method), "EPUB") as archive:
        return len(archive.read("a"))


def sparse(path: Path, start: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


def chunk(*segments: dict[str, Any]) -> ChunkRequest:
    return parse(
        ChunkRequest,
        {"job": "j", "chunk": 0, "speaker": "mei", "model_revision": "a" * 64, "engine_revision": "b" * 64}
        | {"store": "file:///s", "segments": list(segments)},
    )


def characters_of_a_text() -> None:
    with pytest.raises(InvalidText, match="more than 10000000"):
        check_text("あ" * (MAX_CHARS + 1))


def characters_of_a_line() -> None:
    check_text("あ" * MAX_LINE_CHARS)
    with pytest.raises(InvalidText, match=r"line 2.*more than 100000"):
        check_text("あ\n" + "あ" * (MAX_LINE_CHARS + 1))


def characters_of_a_single_text() -> None:
    request = {"speaker": "mei", "store": "file:///s"}
    parse(SynthesizeRequest, request | {"text": "あ" * MAX_TEXT_CHARACTERS})
    with pytest.raises(InvalidMessage, match="text"):
        parse(SynthesizeRequest, request | {"text": "あ" * (MAX_TEXT_CHARACTERS + 1)})


def a_dictionarys_word() -> None:
    Entry("漢" * MAX_SURFACE, "ア")
    with pytest.raises(InvalidDictionary, match="longer than 100"):
        Entry("漢" * (MAX_SURFACE + 1), "ア")


def its_reading() -> None:
    Entry("漢", "カ" * MAX_READING)
    with pytest.raises(InvalidDictionary, match="longer than 200"):
        Entry("漢", "カ" * (MAX_READING + 1))


def words_of_a_dictionary() -> None:
    with pytest.raises(InvalidDictionary, match="more than 100000"):
        Dictionary([Entry("漢", "ア")] * (MAX_ENTRIES + 1))


def fewest_unreadable() -> None:
    assert script("text", "あ。" + "\x01" * limits.UNREADABLE_FEWEST).left_out
    with pytest.raises(InvalidText):
        script("text", "あ。" + "\x01" * (limits.UNREADABLE_FEWEST + 1))


def share_of_unreadable() -> None:
    length = 1_000
    most = math.floor(length * limits.UNREADABLE_SHARE)
    assert script("text", "\x01" * most + "あ" * (length - most)).left_out
    with pytest.raises(InvalidText):
        script("text", "\x01" * (most + 1) + "あ" * (length - most - 1))


def a_reading_beside_a_word() -> None:
    assert parse_reading("あ" * limits.READING_CHARS)
    assert parse_reading("あ" * (limits.READING_CHARS + 1)) is None


def depth_of_json(folder: Path) -> None:
    over = nested(limits.JSON_DEPTH + 1)
    with pytest.raises(InvalidScript):
        script("json", over)
    assert "nested" in refused(over)
    (folder / "c.json").write_text(over)
    with pytest.raises(InvalidCheckpoint, match="nested"):
        read_json(folder / "c.json")
    (folder / "c.json").write_text(nested(limits.JSON_DEPTH))
    read_json(folder / "c.json")


def digits_of_json(folder: Path) -> None:
    (folder / "c.json").write_text("7" * limits.JSON_DIGITS)
    read_json(folder / "c.json")
    over = "7" * (limits.JSON_DIGITS + 1)
    (folder / "c.json").write_text(over)
    with pytest.raises(InvalidCheckpoint, match="digits"):
        read_json(folder / "c.json")
    assert "digits" in refused(f"[[{over}],{{}},{{}}]")
    with pytest.raises(InvalidScript):
        script("json", f"[{over}]")


def depth_of_xml() -> None:
    most = limits.XML_DEPTH - 3  # of which three stand around it
    fb2("<p>" + "<emphasis>" * (most - 1) + "あ" + "</emphasis>" * (most - 1) + "</p>")
    with pytest.raises(InvalidScript, match="nested too deeply"):
        fb2("<p>" + "<emphasis>" * most + "あ" + "</emphasis>" * most + "</p>")


def characters_of_entities() -> None:
    doctype = f'<!DOCTYPE x [<!ENTITY a "{"あ" * (limits.XML_ENTITY_CHARS // 100)}">]>'
    fb2("<p>" + "&a;" * 100 + "</p>", doctype)
    with pytest.raises(InvalidScript, match="come to too much"):
        fb2("<p>" + "&a;" * 101 + "</p>", doctype)


def characters_of_attributes() -> None:
    fb2(f'<p style="{"a" * limits.XML_ATTRIBUTE_CHARS}">あ</p>')
    with pytest.raises(InvalidScript, match="attributes are too long"):
        fb2(f'<p style="{"a" * (limits.XML_ATTRIBUTE_CHARS + 1)}">あ</p>')


def toml_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(InvalidScript):
        script("dialogue", f"+++\n{text}\n+++\nあ。")
    with pytest.raises(InvalidDictionary):
        parse_dictionary(text, ".toml")
    (folder / "b.toml").write_text(text)
    with pytest.raises(InvalidBriefing, match="not TOML"):
        load_briefing(folder / "b.toml")


def depth_of_toml(folder: Path) -> None:
    toml_is_refused(folder, f"a = {nested(limits.TOML_DEPTH + 1)}")


def names_of_a_key(folder: Path) -> None:
    toml_is_refused(folder, ".".join(["a"] * (limits.TOML_KEYS + 1)) + " = 1")


def bytes_of_a_book(folder: Path) -> None:
    with pytest.raises(InvalidScript, match="larger than 2 GB"):
        read_source(sparse(folder / "a.pdf", b"%PDF-1.5\n", limits.BOOK_BYTES + 1))


def files_of_a_folder(folder: Path) -> None:
    for number in range(limits.INPUT_FILES + 1):
        (folder / f"{number}.txt").touch()
    with pytest.raises(InvalidScript, match="more than 1000 files"):
        load_each([folder], NARRATOR, (), strict=False)


def bytes_of_an_unpacked_file() -> None:
    assert unpacked(bytes(limits.ARCHIVE_FILE_BYTES), zipfile.ZIP_STORED) == limits.ARCHIVE_FILE_BYTES
    with pytest.raises(InvalidScript, match="too large"):
        unpacked(bytes(limits.ARCHIVE_FILE_BYTES + 1), zipfile.ZIP_STORED)


def times_of_a_packed_file() -> None:
    assert unpacked(bytes(1 << 20), zipfile.ZIP_DEFLATED) == 1 << 20
    with pytest.raises(InvalidScript, match="too large"):
        unpacked(bytes((1 << 20) + 1), zipfile.ZIP_DEFLATED)


def open_brackets() -> None:
    script("markdown", "あ\n" + "[" * MAX_BRACKETS + "あ")
    with pytest.raises(InvalidScript, match=r"line 2.*more than 50 brackets"):
        script("markdown", "あ\n" + "[" * (MAX_BRACKETS + 1) + "あ")


def characters_of_a_style_sheet() -> None:
    for spaces, hides in ((MAX_SHEET_CHARS - 30, True), (MAX_SHEET_CHARS, False)):
        sheet = StyleSheet()
        sheet.add(" " * spaces + ".a{display:none}")
        assert sheet.hides("p", {"class": "a"}) is hides


def rows_of_a_table(patch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidScript, match="more than 200000"):
        script("json", "[" + '"あ",' * limits.TABLE_ROWS + '"あ"]')
    patch.setattr(limits, "TABLE_ROWS", 3)
    with pytest.raises(InvalidScript, match="more than 3 rows"):
        script("csv", "id,text\n" + "1,あ\n" * 4)


def characters_of_a_cell() -> None:
    lines = "あ" * 99 + "\n"
    script("csv", f'id,text\n1,"{lines * (limits.TABLE_CELL_CHARS // 100)}"\n')
    with pytest.raises(InvalidScript, match="a cell of more than 100000"):
        script("csv", f'id,text\n1,"{lines * (limits.TABLE_CELL_CHARS // 100)}あ"\n')


def pages_of_a_pdf(folder: Path, patch: pytest.MonkeyPatch) -> None:
    page = [(50.0, 500.0, 10.0, "雨が降る。")]
    data = pdf(folder / "a.pdf", [page, page]).read_bytes()
    script("pdf", data)
    patch.setattr(limits, "PDF_PAGES", 1)
    with pytest.raises(InvalidScript, match="more than 1 pages"):
        script("pdf", data)


def characters_of_a_pdfs_page(folder: Path, patch: pytest.MonkeyPatch) -> None:
    data = pdf(folder / "a.pdf", [[(50.0, 500.0, 10.0, "雨が降る。")]]).read_bytes()
    patch.setattr(limits, "PDF_PAGE_CHARS", 4)
    told = script("pdf", data)
    assert [passage.text for passage in told.passages] == ["雨が降る"]
    assert "more than 4 characters" in told.left_out[0].reason


def pixels_of_a_cover(patch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    Image.new("RGB", (3, 2)).save(out, "GIF")
    assert cover_from(out.getvalue())
    patch.setattr(limits, "PICTURE_PIXELS", 5)
    assert cover_from(out.getvalue()) is None


def bytes_of_a_message() -> None:
    message = {"headers": {"id": "x", "task": "t"}, "content-type": "application/json", "content-encoding": "utf-8"}
    message |= {"properties": {"delivery_tag": "t", "delivery_info": {}}}
    for size, kind in ((limits.MESSAGE_BYTES, "application/json"), (limits.MESSAGE_BYTES + 1, TOO_LONG)):
        raw = json.dumps(message | {"body": "a" * size}).encode()
        assert json.loads(read(raw, "speaker.mei", "tag"))["content-type"] == kind


def bytes_of_an_envelope() -> None:
    found = json.loads(read(b" " * (limits.ENVELOPE_BYTES + 1), "speaker.mei", "tag"))
    assert found["content-type"] == TOO_LONG


def characters_of_an_id() -> None:
    assert is_task_id("x" * limits.TASK_ID_CHARS)
    assert not is_task_id("x" * (limits.TASK_ID_CHARS + 1))


def characters_of_a_header() -> None:
    for length, kept in ((limits.HEADER_CHARS, True), (limits.HEADER_CHARS + 1, False)):
        verdict = judged(origin="x" * length)
        assert isinstance(verdict, Run)
        assert bool(verdict.headers["origin"]) is kept


def linked_tasks() -> None:
    signatures = ",".join(['{"task":"x"}'] * limits.CANVAS_SIGNATURES)
    assert isinstance(judged(f'[[],{{}},{{"callbacks":[{signatures}]}}]'), Run)
    assert "too many tasks" in refused(f'[[],{{}},{{"callbacks":[{signatures},{{"task":"x"}}]}}]')


def least_time_limit() -> None:
    verdict = judged(timelimit=[limits.TIME_LIMIT_FLOOR_SECONDS - 1, None])
    assert verdict.headers["timelimit"] == [limits.TIME_LIMIT_FLOOR_SECONDS, None]


def farthest_eta() -> None:
    farthest = datetime.now(UTC) + timedelta(seconds=limits.HOLD_SECONDS)
    assert isinstance(judged(eta=(farthest - timedelta(minutes=1)).isoformat()), Hold)
    assert "too far ahead" in refused(eta=(farthest + timedelta(minutes=1)).isoformat())


def segments_of_a_chunk() -> None:
    segment = {"key": "a" * 64, "text": "あ"}
    with pytest.raises(InvalidMessage, match="segments"):
        chunk(*[segment] * (MAX_CHUNK_SEGMENTS + 1))


def characters_of_a_chunk() -> None:
    assert MAX_CHUNK_CHARACTERS % 20_000 == 0
    segment = {"key": "a" * 64, "text": "あ" * 20_000}
    whole = MAX_CHUNK_CHARACTERS // 20_000
    with pytest.raises(InvalidMessage, match="hold more than 400000"):
        chunk(*[segment] * whole, segment | {"text": "あ"})


def bytes_of_a_part() -> None:
    check_key("a" * MAX_PART_BYTES)
    with pytest.raises(InvalidName, match="too long"):
        check_key("a" * (MAX_PART_BYTES + 1))


def seconds_of_a_segment() -> None:
    rate = 48_000
    with pytest.raises(InvalidInput, match="too long"):
        decode_segment(announcing(flac(480, rate), int(limits.SEGMENT_SECONDS * rate) + 1))


def rate_of_a_segment(patch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    soundfile.write(sink, np.zeros(100, np.float32), 48_000, format="FLAC", subtype="PCM_24")
    patch.setattr("koebin.engine.audio.encoding.segments.SAMPLE_RATE_HZ", 47_999)
    with pytest.raises(InvalidInput, match="at 48000 Hz"):
        decode_segment(sink.getvalue())


def bytes_of_a_configuration(folder: Path) -> None:
    (folder / "c.json").write_bytes(b"1" + b" " * limits.VOICE_CONFIG_BYTES)
    with pytest.raises(InvalidCheckpoint, match="more than 1048576 bytes"):
        read_json(folder / "c.json")


def bytes_of_style_vectors() -> None:
    with pytest.raises(InvalidCheckpoint, match="more than 16777216 bytes"):
        array_from(bytes(limits.STYLE_VECTORS_BYTES + 1), "x")


def bytes_of_a_voice_file(folder: Path) -> None:
    header = json.dumps({"__metadata__": {}}).encode()
    start = struct.pack("<Q", len(header)) + header
    with pytest.raises(InvalidCheckpoint, match="the file has more than 2147483648 bytes"):
        read_aivm(sparse(folder / "x.aivm", start, limits.VOICE_FILE_BYTES + 1))


def bytes_of_a_header(folder: Path) -> None:
    size = limits.AIVM_HEADER_BYTES + 1
    start = struct.pack("<Q", size) + b'{"__metadata__":{}}'
    with pytest.raises(InvalidCheckpoint, match=f"header has {size} bytes"):
        read_aivm(sparse(folder / "x.aivm", start, size + 8))


def bytes_of_a_manifest(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("koebin.engine.models.jp_extra.aivm.AIVM_MANIFEST_BYTES", 60)
    with pytest.raises(InvalidCheckpoint, match="aivm_manifest has more than 60"):
        read_aivm(hand_made(folder / "x.aivm"))


def manifest_is_refused(folder: Path, what: str, manifest: dict[str, Any]) -> None:
    with pytest.raises(InvalidCheckpoint, match=what):
        read_aivm(hand_made(folder / "x.aivm", manifest=manifest))


def characters_of_a_manifests_text(folder: Path) -> None:
    read_aivm(hand_made(folder / "x.aivm", manifest={"license": "a" * limits.AIVM_TEXT_CHARS}))
    manifest_is_refused(folder, "license is not a text of at most", {"license": "a" * (limits.AIVM_TEXT_CHARS + 1)})


def speakers_of_a_file(folder: Path) -> None:
    speaker = {"name": "x", "local_id": 0, "styles": []}
    manifest_is_refused(folder, "speakers are not", {"speakers": [speaker] * (limits.AIVM_SPEAKERS + 1)})


def styles_of_a_speaker(folder: Path) -> None:
    styles = [{"name": "x", "local_id": 0}] * (limits.AIVM_STYLES + 1)
    manifest_is_refused(folder, "styles are not", {"speakers": [{"name": "x", "local_id": 0, "styles": styles}]})


def bytes_of_a_briefing(folder: Path) -> None:
    (folder / "b.toml").write_bytes(b" " * (briefing_file.MAX_FILE_BYTES + 1))
    with pytest.raises(InvalidBriefing, match="larger than 1048576 bytes"):
        load_briefing(folder / "b.toml")


def characters_of_a_feeds_field() -> None:
    from koebin.producers.briefings.sandbox.feed_parser import parse_feed

    feed = f"<rss version='2.0'><channel><title>{'あ' * (MAX_FIELD + 1)}</title></channel></rss>"
    title = parse_feed(feed.encode(), content_type="", items=1)["title"]
    assert len(title) == MAX_FIELD
    assert title.endswith("…")


def texts_of_a_batch() -> None:
    BatchRequest.model_validate({"items": [{"input": "あ"}] * MOST_OF_A_BATCH})
    with pytest.raises(ValidationError, match="at most 32"):
        BatchRequest.model_validate({"items": [{"input": "あ"}] * (MOST_OF_A_BATCH + 1)})


CASES: Final[dict[str, Callable[..., None]]] = {
    "MAX_CHARS": characters_of_a_text,
    "MAX_LINE_CHARS": characters_of_a_line,
    "MAX_TEXT_CHARACTERS": characters_of_a_single_text,
    "MAX_SURFACE": a_dictionarys_word,
    "MAX_READING": its_reading,
    "MAX_ENTRIES": words_of_a_dictionary,
    "UNREADABLE_SHARE": share_of_unreadable,
    "UNREADABLE_FEWEST": fewest_unreadable,
    "READING_CHARS": a_reading_beside_a_word,
    "JSON_DEPTH": depth_of_json,
    "JSON_DIGITS": digits_of_json,
    "XML_DEPTH": depth_of_xml,
    "XML_ENTITY_CHARS": characters_of_entities,
    "XML_ATTRIBUTE_CHARS": characters_of_attributes,
    "TOML_DEPTH": depth_of_toml,
    "TOML_KEYS": names_of_a_key,
    "BOOK_BYTES": bytes_of_a_book,
    "INPUT_FILES": files_of_a_folder,
    "ARCHIVE_FILE_BYTES": bytes_of_an_unpacked_file,
    "ARCHIVE_RATIO": times_of_a_packed_file,
    "MAX_BRACKETS": open_brackets,
    "MAX_SHEET_CHARS": characters_of_a_style_sheet,
    "TABLE_ROWS": rows_of_a_table,
    "TABLE_CELL_CHARS": characters_of_a_cell,
    "PDF_PAGES": pages_of_a_pdf,
    "PDF_PAGE_CHARS": characters_of_a_pdfs_page,
    "PICTURE_PIXELS": pixels_of_a_cover,
    "MESSAGE_BYTES": bytes_of_a_message,
    "ENVELOPE_BYTES": bytes_of_an_envelope,
    "TASK_ID_CHARS": characters_of_an_id,
    "HEADER_CHARS": characters_of_a_header,
    "CANVAS_SIGNATURES": linked_tasks,
    "TIME_LIMIT_FLOOR_SECONDS": least_time_limit,
    "HOLD_SECONDS": farthest_eta,
    "MAX_CHUNK_SEGMENTS": segments_of_a_chunk,
    "MAX_CHUNK_CHARACTERS": characters_of_a_chunk,
    "MAX_PART_BYTES": bytes_of_a_part,
    "SEGMENT_SECONDS": seconds_of_a_segment,
    "SAMPLE_RATE_HZ": rate_of_a_segment,
    "VOICE_CONFIG_BYTES": bytes_of_a_configuration,
    "STYLE_VECTORS_BYTES": bytes_of_style_vectors,
    "VOICE_FILE_BYTES": bytes_of_a_voice_file,
    "AIVM_HEADER_BYTES": bytes_of_a_header,
    "AIVM_MANIFEST_BYTES": bytes_of_a_manifest,
    "AIVM_TEXT_CHARS": characters_of_a_manifests_text,
    "AIVM_SPEAKERS": speakers_of_a_file,
    "AIVM_STYLES": styles_of_a_speaker,
    "MAX_FILE_BYTES": bytes_of_a_briefing,
    "MAX_FIELD": characters_of_a_feeds_field,
    "MOST_OF_A_BATCH": texts_of_a_batch,
}
ELSEWHERE: Final = {
    "MAX_SEGMENT_CHARACTERS": "tests/unit/tasks/jobs/test_planning.py: MAX_SEGMENT_CHARACTERS",
    "TEXT_SECONDS": "tests/integration/worker/test_hostile_messages.py: a_text_of_many_hours_of_pauses_is_refused",
    "INPUT_BYTES": "tests/unit/producers/formats/test_source.py: larger than 64 MB",
    "ARCHIVE_FILES": "tests/unit/producers/formats/test_epub.py: ARCHIVE_FILES",
    "ARCHIVE_TOTAL_BYTES": "tests/unit/producers/formats/test_epub.py: ARCHIVE_TOTAL_BYTES",
    "MAX_HIDING_RULES": "tests/unit/producers/formats/test_stylesheet.py: MAX_HIDING_RULES",
    "MAX_KEY_BYTES": "tests/unit/tasks/stores/test_local.py: MAX_KEY_BYTES",
    "STORE_OBJECT_BYTES": "tests/unit/tasks/stores/test_local_hostile.py: STORE_OBJECT_BYTES",
    "VOICE_FILE_SECONDS": "tests/unit/engine/sources/test_web.py: VOICE_FILE_SECONDS",
    "REMOTE_ANSWER_BYTES": "tests/unit/engine/models/remote/test_remote.py: more than 67108864 bytes",
    "REMOTE_AUDIO_SECONDS": "tests/unit/engine/models/remote/test_remote.py: REMOTE_AUDIO_SECONDS",
    "REMOTE_RECENT_BYTES": "tests/unit/engine/models/remote/test_remote.py: memory_of_what_was_made_is_bounded",
    "MAX_REDIRECTS": "tests/unit/producers/briefings/sources/test_fetch.py: a_circle_is_not",
    "MAX_ATTEMPTS": "tests/integration/tasks/jobs/test_webhooks.py: MAX_ATTEMPTS",
}
"""Bounds that the test of their module crosses: the file, and what to look for in it."""
UNTESTED: Final = {
    "REMOTE_JSON_BYTES": "read by the same lines as REMOTE_ANSWER_BYTES",
    "MEMORY_BYTES": "a limit of the kernel's",
    "JSON_BYTES": "a key's own bound of uploads is crossed instead, by the same lines",
}


def test_every_bound_of_the_page_is_crossed() -> None:
    assert sorted([*CASES, *ELSEWHERE, *UNTESTED]) == sorted(row[0] for row in ROWS)
    for place in ELSEWHERE.values():
        file, _, mark = place.partition(": ")
        assert mark in (ROOT / file).read_text(encoding="utf-8"), place


@pytest.mark.parametrize("name", CASES)
def test_one_over_a_bound(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = CASES[name]
    given = {"folder": tmp_path, "patch": monkeypatch}
    run(**{key: given[key] for key in run.__annotations__ if key in given})
