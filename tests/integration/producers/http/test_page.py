"""The page in a real browser: by keyboard alone, narrow, in Japanese and English; a book dropped on it plays."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.producers.http.conftest import ALICE, House
from tests.integration.tasks.assembly.programme.programme_browser import Page, chromium, find_chromium
from tests.servers.door import Door

PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed: the page is not tried")
EPUB = Path(__file__).resolve().parents[4] / "examples" / "mori.epub"
FOCUS = "document.activeElement.id"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM
    with chromium(PROGRAM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def door(house: House) -> Iterator[Door]:
    """One that asks for no key."""
    with Door(house.broker, house.store) as running:
        yield running


@pytest.fixture
def page(browser: Page, door: Door) -> Page:
    browser.events.clear()
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.open(door.url)
    browser.wait("document.querySelectorAll('#voice option').length === 2")
    return browser


def type_text(page: Page, text: str) -> None:
    page.call("Input.insertText", text=text)


def tab_to(page: Page, wanted: str) -> None:
    for _ in range(40):
        if page.eval(FOCUS) == wanted:
            return
        page.press("Tab")
    raise AssertionError(f"the keyboard does not reach {wanted}")


def language(page: Page, wanted: str) -> None:
    if page.eval("document.documentElement.lang") != wanted:
        page.click("#language")
    page.wait(f"document.documentElement.lang === '{wanted}'")


def test_a_sentence_is_heard_by_keyboard_alone(page: Page) -> None:
    language(page, "ja")
    tab_to(page, "text")
    type_text(page, "鍵盤だけで話します。")
    tab_to(page, "listen")
    page.press("Enter")
    page.wait("document.getElementById('message').textContent === '話し終えました。'", 60)
    page.wait("document.getElementById('sound').duration > 0.5", 30)
    assert page.eval("document.getElementById('sound').hidden") is False
    assert page.eval(FOCUS) == "listen"


def test_a_job_is_made_and_cancelled_by_keyboard_alone(page: Page) -> None:
    language(page, "ja")
    tab_to(page, "text")
    type_text(page, "".join(f"これは{number}番目の、やめられる仕事の文です。" for number in range(300)))
    tab_to(page, "make")
    page.press("Enter")
    page.wait("!!document.querySelector('#jobs button')", 30)
    assert page.eval(FOCUS) == "make"
    for _ in range(10):
        page.press("Tab")
        if page.eval("document.activeElement.matches('#jobs button')"):
            break
    assert page.eval("document.activeElement.getAttribute('aria-label')").startswith("やめる: ")
    page.press("Enter")
    page.wait("!document.querySelector('#jobs button')", 60)
    assert page.eval("document.querySelector('#jobs li .state').textContent").startswith("中止")
    assert page.eval("document.activeElement.matches('#jobs li')"), "the keyboard has lost its place"


def test_it_speaks_two_languages(page: Page) -> None:
    for name, button in (("en", "Listen now"), ("ja", "すぐ聞く")):
        language(page, name)
        assert page.eval("document.getElementById('listen').textContent") == button
        left = page.eval("[...document.querySelectorAll('[data-t]')].filter(e => e.textContent === e.dataset.t).length")
        assert left == 0
    page.open(page.eval("location.href"))
    assert page.eval("document.documentElement.lang") == "ja"


def test_it_fits_a_narrow_screen(page: Page) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    for name in ("en", "ja"):
        language(page, name)
        assert page.eval("document.documentElement.scrollWidth") <= 360
        low = page.eval(
            "[...document.querySelectorAll('button, input, select')].filter(e => e.offsetParent)"
            ".filter(e => e.getBoundingClientRect().height < 44).map(e => e.id)"
        )
        assert low == []


def test_a_screen_reader_finds_names_and_news(page: Page) -> None:
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    unnamed = [
        node["role"]["value"]
        for node in tree
        if not node.get("ignored")
        and node.get("role", {}).get("value") in ("button", "textbox", "combobox", "spinbutton", "link")
        and not node.get("name", {}).get("value")
    ]
    assert unnamed == []
    assert page.eval("document.getElementById('message').getAttribute('aria-live')") == "polite"
    assert page.eval("[...document.querySelectorAll('h1, h2')].length") >= 3
    levels = page.eval("[...document.querySelectorAll('h1,h2,h3')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of more than 3 MB, as pictures make it."""
    path = shutil.copy(EPUB, tmp_path / "mori.epub")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("OEBPS/picture.png", random.Random(1).randbytes(3_200_000))
    return path


def test_a_book_that_is_dropped_becomes_a_file_that_plays(page: Page, book: Path) -> None:
    language(page, "en")
    data = {"items": [], "files": [str(book)], "dragOperationsMask": 1}
    x, y = page.eval(
        "(() => { const e = document.getElementById('drop'); e.scrollIntoView({block: 'center'});"
        " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)
    page.wait("document.getElementById('file-name').textContent === 'Chosen: mori.epub'")
    tab_to(page, "make")
    page.press("Enter")
    page.wait("document.getElementById('message').textContent === 'The job is accepted.'", 30)
    page.wait("!!document.querySelector('#jobs li audio')", 120)
    page.eval("(() => { const a = document.querySelector('#jobs li audio'); a.preload = 'metadata'; a.load(); })()")
    page.wait("document.querySelector('#jobs li audio').duration > 1", 30)
    seconds = page.eval("document.querySelector('#jobs li audio').duration")
    page.eval(f"document.querySelector('#jobs li audio').currentTime = {seconds / 2}")
    page.wait("!document.querySelector('#jobs li audio').seeking", 30)
    assert page.eval("document.querySelector('#jobs li a[download]').textContent").startswith("Download: ")


def test_a_key_opens_it(browser: Page, house: House) -> None:
    browser.open(house.door.url)
    browser.wait("!document.getElementById('entry').hidden")
    language(browser, "en")
    browser.wait(f"{FOCUS} === 'key'")
    type_text(browser, "kb-wrong")
    browser.press("Enter")
    browser.wait("document.getElementById('message').textContent === 'That key is not known.'")
    browser.eval("document.getElementById('key').value = ''")
    browser.eval("document.getElementById('key').focus()")
    type_text(browser, ALICE)
    browser.press("Enter")
    browser.wait("document.getElementById('entry').hidden")
    browser.wait("document.querySelectorAll('#voice option').length === 2")
    assert browser.eval("document.cookie") == ""


def test_it_asks_no_other_server(page: Page, door: Door) -> None:
    page.open(door.url)
    page.wait("document.querySelectorAll('#voice option').length === 2")
    asked = [
        event["params"]["request"]["url"] for event in page.events if event.get("method") == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith((door.url, "data:", "blob:", "about:")) for url in asked), asked
    logged = json.dumps([event for event in page.events if event.get("method") == "Log.entryAdded"])
    assert "Content Security Policy" not in logged
