"""Lines for people on a terminal: foreign text neither steers it nor is read as markup."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from koebin.producers.console import note, say, say_json

SHOW = """
import sys
from koebin.producers.job_status import Status
from koebin.producers.console import ProgressLine
for title in sys.argv[1:]:
    with ProgressLine(title) as line:
        line._bar.refresh()
"""


def test_titles_on_progress_bars_are_text() -> None:
    titles = ("# 愛[/終]", "[link=https://example.jp]title[/link]", "[bold]a", "a\x1b]0;owned\x07")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen([sys.executable, "-P", "-c", SHOW, *titles], stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        try:
            while read := os.read(ours, 4096):
                seen += read
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0, seen.decode()
    assert b"\x1b]8;" not in seen, "a hyperlink"
    assert b"\x1b]0;" not in seen, "a title of the window"
    assert all(title.partition("\x1b")[0].encode() in seen for title in titles)


def test_foreign_text_makes_no_line_and_no_cell(capsys: pytest.CaptureFixture[str]) -> None:
    say("job", "title\nforged\tcell\x1b[2J")
    note("line 1: redis://:hunter2@h/0\nforged")
    say_json({"title": "\x9b2J"})
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == r"job" + "\t" + r"title\nforged\tcell\x1b[2J"
    assert err == "line 1: redis://***@h/0\\nforged\n"
    assert "\x9b" not in out
