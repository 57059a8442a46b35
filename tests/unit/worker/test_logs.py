"""Lines of the log: foreign text makes no line of its own, secrets are masked, results are not written."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from koebin.tasks.settings import Settings
from koebin.worker.logs import set_up_logs

FORGED = "a\n2026-01-01 00:00:00,000 ERROR   koebin: forged\x1b[2J"


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    root, pool = logging.getLogger(), logging.getLogger("multiprocessing")
    before = (root.handlers[:], root.level, pool.handlers[:], pool.propagate)
    stream = io.StringIO()
    set_up_logs(Settings(log_format=request.param), stream)
    yield stream
    root.handlers[:], pool.handlers[:], pool.propagate = before[0], before[2], before[3]
    root.setLevel(before[1])
    logging.captureWarnings(False)


def test_no_message_and_no_error_begins_a_record_of_its_own(lines: io.StringIO) -> None:
    log = logging.getLogger("koebin.test")
    log.info("took %s from redis://:hunter2@h/0", FORGED, extra={"task_id": FORGED})
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("failed: %s", FORGED)
    written = lines.getvalue()
    assert not any(line.startswith("2026-01-01 ") for line in written.splitlines())
    assert "\x1b" not in written
    assert "hunter2" not in written
    assert "forged" in written


def test_celerys_line_about_a_success_leaves_the_result_out(lines: io.StringIO) -> None:
    context = {"name": "koebin.synthesize", "id": "1", "runtime": 0.5, "return_value": "{'presigned': 'SECRET'}"}
    message = "Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s"
    logging.getLogger("celery.app.trace").info(message, context, extra={"data": context})
    assert "SECRET" not in lines.getvalue()
    assert "Task koebin.synthesize[1] succeeded in 0.5s" in lines.getvalue()


NATIVE = """
import ctypes, os, sys
from koebin.tasks.settings import Settings
from koebin.worker.logs import set_up_logs
from koebin.worker.native_output import native_output_as_records
with native_output_as_records() as stream:
    set_up_logs(Settings(log_format="json"), stream)
    os.write(2, b"WARNING: JPCommonLabel_make(): No phoneme.\\n")
    if os.fork() == 0:
        os.write(2, b"from the child\\n")
        os._exit(0)
    os.wait()
    for _ in range(3000):  # more than the pipe holds, with the interpreter's lock held all the time
        ctypes.pythonapi.PyOS_snprintf  # keeps ctypes loaded: the write below is C's
        ctypes.PyDLL(None).write(2, b"x" * 99 + b"\\n", 100)
print("after", file=sys.stderr)
"""


def test_native_librarys_lines_are_records_and_nothing_waits_for_them() -> None:
    command = [sys.executable, "-P", "-c", NATIVE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    *records, last = done.stderr.splitlines()
    assert last == "after"
    messages = [json.loads(line)["message"] for line in records]
    assert messages[:2] == ["WARNING: JPCommonLabel_make(): No phoneme.", "from the child"]
