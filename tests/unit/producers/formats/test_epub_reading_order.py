"""The pages of an EPUB that are read, and in which order."""

import pytest

from tests.unit.producers.formats.books import COVER_ITEM, NAV_ITEM, epub, package
from tests.unit.producers.formats.test_epub import DRAWING, SAID, load


def test_pages_outside_the_reading_order_and_the_contents_are_not_read(tmp_path):
    spine = '<itemref idref="nav"/><itemref idref="one" linear="no"/><itemref idref="two"/>'
    script = load(epub(tmp_path / "book.epub", {"OEBPS/package.opf": package(NAV_ITEM + COVER_ITEM, spine)}))
    assert [passage.text for passage in script.passages] == SAID[6:]


def test_a_drawing_in_the_reading_order_is_read_by_its_texts(tmp_path):
    drawn = (
        '<item id="d" href="d.svg" media-type="image/svg+xml"/><item id="e" href="e.svg" media-type="image/svg+xml"/>'
    )
    files = {
        "OEBPS/package.opf": package(drawn, '<itemref idref="d"/><itemref idref="e"/><itemref idref="two"/>'),
        "OEBPS/d.svg": DRAWING.format(
            "<g><text>雨が<tspan>降る</tspan>。</text><defs><text>x</text></defs><text>夜。</text></g>"
        ),
        "OEBPS/e.svg": DRAWING.format("<path d='M0'/>"),
    }
    script = load(epub(tmp_path / "book.epub", files))
    assert [passage.text for passage in script.passages] == ["雨が降る。", "夜。", *SAID[6:]]
    assert [left.reason for left in script.left_out] == ["a picture in the reading order has no text"]


@pytest.mark.parametrize("address", ["https://example.com/three.xhtml", "data:text/html;base64,PGI+"])
def test_pages_outside_of_the_book_are_told(address, tmp_path):
    item = f'<item id="far" href="{address}" media-type="application/xhtml+xml"/>'
    files = {"OEBPS/package.opf": package(item, '<itemref idref="far"/><itemref idref="two"/>')}
    script = load(epub(tmp_path / "book.epub", files))
    assert [passage.text for passage in script.passages] == SAID[6:]
    assert [(left.reason, left.text) for left in script.left_out] == [("a page lies outside of the book", address)]
