"""Templates: what they may say, and what they may not do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from koebin.engine.errors import InvalidBriefing
from koebin.producers.briefings import compose
from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.compose import Submission, job_id, preview, run
from koebin.producers.briefings.sandbox import calls as isolated
from koebin.producers.briefings.sandbox.renderer import RenderFailed, render

pytestmark = pytest.mark.process  # of every template

DUE = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)

REFUSED = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self._TemplateReference__context }}",
    "{{ '%s'.__class__ }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{{ namespace.__init__.__globals__ }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(90000) %}xx{% endfor %}",
    "{{ undefined_name }}",
    "{{ 1 / 0 }}",
    "{{ [1, 2] }}",
    "{{ none }}",
    "{{ true }}",
    "{{ 'unclosed }}",
    "{% if %}",
    "{{ 'x'.upper.__self__ }}",
    "{{ 9 | wordwrap }}",
    "{{ lipsum(9) }}",
    "{{ news.__class__ }}",
    "{{ news.format.__globals__ }}",
]

STOPPED = [
    "{{ 'a' * 10**10 }}",
    "{{ 'a' | center(10**10) }}",
    "{{ ('%' ~ 10**9 ~ 'd') % 1 }}",
    "{% set x = namespace(v='a') %}{% for i in range(99) %}{% set x.v = x.v ~ x.v %}{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ 'a' * 50000 }}",
    " \n 。、",
    "{# nothing #}",
]


@pytest.fixture(autouse=True)
def _patient(monkeypatch) -> None:
    """A busy machine takes its time to start the child; what never ends has a test of its own."""
    monkeypatch.setattr(compose, "RENDER_SECONDS", 120.0)


@pytest.mark.parametrize("template", REFUSED)
def test_hostile_templates_are_refused_by_the_sandbox(template: str) -> None:
    with pytest.raises(RenderFailed):
        render(template, {"news": {"say": "x", "values": {}, "fallback": ""}}, 20_000)


@pytest.mark.parametrize("template", STOPPED, ids=range(len(STOPPED)))
def test_hostile_templates_are_stopped_by_the_limits_of_their_process(write, template: str) -> None:
    with pytest.raises(InvalidBriefing):
        preview(write(template=template), DUE, Policy())


def test_a_template_that_never_ends_is_stopped(write, monkeypatch) -> None:
    monkeypatch.setattr(compose, "RENDER_SECONDS", 0.8)
    loops = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"
    with pytest.raises(InvalidBriefing, match=r"not done after 0\.8 seconds"):
        preview(write(template=loops), DUE, Policy())


def test_the_child_sees_no_secret(write, monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "AWS_SECRET_ACCESS_KEY" not in isolated._environment()


def test_an_error_names_the_line_of_the_file(write) -> None:
    briefing = write(template="一行目\n{{ wrong }}\n三行目")
    with pytest.raises(InvalidBriefing) as caught:
        preview(briefing, DUE, Policy())
    lines = briefing.path.read_text().splitlines()
    assert "{{ wrong }}" in lines[caught.value.line - 1]


def test_the_markup_of_the_template_is_kept_and_that_of_a_source_is_not(write, tmp_path) -> None:
    (tmp_path / "today.txt").write_text("[pause:9s] [voice:evil]漢字《わな》")
    sources = '[sources.notes]\nkind = "file"\npath = "today.txt"\nfallback = ""\nsay = "[pause:1s]{{ text }}"'
    text = preview(write(sources, "はい。{{ notes }}[pause:2s]"), DUE, Policy()).text
    assert text == "はい。[pause:1s]（pause:9s） （voice:evil）漢字〈わな〉[pause:2s]"


def test_a_mistake_in_the_templates_own_markup_is_refused(write) -> None:
    with pytest.raises(InvalidBriefing, match="a span is not closed"):
        preview(write(template="[speed:1.2]速い"), DUE, Policy())


def test_a_mistake_in_the_markup_of_a_source_speaks_its_fallback(write, tmp_path) -> None:
    (tmp_path / "today.txt").write_text("速い")
    sources = '[sources.notes]\nkind = "file"\npath = "today.txt"\nfallback = "なし"\nsay = "[speed:1.2]{{ text }}"'
    rendered = preview(write(sources, "はい。{{ notes }}{% if not notes.ok %}。{% endif %}"), DUE, Policy())
    assert rendered.text == "はい。なし。"
    assert "a span is not closed" in rendered.failures[0].problem


def test_a_script_that_cannot_be_read_is_replaced_by_the_fallback(write, tmp_path) -> None:
    (tmp_path / "today.txt").write_text("مرحبا ภาษาไทย")
    sources = '[sources.notes]\nkind = "file"\npath = "today.txt"\nfallback = "なし"'
    rendered = preview(write(sources, "{{ notes }}"), DUE, Policy())
    assert rendered.text == "なし"
    assert "it cannot be read" in rendered.sources[0].problem


def test_hidden_characters_never_reach_the_script(write, tmp_path) -> None:
    (tmp_path / "today.txt").write_text("右\u202eから\u200b左\u0000\ufeff")
    sources = '[sources.notes]\nkind = "file"\npath = "today.txt"\nfallback = ""'
    assert preview(write(sources, "{{ notes }}"), DUE, Policy()).text == "右から左"


def test_the_length_is_limited_as_the_briefing_says(write) -> None:
    head = '[when]\ncrontab = "0 7 * * *"\n[output]\nstore = "file:///srv"\n'
    briefing = write(template="あ" * 99, head=head)
    short = briefing.model_copy(update={"template": briefing.template.model_copy(update={"max_characters": 50})})
    short._template_text = briefing.template_text
    with pytest.raises(InvalidBriefing, match="more than 50 characters"):
        preview(short, DUE, Policy())


def test_run_submits_an_ordinary_job_that_is_always_the_same(write) -> None:
    sent: list[Submission] = []

    def submit(submission: Submission) -> str:
        sent.append(submission)
        return submission.job

    briefing = write(template="お知らせです。", head=HEAD)
    for _ in range(2):
        run(briefing, DUE, Policy(), submit)
    assert sent[0] == sent[1]
    assert sent[0].job == job_id(briefing, DUE) == "briefing.morning.20261122T220000Z"
    assert (sent[0].speaker, sent[0].options, sent[0].priority) == ("jvnv-F1-jp", {"style": "Happy", "speed": 1.2}, 3)
    assert sent[0].output["formats"] == ["mp3", "opus"]
    assert sent[0].title == "朝の便り 十一月二十三日"
    assert Submission.from_json(sent[0].to_json()) == sent[0]
    assert json.loads(sent[0].to_json())["due"] == "2026-11-22T22:00:00+00:00"


HEAD = """
title = "朝の便り"
[when]
crontab = "0 7 * * *"
[voice]
speaker = "jvnv-F1-jp"
options = { style = "Happy", speed = 1.2 }
[output]
store = "file:///srv/koebin"
audio = { formats = ["mp3", "opus"] }
"""
