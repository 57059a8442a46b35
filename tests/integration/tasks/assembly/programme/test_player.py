"""The player page in a real browser: mouse, keyboard, sound, accessibility, and no network."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from koebin.tasks.assembly.programme import Deliverables, render_programme
from tests.integration.tasks.assembly.programme.programme_browser import Page, chromium, find_chromium
from tests.integration.tasks.assembly.programme.programme_parts import SENTENCES, TITLES, in_blocks, parts
from tests.unit.engine.audio.encoding.test_encoding import png

PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="no Chromium is installed: the player page is checked for its structure only"
)

OPENED = count()
CURRENT = "(document.querySelector('article [aria-current]') || {}).id"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("player")
    for name, whole in (("whole", True), ("chapters", False)):
        (folder / name).mkdir()
        # Long pauses, so that a slow machine can look before the next sentence begins.
        wanted = Deliverables(
            formats=("opus", "wav"),
            whole=whole,
            per_chapter=not whole,
            player=True,
            title="羅生門 <script>document.title = 'run'</script>",
            author="芥川龍之介",
            cover=png(),
        )
        render_programme(in_blocks(parts()), wanted, folder / name)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM
    with chromium(PROGRAM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, folder: Path) -> Page:
    browser.events.clear()
    browser.open(f"{(folder / 'whole' / 'index.html').as_uri()}?{next(OPENED)}")
    browser.wait("audio.readyState >= 1")
    return browser


def starts(page: Page) -> list[float]:
    return [
        float(start) for start in page.eval("[...document.querySelectorAll('article a')].map(a => a.dataset.start)")
    ]


def test_a_click_on_a_sentence_plays_it_and_marks_it(page: Page) -> None:
    assert page.eval(CURRENT) is None
    page.click("#s2")
    page.wait(f"!audio.paused && {CURRENT} === 's2'")
    assert starts(page)[2] <= page.eval("audio.currentTime") < starts(page)[3]
    page.wait(f"{CURRENT} === 's3'")
    assert page.eval("audio.currentTime") >= starts(page)[3] - 0.02
    assert page.eval("document.querySelectorAll('article [aria-current]').length") == 1
    page.wait("audio.ended")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.eval("document.querySelector('#s0').focus()")
    page.press("ArrowDown")
    assert page.eval("document.activeElement.id") == "s1"
    page.press("Enter")
    page.wait(f"!audio.paused && {CURRENT} === 's1'")
    page.press(" ")
    page.wait("audio.paused")
    page.wait("document.querySelector('#toggle').textContent === '再生'")
    page.eval("audio.currentTime = 0")
    page.press("ArrowRight")
    page.wait("audio.currentTime > 1.5")
    page.press("ArrowLeft")
    page.wait("audio.currentTime === 0")
    page.press(" ")
    page.wait("!audio.paused")


def test_tab_reaches_every_control_and_one_sentence(page: Page) -> None:
    page.eval("document.activeElement.blur()")
    seen = []
    for _ in range(24):
        page.press("Tab")
        seen.append(page.eval("document.activeElement.id || document.activeElement.textContent"))
    assert {"audio", "previous", "toggle", "next", "rate", "follow"} <= set(seen)
    assert [name for name in seen if name in ("s0", "s1", "s2", "s3")][:1] == ["s0"]
    assert not {"s1", "s2", "s3"} & set(seen)


def reload(page: Page) -> None:
    page.eval("window.before = true")
    page.call("Page.reload")
    page.wait("!window.before && document.readyState === 'complete' && audio.readyState >= 1")


def test_it_goes_on_where_the_listener_stopped(page: Page) -> None:
    page.eval("audio.currentTime = 3.5; audio.playbackRate = 0.0625")  # it must not end before a busy machine stops it
    page.click("#toggle")
    page.wait("audio.currentTime > 3.55")
    page.click("#toggle")
    page.wait("document.querySelector('#toggle').textContent === '再生'")
    stopped = page.eval("audio.currentTime")
    reload(page)
    page.wait(f"Math.abs(audio.currentTime - {stopped}) < 0.1")
    assert page.eval("audio.paused")
    page.eval("audio.currentTime = audio.duration - 0.1")
    page.click("#toggle")
    page.wait("audio.ended")
    reload(page)
    assert page.eval("audio.currentTime") == 0, "what was heard to its end begins anew"


def test_buttons_step_and_change_the_speed(page: Page) -> None:
    page.click("#next")
    page.wait(f"{CURRENT} === 's0'")
    page.click("#next")
    page.wait(f"{CURRENT} === 's1'")
    page.click("#previous")
    page.wait(f"{CURRENT} === 's0'")
    page.eval("rate.value = '1.5'; rate.dispatchEvent(new Event('change'))")
    assert page.eval("audio.playbackRate") == 1.5


def test_chapters_are_listed_and_played(page: Page) -> None:
    assert page.eval("[...document.querySelectorAll('nav button span:first-child')].map(s => s.textContent)") == list(
        TITLES
    )
    page.click("nav li:nth-child(2) button")
    page.wait(f"!audio.paused && {CURRENT} === 's2'")
    assert page.eval("document.querySelector('nav [aria-current]').textContent").startswith(TITLES[1])
    assert page.eval("document.querySelector('[role=status]').textContent") == TITLES[1]


def test_text_is_text_and_nothing_comes_from_elsewhere(page: Page, folder: Path) -> None:
    assert page.eval("document.title") == "羅生門 <script>document.title = 'run'</script>"
    assert page.eval("[...document.querySelectorAll('article a')].map(a => a.textContent)") == [
        row[0] for row in SENTENCES
    ]
    page.click("#s0")
    page.wait("audio.currentTime > 0.1")
    requested = {
        event["params"]["request"]["url"].split("?")[0]
        for event in page.events
        if event.get("method") == "Network.requestWillBeSent"
    }
    assert {url for url in requested if not url.startswith("data:")} == {
        (folder / "whole" / name).as_uri() for name in ("index.html", "cover.png", "programme.opus")
    }
    wrong = [event for event in page.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert wrong == []


def test_its_policy_stops_scripts_that_are_not_its_own(page: Page) -> None:
    page.eval(
        "(() => { const s = document.createElement('script'); s.textContent = \"document.title = 'run'\";"
        " document.body.append(s); })()"
    )
    assert page.eval("document.title") != "run"


def test_a_screen_reader_is_told_what_is_what(page: Page) -> None:
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    found = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node}
    assert {
        ("navigation", "章"),
        ("article", "本文"),
        ("region", "再生"),
        ("image", "表紙"),
        ("heading", TITLES[1]),
    } <= found
    assert {("button", "再生"), ("button", "前の文"), ("combobox", "速さ"), ("link", "本文へ移動")} <= found
    assert {("link", row[0]) for row in SENTENCES} <= found


def test_chapter_files_are_played_one_after_another(browser: Page, folder: Path) -> None:
    browser.open(f"{(folder / 'chapters' / 'index.html').as_uri()}#s2")
    browser.wait(f"audio.readyState >= 1 && {CURRENT} === 's2'")
    assert browser.eval("audio.currentSrc").endswith("/programme-02.opus")
    browser.click("#s1")
    browser.wait(f"!audio.paused && {CURRENT} === 's1' && audio.currentSrc.endsWith('/programme-01.opus')")
    browser.wait(f"audio.currentSrc.endsWith('/programme-02.opus') && !audio.paused && {CURRENT} === 's2'")


def test_missing_audio_is_said(browser: Page, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes((folder / "whole" / "index.html").read_bytes())
    browser.open((tmp_path / "index.html").as_uri())
    browser.wait("error.textContent === '音声を読み込めません。'")
