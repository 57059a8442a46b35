"""The player page's structure; what it does is tested in a browser."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from koebin.engine.audio.marks import Mark, Marks
from koebin.tasks.assembly.programme.player import PlayerChapter, PlayerPage

HOSTILE = '</a><script>alert(1)</script> & "猫" %SCRIPT% %TITLE%'


def page(**changes: object) -> PlayerPage:
    settings: dict[str, object] = {
        "title": HOSTILE,
        "author": HOSTILE,
        "duration_seconds": 3_725.0,
        "tracks": [["book.wav", "book.opus", "book.mp3"]],
        "chapters": [PlayerChapter(HOSTILE, 0, 0.0, 62.0), PlayerChapter("二", 0, 62.0, 3_663.0)],
        "cover": "cover.png",
        "several_speakers": True,
    }
    made = PlayerPage(**{**settings, **changes})  # type: ignore[arg-type]
    made.add(Marks((Mark(HOSTILE, 0.0, 1.0, "mei"), Mark("続き。", 1.0, 2.0, "mei"))), 0, 1)
    made.add(Marks((Mark("答え。", 2.5, 3.0, "ken"),)), 0, 1)
    made.add(Marks((Mark("次。", 62.25, 63.0, "ken"),)), 1, 4)
    return made


class Outline(HTMLParser):
    """Tags that are open and closed in order, their attributes, and their texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, list[str]]] = []
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        texts: list[str] = []
        self.found.append((tag, dict(attrs), texts))
        if tag not in ("meta", "img", "input"):
            self.open.append((tag, texts))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1][1].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, "".join(texts)) for name, attributes, texts in self.found if name == tag]


def test_every_text_is_escaped_and_every_tag_closed() -> None:
    outline = Outline(page().render())
    assert len(outline.all("script")) == 2
    assert outline.all("title")[0][1] == HOSTILE
    assert outline.all("h1")[0][1] == HOSTILE
    sentences = [(attributes, text) for attributes, text in outline.all("a") if "data-start" in attributes]
    assert [text for _, text in sentences] == [HOSTILE, "続き。", "答え。", "次。"]
    assert [attributes["id"] for attributes, _ in sentences] == ["s0", "s1", "s2", "s3"]
    assert [attributes["data-chapter"] for attributes, _ in sentences] == ["0", "0", "0", "1"]
    assert sentences[3][0]["data-start"] == "62.250"


def test_only_its_own_script_and_style_may_run() -> None:
    text = page().render()
    policy = next(a["content"] for a, _ in Outline(text).all("meta") if a.get("http-equiv"))
    assert policy
    assert policy.startswith("default-src 'none'")
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert body
        digest = base64.b64encode(hashlib.sha256(body[1].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def test_needs_nothing_from_elsewhere() -> None:
    text = page().render()
    assert not re.search(r"https?:|url\(|@import|(src|href)=.//", text)
    outline = Outline(text)
    assert [attributes["src"] for attributes, _ in outline.all("img")] == ["cover.png"]
    tracks = json.loads(next(text for attributes, text in outline.all("script") if attributes.get("id") == "tracks"))
    assert [source["src"] for source in tracks[0]["sources"]] == ["book.mp3", "book.opus", "book.wav"]
    assert tracks[0]["sources"][1]["type"] == "audio/ogg"


def test_chapters_paragraphs_and_speakers() -> None:
    outline = Outline(page().render())
    buttons = [attributes for attributes, _ in outline.all("button") if "data-track" in attributes]
    assert [attributes["data-start"] for attributes in buttons] == ["0.000", "62.000"]
    assert "1:02" in page().render()
    assert "1時間2分5秒" in page().render()
    assert who(page()) == [("who c0", "mei"), ("who c1", "ken"), ("who c1", "ken")]
    assert who(page(several_speakers=False)) == []


def who(made: PlayerPage) -> list[tuple[str | None, str]]:
    spans = Outline(made.render()).all("span")
    return [(attributes["class"], text) for attributes, text in spans if "who" in (attributes.get("class") or "")]


def test_names_of_the_script_are_shown_and_the_narrator_has_none() -> None:
    made = PlayerPage("題", "", 1.0, [["a.mp3"]], [PlayerChapter("", 0, 0.0, 1.0)], several_speakers=True)
    for line, (name, speaker) in enumerate([("", "mei"), ("<駅員>", "ken"), ("", "mei"), ("ヒナ", "ken")]):
        made.add(Marks((Mark("一。", 0.0, 1.0, speaker),)), 0, line, name)
    assert who(made) == [("who c0", "<駅員>"), ("who c1", "ヒナ")]


def test_a_title_that_is_spoken_is_the_heading() -> None:
    chapters = [PlayerChapter("第一章", 0, 0.0, 2.0), PlayerChapter("第二章", 0, 2.0, 2.0)]
    made = PlayerPage("題", "", 4.0, [["a.mp3"]], chapters)
    for chapter, line, text in [(0, 1, "第一章"), (0, 2, "本文。"), (1, 3, "題を読まない。"), (1, 3, "続き。")]:
        made.add(Marks((Mark(text, 0.0, 1.0),)), chapter, line)
    article = made.render().split("<article")[1]
    assert re.sub(r"<a [^>]*>|</a>", "", article.split(">", 1)[1].split("</article>")[0]).split() == [
        "<h2>第一章</h2>",
        "<p>本文。</p>",
        "<h2>第二章</h2>",
        "<p>題を読まない。続き。</p>",
    ]


def test_a_single_untitled_chapter_is_not_listed() -> None:
    made = PlayerPage("題", "", 1.0, [["a.mp3"]], [PlayerChapter("", 0, 0.0, 1.0)])
    made.add(Marks((Mark("一。", 0.0, 1.0),)), 0, 1)
    text = made.render()
    assert "<nav" not in text
    assert "<h2>" not in text
    assert 'class="author"' not in text


def test_a_screen_reader_finds_its_way() -> None:
    outline = Outline(page().render())
    assert outline.all("html")[0][0]["lang"] == "ja"
    for tag in ("main", "nav", "article", "header", "audio"):
        assert len(outline.all(tag)) == 1
    assert outline.all("nav")[0][0]["aria-label"]
    assert outline.all("img")[0][0]["alt"]
    assert any(attributes.get("role") == "status" for attributes, _ in outline.all("p"))
    assert outline.all("a")[0] == ({"class": "skip", "href": "#text"}, "本文へ移動")
