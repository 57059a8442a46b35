"""PDFs made by hand: text at places, in a Japanese font that every reader knows by name."""

from __future__ import annotations

from pathlib import Path

Text = tuple[float, float, float, str]
"""x, y and size in points, and the text; vertical text runs down from there."""


def pdf(path: Path, pages: list[list[Text]], *, vertical: bool = False, bookmarks: list[tuple[str, int]] = ()) -> Path:  # type: ignore[assignment]
    """A document with a page for each list of texts; ``bookmarks`` are titles with the index of their page."""
    objects: list[bytes] = []

    def add(body: str | bytes) -> int:
        objects.append(body.encode() if isinstance(body, str) else body)
        return len(objects)

    catalog, tree = add(""), add("")
    fonts = {}
    for name, encoding in (("H", "UniJIS-UTF16-H"), ("V", "UniJIS-UTF16-V")):
        descriptor = add(
            "<</Type/FontDescriptor/FontName/HeiseiMin-W3/Flags 4/FontBBox[0 -120 1000 880]/ItalicAngle 0"
            "/Ascent 880/Descent -120/CapHeight 700/StemV 80>>"
        )
        cid = add(
            "<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/CIDSystemInfo<</Registry(Adobe)"
            f"/Ordering(Japan1)/Supplement 6>>/FontDescriptor {descriptor} 0 R/DW 1000/W[1 95 500]>>"
        )
        fonts[name] = add(
            f"<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/{encoding}/DescendantFonts[{cid} 0 R]>>"
        )
    kids = []
    for texts in pages:
        content = "".join(_shown(text, vertical) for text in texts)
        stream = add(f"<</Length {len(content)}>>stream\n{content}\nendstream")
        resources = f"<</Font<</H {fonts['H']} 0 R/V {fonts['V']} 0 R>>>>"
        kids.append(
            add(f"<</Type/Page/Parent {tree} 0 R/MediaBox[0 0 420 595]/Resources{resources}/Contents {stream} 0 R>>")
        )
    outline = ""
    if bookmarks:
        root = add("")
        first = len(objects) + 1
        for index, (title, page) in enumerate(bookmarks):
            number = first + index
            links = f"/Prev {number - 1} 0 R" if index else ""
            links += f"/Next {number + 1} 0 R" if index + 1 < len(bookmarks) else ""
            add(f"<</Title<{_hex(title)}>/Parent {root} 0 R/Dest[{kids[page]} 0 R/Fit]{links}>>")
        last = first + len(bookmarks) - 1
        objects[root - 1] = f"<</Type/Outlines/First {first} 0 R/Last {last} 0 R/Count {len(bookmarks)}>>".encode()
        outline = f"/Outlines {root} 0 R"
    objects[catalog - 1] = f"<</Type/Catalog/Pages {tree} 0 R{outline}>>".encode()
    objects[tree - 1] = f"<</Type/Pages/Kids[{' '.join(f'{kid} 0 R' for kid in kids)}]/Count {len(kids)}>>".encode()
    path.write_bytes(_file(objects, catalog))
    return path


def _shown(text: Text, vertical: bool) -> str:
    x, y, size, words = text
    font = "V" if vertical and size > 0 else "H"
    return f"BT /{font} {abs(size)} Tf {x} {y} Td <{_hex(words, mark=False)}> Tj ET\n"


def _hex(text: str, *, mark: bool = True) -> str:
    return ("FEFF" if mark else "") + text.encode("utf-16-be").hex().upper()


def _file(objects: list[bytes], catalog: int) -> bytes:
    out = bytearray(b"%PDF-1.5\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, catalog, start)
    return bytes(out)
