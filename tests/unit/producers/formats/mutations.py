"""Files that are cut, spliced, flipped and stuffed, from good ones of every format."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from koebin.producers.formats.file_kinds import Format
from tests.unit.producers.formats.format_cases import CASES
from tests.unit.producers.formats.pdfs import pdf
from tests.unit.producers.formats.test_new_formats import BOOK, CORE, DOCUMENT, NOTES, PAGE, STYLES

T = TypeVar("T", str, bytes)

FOLDER = Path(__file__).parent / "cases"
SUFFIXES: Mapping[str, Format] = {".epub": "epub", ".srt": "srt", ".csv": "csv", ".md": "markdown", ".ssml": "ssml"}
PIECES = (
    *(
        piece.encode()
        for piece in ("［＃", "］", "《", "》", "｜", "※［＃「", "底本：", "\r", "\n\n", "あ" * 300, "\u3099", "𠮷")
    ),
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x1b$B",
        b"<",
        b">",
        b"</",
        b"&#x110000;",
        b"&amp;",
        b"<!--",
        b"<![CDATA[",
    ),
    *(
        b"<ruby><rt>",
        b"{\\",
        b'"',
        b"\\u0000",
        b"[[[[",
        b"{{",
        b"-->",
        b"00:00:01,000 --> ",
        b"+++\n",
        b"[pause:9",
        b"9" * 400,
    ),
    *(b"<p " + b"x" * 20_000 + b"='", b" style='" + b"display:none;" * 2_000 + b"'", b"<!DOCTYPE a [<!ENTITY b 'c'>]>"),
    *(b"%PDF-1.7", b"endobj\n", b"stream\n", b"PK\x05\x06", b"PK\x01\x02", b"trailer<</Root 1 0 R>>"),
)


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """Good files by their format."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(FOLDER.iterdir()):
        kind = SUFFIXES.get(path.suffix) or {"a": "aozora", "d": "dialogue", "j": "jsonl"}.get(path.name[0], "text")
        found.setdefault(kind, []).append(path.read_bytes())
    for case in CASES:
        if case.format and not case.refused:
            found.setdefault(case.format, []).append(case.input.encode())
    for kind in ("text", "aozora", "markdown", "jsonl", "csv", "tsv", "srt", "vtt"):
        found[kind].append(b"\n\n".join(found[kind]))
    found["html"].append(PAGE.encode())
    found["fb2"].append(BOOK.encode())
    found["docx"] = [
        zipped(
            {
                "word/document.xml": DOCUMENT,
                "word/styles.xml": STYLES,
                "word/footnotes.xml": NOTES,
                "docProps/core.xml": CORE,
            }
        )
    ]
    texts = [
        (40.0, 560.0, 8.0, "声便"),
        (60.0, 520.0, 16.0, "第1章　雨"),
        (50.0, 490.0, 10.0, "　雨が降る。"),
        (50.0, 501.0, 5.0, "あめ"),
    ]
    found["pdf"] = [
        pdf(folder / "h.pdf", [texts, texts], bookmarks=[("一", 0)]).read_bytes(),
        pdf(folder / "v.pdf", [texts], vertical=True).read_bytes(),
    ]
    return found


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """An archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def mutants(originals: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Mutated files; of archives three in four have a mutated file inside."""
    dice = random.Random(seed)
    for _ in range(count):
        data = dice.choice(originals)
        if data.startswith(b"PK") and dice.random() < 0.75:
            yield _inside(dice, data, originals)
        else:
            yield mutated(dice, data, originals)


def mutated(dice: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """One to three times: cut, spliced with another, bytes flipped, a part moved or repeated, a piece put in.

    Texts are mostly mutated by their characters, so that they reach the readers.
    """
    other = dice.choice(others)
    if dice.random() < 0.75:
        with suppress(UnicodeDecodeError):
            characters, more = data.decode(), other.decode()
            pieces = [piece.decode() for piece in PIECES if piece.isascii() or not piece.startswith(b"\xff")]
            for _ in range(dice.randrange(1, 4)):
                characters = _once(dice, characters, more, dice.choice(pieces), _another_character)
            return characters.encode(errors="surrogatepass")
    for _ in range(dice.randrange(1, 4)):
        data = _once(dice, data, other, dice.choice(PIECES), _flipped)
    return data


def _once(dice: random.Random, data: T, other: T, piece: T, changed: Callable[[random.Random, T, int], T]) -> T:
    first, last = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    kind = dice.random()
    if kind < 0.1:
        return data[:last]
    if kind < 0.25:
        return data[:first] + data[min(last, first + 40) :]
    if kind < 0.4:
        return data[:first] + other[dice.randrange(len(other) + 1) :]
    if kind < 0.6:
        for _ in range(dice.randrange(1, 8)):
            data = changed(dice, data, dice.randrange(len(data))) if data else data
        return data
    if kind < 0.75:
        return data[:last] + data[first : min(last, first + 2_000)] * dice.randrange(1, 20) + data[last:]
    return data[:first] + piece * dice.choice((1, 1, 1, 50)) + data[first:]


def _flipped(dice: random.Random, data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1 << dice.randrange(8),)) + data[place + 1 :]


def _another_character(dice: random.Random, data: str, place: int) -> str:
    character = chr(dice.choice((dice.randrange(0x80), dice.randrange(0x3000, 0x9FFF), dice.randrange(0x110000))))
    return data[:place] + character + data[place + 1 :]


def _inside(dice: random.Random, data: bytes, originals: list[bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    with zipfile.ZipFile(io.BytesIO(dice.choice(originals))) as archive:
        others = [archive.read(info) for info in archive.infolist() if not info.is_dir()]
    for name in dice.sample(sorted(files), min(len(files), dice.randrange(1, 3))):
        files[name] = mutated(dice, files[name], others)
    return zipped(files)
