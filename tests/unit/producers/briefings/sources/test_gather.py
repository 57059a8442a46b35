"""Every kind of source, well and ill; whatever happens the briefing is spoken."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.briefing_file import Briefing
from koebin.producers.briefings.compose import Rendered, preview
from koebin.producers.briefings.sandbox.feed_parser import FeedRefused, parse_feed
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.documents import document_values
from koebin.producers.briefings.sources.file import read_below
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.process  # of every template and every feed

DUE = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)

RSS = """<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0"><channel><title>ニュース</title>
<item><title>一つ目の&lt;b&gt;話題&lt;/b&gt;</title><description>&lt;p&gt;詳しく&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;</description>
<pubDate>Sun, 22 Nov 2026 20:30:00 GMT</pubDate></item>
<item><title>二つ目［＃ここから太字］[pause 9s]{{{{ 7*7 }}}}</title></item>
<item><title>三つ目</title></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>
<entry><title type="html">&lt;i&gt;原子&lt;/i&gt;</title><updated>2026-11-22T21:00:00Z</updated></entry></feed>"""

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]><rss version="2.0"><channel><title>&lol3;</title>
<item><title>&lol3;</title></item></channel></rss>"""

EXTERNAL = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY file SYSTEM "file:///etc/passwd">]>
<rss version="2.0"><channel><item><title>&file;</title></item></channel></rss>"""


def source(kind: str, name: str = "news", **fields: object) -> str:
    patient = {"timeout": "60s"} | fields if kind != "clock" else fields  # the machine may be busy
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in patient.items()]
    return "\n".join([f"[sources.{name}]", f'kind = "{kind}"', 'fallback = "届いていません。"', *lines])


def only(rendered: Rendered) -> tuple[bool, str, str]:
    (report,) = rendered.sources
    return report.ok, report.origin, report.problem


CLOSED = Policy()


def say(briefing: Briefing, policy: Policy = CLOSED) -> Rendered:
    return preview(briefing, DUE, policy)


def test_the_clock_tells_the_due_time_in_the_time_zone(write) -> None:
    words = "{{ greeting }}、{{ era }}{{ date }}、{{ weekday }}、{{ holiday }}、{{ time }}、{{ month }}/{{ day }}"
    assert say(write(source("clock", say=words), "{{ news }}")).text == (
        "おはようございます、令和八年十一月二十三日、月曜日、勤労感謝の日、午前七時、11/23"
    )


def test_a_feed_is_read_without_tags_and_markup(write, web, open_policy) -> None:
    url = web.page("/rss", RSS.format(encoding="utf-8").encode())
    rendered = say(write(source("feed", url=url, items=2), "{{ news }}"), open_policy)
    assert rendered.text == "一つ目の話題。\n二つ目（＃ここから太字）（pause 9s）{{ 7*7 }}。"
    assert only(rendered) == (True, "fresh", "")


def test_every_field_of_a_feed(write, web, open_policy) -> None:
    url = web.page("/rss", RSS.format(encoding="utf-8").encode())
    words = "{{ title }}:{{ items[0].summary }}:{{ items[0].date }}{{ items[0].weekday }}{{ items[0].time }}"
    assert say(write(source("feed", url=url, say=words), "{{ news }}"), open_policy).text == (
        "ニュース:詳しく:十一月二十三日月曜日午前五時三十分"
    )


def test_an_item_that_nobody_can_read_is_left_out_and_reported(write, web, open_policy) -> None:
    items = "".join(f"<item><title>{title}</title></item>" for title in ("一つ目", "مرحبا", "三つ目"))
    url = web.page("/rss", f"<rss version='2.0'><channel>{items}</channel></rss>".encode())
    rendered = say(write(source("feed", url=url), "{{ news }}"), open_policy)
    assert rendered.text == "一つ目。\n三つ目。"
    assert only(rendered) == (True, "fresh", "1 items cannot be spoken and are left out")


@pytest.mark.parametrize("encoding", ["utf-8", "Shift_JIS", "EUC-JP", "ISO-2022-JP", "utf-16"])
def test_the_encodings_of_japanese_feeds(encoding: str) -> None:
    parsed = parse_feed(RSS.format(encoding=encoding).encode(encoding), "", 1)
    assert [item["title"] for item in parsed["items"]] == ["一つ目の話題"]


def test_atom() -> None:
    (item,) = parse_feed(ATOM.encode(), "application/atom+xml; charset=utf-8", 5)["items"]
    assert (item["title"], item["published"]) == ("原子", datetime(2026, 11, 22, 21, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (BOMB.encode(), "entities"),
        (BOMB.encode("utf-16"), "entities"),
        (EXTERNAL.encode(), "entities"),
        (BOMB.replace("<?xml", "<?xml ", 1).replace('"1.0"?', '"1.0" encoding="utf-7"?', 1).encode(), "encoding"),
        (b"<html><body>404</body></html>", "not an RSS or Atom feed"),
        (b"http://127.0.0.1:1/", "not an RSS or Atom feed"),
        (b"/etc/passwd", "not an RSS or Atom feed"),
        (b"", "not an RSS or Atom feed"),
        (b"\xff\xfe\xfd", "not valid"),
    ],
)
def test_feeds_that_try_something(body: bytes, problem: str) -> None:
    with pytest.raises(FeedRefused, match=problem):
        parse_feed(body, "application/xml", 5)


@pytest.mark.parametrize(
    ("body", "problem"),
    [(BOMB, "entities"), ("<rss version='2.0'><channel><title>x</title></channel></rss>", "the feed has no items")],
)
def test_a_refused_feed_is_reported_and_its_fallback_spoken(write, web, open_policy, body: str, problem: str) -> None:
    rendered = say(write(source("feed", url=web.page("/rss", body.encode())), "{{ news }}"), open_policy)
    assert rendered.text == "届いていません。"
    ok, origin, found = only(rendered)
    assert (ok, origin) == (False, "fallback")
    assert problem in found


def test_a_feed_that_drives_a_parser_mad_is_stopped(write, web, open_policy) -> None:
    url = web.page("/rss", b"<rss version='2.0'><channel><item><title>" + b"<a " * 300_000)
    rendered = say(write(source("feed", url=url, timeout="1s"), "{{ news }}"), open_policy)
    assert rendered.text


def test_json_over_http(write, web, open_policy) -> None:
    url = web.page("/weather", json.dumps({"sky": "晴れ", "high": 21, "hours": [1.5]}).encode())
    words = "{{ data.sky }}、{{ data.high }}度、{{ data.hours[0] }}"
    assert say(write(source("json", url=url, say=words), "{{ news }}"), open_policy).text == "晴れ、21度、1.5"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "not JSON"),
        (b"[NaN]", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"\xff", "not UTF-8"),
        (b" ", "the document is empty"),
    ],
)
def test_json_that_is_none(body: bytes, problem: str) -> None:
    with pytest.raises(SourceFailed, match=problem):
        document_values(body, "json")


def test_json_that_is_not_what_the_template_wants(write, web, open_policy) -> None:
    bodies = {"a": b'{"other": 1}', "b": b'{"sky": null}', "c": b'{"sky": ["x"]}'}
    sources = [
        source("json", name, url=web.page(f"/{name}", body), say="{{ data.sky }}") for name, body in bodies.items()
    ]
    rendered = say(write("\n".join(sources), "天気は{{ a }}{{ b }}{{ c }}"), open_policy)
    assert rendered.text == "天気は" + "届いていません。" * 3
    assert [report.problem for report in rendered.sources] == [
        "say: 'dict object' has no attribute 'sky'",
        "say: a NoneType cannot be spoken, only texts and numbers can",
        "say: a list cannot be spoken, only texts and numbers can",
    ]


def test_a_failing_source_leaves_the_others_alone(write, web, open_policy) -> None:
    sources = "\n".join(
        [
            source("feed", "good", url=web.page("/rss", RSS.format(encoding="utf-8").encode()), items=1),
            source("feed", "slow", url=web.slow("/slow", 3600), timeout="0.2s"),
            source("json", "broken", url=web.page("/500", b"", status=500), say="{{ data }}"),
        ]
    )
    template = "{{ good }}{% if not slow.ok %}遅い{% endif %}{{ slow }}{{ broken }}"
    rendered = say(write(sources, template), open_policy)
    assert rendered.text == "一つ目の話題。遅い届いていません。届いていません。"
    assert {report.name: report.problem for report in rendered.failures} == {
        "slow": "no complete response within 0.2 seconds",
        "broken": "the server answers 500",
    }


def test_files(write, tmp_path: Path) -> None:
    (tmp_path / "today.txt").write_text("一行目 [x]\n\n二行目\n", encoding="utf-8")
    assert say(write(source("file", path="today.txt"), "{{ news }}")).text == "一行目 （x）\n二行目"


def test_a_file_of_json(write, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"n": 3}')
    assert say(write(source("file", path="a.json", format="json", say="{{ data.n }}"), "{{ news }}")).text == "3"


def test_files_outside_of_the_allowed_folders(write, tmp_path: Path, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("secret")
    (tmp_path / "link.txt").symlink_to(outside)
    (tmp_path / "large.txt").write_text("あ" * 1000)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, problem in {
        str(outside): "outside the allowed folders",
        f"../{outside.parent.name}/secret.txt": "outside the allowed folders",
        "link.txt": "outside the allowed folders",
        "/etc/passwd": "outside the allowed folders",
        "large.txt": "more than the limit",
        "folder": "cannot be read",
        "pipe": "not a plain file",
        "absent.txt": "cannot be read",
        "null\u0000": "cannot be read",
    }.items():
        with pytest.raises(SourceFailed, match=problem):
            read_below(tmp_path / path, [tmp_path], 100)
    rendered = say(write(source("file", path="link.txt"), "{{ news }}"))
    assert rendered.text == "届いていません。"
    assert only(rendered) == (False, "fallback", "the file is outside the allowed folders")
    allowed = Policy(file_roots=(outside.parent,))
    assert say(write(source("file", path=str(outside)), "{{ news }}"), allowed).text == "secret"


def test_commands_are_off(write) -> None:
    rendered = say(write(source("command", argv=["echo", "hello"]), "{{ news }}"))
    assert only(rendered) == (False, "fallback", "command sources are disabled on this machine")


@pytest.mark.parametrize(
    ("argv", "text", "problem"),
    [
        (["echo", "$HOME; `id`"], "$HOME; `id`", ""),
        (["sh", "-c", "exit 3"], "届いていません。", "status 3"),
        (["sh", "-c", "yes | head -c 9999"], "届いていません。", "more than the limit"),
        (["no-such-program"], "届いていません。", "could not be started"),
        (["sh", "-c", "echo ${KOEBIN_TOKEN:-no token}"], "no token", ""),
    ],
)
def test_commands_that_are_allowed(write, monkeypatch, argv: list[str], text: str, problem: str) -> None:
    monkeypatch.setenv("KOEBIN_TOKEN", "secret")
    rendered = say(write(source("command", argv=argv, max_bytes=1000), "{{ news }}"), Policy(commands=True))
    assert rendered.text == text
    assert problem in only(rendered)[2]


def test_a_source_without_an_end_of_a_sentence_falls_back(write) -> None:
    command = source("command", argv=["sh", "-c", "yes あ | tr -d '\\n' | head -c 66000"], max_bytes=100_000)
    written = write(command, "{{ news }}")
    roomy = written.model_copy(update={"template": written.template.model_copy(update={"max_characters": 100_000})})
    rendered = say(roomy, Policy(commands=True))
    assert rendered.text == "届いていません。"
    assert "of which 20000 are taken" in only(rendered)[2]


def test_a_slow_command_is_ended_with_its_children(write, tmp_path: Path) -> None:
    seconds = f"3600.{os.getpid()}"
    script = f"sleep {seconds} & sleep {seconds}"
    briefing = write(source("command", argv=["sh", "-c", script], timeout="0.2s"), "{{ news }}")
    rendered = say(briefing, Policy(commands=True))
    assert "not done after 0.2 seconds" in only(rendered)[2]

    def is_left() -> bool:
        return any(seconds in (process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))

    wait_until(lambda: not is_left(), what="the command's child is left")


def test_the_cache_saves_requests_and_outlives_an_outage(write, web, open_policy, tmp_path: Path) -> None:
    policy = replace(open_policy, cache=tmp_path / "cache")
    url = web.page("/rss", RSS.format(encoding="utf-8").encode())
    fresh = source("feed", url=url, items=1, cache="1h")
    assert only(say(write(fresh, "{{ news }}"), policy)) == (True, "fresh", "")
    assert only(say(write(fresh, "{{ news }}"), policy)) == (True, "cache", "")
    assert len(web.requests) == 1

    stale = source("feed", url=url, items=2, stale="1h")
    say(write(stale, "{{ news }}"), policy)
    web.page("/rss", b"", status=500)
    rendered = say(write(stale, "{{ news }}"), policy)
    assert rendered.text.startswith("一つ目の話題。")
    assert only(rendered) == (True, "stale", "the server answers 500")
    assert [report.name for report in rendered.failures] == ["news"]


def test_a_damaged_cache_counts_as_none(write, web, open_policy, tmp_path: Path) -> None:
    policy = replace(open_policy, cache=tmp_path / "cache")
    briefing = write(source("json", url=web.page("/j", b'"a"'), say="{{ data }}", cache="1h"), "{{ news }}")
    say(briefing, policy)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"\x00")
    assert only(say(briefing, policy)) == (True, "fresh", "")
