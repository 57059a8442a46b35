"""Cases that show what each format reads, skips and refuses; docs/formats.md lists them.

``python -m tests.unit.producers.formats.format_cases`` writes them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "formats.md"
BEGIN, END = "<!-- cases begin -->\n", "<!-- cases end -->\n"


@dataclass(frozen=True)
class Case:
    """One input; ``said`` is what is spoken, ``left_out`` what is told, ``refused`` a part of the error."""

    format: str
    what: str
    input: str
    said: str = ""
    left_out: str = ""
    refused: str = ""


CASES = [
    Case("text", "each line is a paragraph", "一行目\n二行目", "一行目｜二行目"),
    Case("text", "a form feed ends one", "一頁目\f二頁目", "一頁目｜二頁目"),
    Case("text", "letters that cannot be read", "はい(ㅂ)。", "はい(ㅂ)。", left_out="ㅂ"),
    Case("text", "control characters", "は\x07い。", "はい。", left_out="U+0007"),
    Case("text", "a pause before the first text", "[pause:1]はい。", "はい。"),
    Case("text", "RTF", "{\\rtf1 x}", refused="RTF"),
    Case("aozora", "notes on the print", "題\n某\n\n雨［＃「雨」に傍点］だ。\n\n底本：「本」", "題｜某｜雨だ。"),
    Case(
        "aozora",
        "gaiji by their place",
        "題\n某\n\n※［＃「てへん＋劣」、第3水準1-84-77］る。\n\n底本：「本」",
        "題｜某｜挘る。",
    ),
    Case("aozora", "signs with ruby", "題\n某\n\n○《まる》だ。\n\n底本：「本」", "題｜某｜まるだ。"),
    Case(
        "aozora",
        "ruby without a word",
        "題\n某\n\n強く｜　《しめ》る。\n\n底本：「本」",
        "題｜某｜強くる。",
        "｜　《しめ》",
    ),
    Case("aozora", "the mark of the work's end", "題\n某\n\n雨だ。\n\n［＃本文終わり］\n訳者の話", "題｜某｜雨だ。"),
    Case("markdown", "escapes and code stay text", "`[pause:2]` と \\[pause:1\\]", "[pause:2] と [pause:1]"),
    Case("markdown", "style sheets and scripts", "<style>\np{}\n</style>\n\n本文", "本文"),
    Case("markdown", "emphasis beside brackets", "**「強調」**です", "「強調」です"),
    Case("dialogue", "a name before a colon", '+++\n[speakers]\n"メイ" = "mei"\n+++\nメイ：はい。', "はい。"),
    Case("dialogue", "a name before a bracket", '+++\n[speakers]\n"メイ" = "mei"\n+++\nメイ「はい。」', "「はい。」"),
    Case(
        "dialogue", "several names", '+++\n[speakers]\n"メイ" = "mei"\n+++\nメイ、ケン：はい。', refused="several names"
    ),
    Case("jsonl", "an object a line", '{"id": "a", "text": "はい。"}', "はい。"),
    Case("jsonl", "a bad line", '{"text": "はい。"}\n{"txt": "x"}', "はい。"),
    Case("json", "objects or strings", '[{"text": "はい。"}, "いいえ。"]', "はい。｜いいえ。"),
    Case("csv", "columns by their names", "番号,セリフ\n1,はい。", "はい。"),
    Case("csv", "no names of columns", "a,b,c\n1,2,3", refused="no row names the columns"),
    Case("tsv", "the same with tabs", "id\ttext\n1\tはい。", "はい。"),
    Case("srt", "tags and positions", "1\n00:00:01,000 --> 00:00:02,000\n<i>はい</i>{\\an8}。", "はい。"),
    Case(
        "srt",
        "a time that cannot be read",
        "1\n00:00:01,000 --> 00:00:02,000\nはい。\n\n2\n0:x --> 0:y\n雨。",
        "はい。",
        "0:x --> 0:y",
    ),
    Case("vtt", "notes and styles", "WEBVTT\n\nNOTE 記録\n\n00:01.000 --> 00:02.000\n<v メイ>はい。</v>", "はい。"),
    Case("html", "the article", "<html><body><nav>目次</nav><article><p>本文</article></body></html>", "本文"),
    Case(
        "html",
        "what a style sheet hides",
        "<html><style>.x{display:none}</style><p class=x>あ</p><p>い</p></html>",
        "い",
    ),
    Case("html", "lines that were wrapped", "<html><p>雨が\n  降る。 次の日</p></html>", "雨が降る。 次の日"),
    Case("html", "ruby", "<html><body><p><ruby>雨<rt>あめ</ruby>だ。</p></body></html>", "雨だ。"),
    Case("ssml", "its elements", "<speak>はい。<break time='1s'/>いいえ。</speak>", "はい。｜いいえ。"),
    Case("ssml", "lines that were wrapped", "<speak>雨が\n  降る 日</speak>", "雨が降る 日"),
    Case("ssml", "other elements", "<speak><audio/>はい。</speak>", refused="this element is not taken"),
    Case(
        "fb2",
        "paragraphs and titles",
        "<FictionBook><body><section><title><p>章</p></title><p>雨。</p></section></body></FictionBook>",
        "章｜雨。",
    ),
    Case("", "TeX", "% 注\n\\documentclass{jsarticle}\n本文", refused="TeX"),
    Case("", "programs", "#!/bin/sh\necho はい", refused="program"),
    Case("", "feeds", "<?xml version='1.0'?><rss/>", refused="a feed"),
    Case("", "ASS subtitles", "[Script Info]\nTitle: x", refused="ASS or SSA"),
    Case("", "subtitles of other kinds", "0:00:01.000,0:00:02.000\nはい。", refused="subtitles that are not read"),
    Case("", "lyrics with times", "[00:01.00]あ\n[00:02.00]い\n[00:03.00]う", refused="lyrics with times"),
    Case("", "mails and web archives", "MIME-Version: 1.0\nContent-Type: x\n\nあ", refused="a mail or a web archive"),
]


def rows() -> str:
    """The table of the page."""
    lines = ["| format | | input | spoken | told or refused |", "|---|---|---|---|---|"]
    for case in CASES:
        told = (
            f"left out: `{_shown(case.left_out)}`"
            if case.left_out
            else f"refused: {case.refused}"
            if case.refused
            else ""
        )
        spoken = f"`{_shown(case.said)}`" if case.said else ""
        kind = f"`{case.format}`" if case.format else ""
        lines.append(f"| {kind} | {case.what} | `{_shown(case.input)}` | {spoken} | {told} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with the table as the cases have it."""
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + rows() + END + rest.partition(END)[2]


def _shown(text: str) -> str:
    visible = text.replace("\n", "⏎").replace("\t", "⇥").replace("\f", "␌").replace("\x07", "␇")
    return visible.replace("|", "\\|").replace("`", "'")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
