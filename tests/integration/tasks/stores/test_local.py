"""The local store on real file systems: full, read-only, forbidden, and with two processes at once."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from koebin.engine.errors import StoreDenied
from koebin.tasks.stores.local import LocalStore
from tests.servers.waiting import PATIENCE

ROOT = Path(__file__).parents[4]


def run_python(code, *arguments, within=()):
    command = [*within, sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


ON_A_FULL_DISK = """
import sys, subprocess
from pathlib import Path
from koebin.engine.errors import StoreFull, StoreDenied
from koebin.tasks.stores.local import LocalStore
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
store = LocalStore(folder / "store")
store.put("small", b"x" * 1000)
try:
    store.put("large", b"x" * 1_000_000)
except StoreFull as error:
    print("full", error.value == str(folder / "store/large"))
big = Path(sys.argv[2])
big.write_bytes(b"x" * 1_000_000)
try:
    store.put_file("large", big)
except StoreFull:
    print("full")
print(sorted(p.name for p in folder.rglob("*") if p.is_file()))
print(store.put("next", b"x" * 1000))
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
try:
    store.put("more", b"")
except StoreDenied as error:
    print("read-only" in str(error), store.get("small") == b"x" * 1000)
print([finding.ok for finding in store.probe()])
"""


def test_a_full_and_then_a_read_only_disk(tmp_path):
    # A mount namespace of its own: needs no root where user namespaces are allowed, and vanishes with the process.
    within = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    (tmp_path / "disk").mkdir()
    lines = run_python(ON_A_FULL_DISK, tmp_path / "disk", tmp_path / "big", within=within)
    assert lines == ["full True", "full", "['small']", "True", "True True", "[False]"]


@contextlib.contextmanager
def without_privileges():
    """As a user whom permissions bind; root is bound by none."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_permission():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "mine").mkdir()
        (folder / "mine/a").write_bytes(b"x")
        (folder / "mine/a").chmod(0o000)
        (folder / "mine").chmod(0o555)
        with without_privileges():
            store = LocalStore(folder / "mine")
            for attempt in (lambda: store.put("b", b""), lambda: store.get("a"), lambda: store.delete("a")):
                with pytest.raises(StoreDenied):
                    attempt()
            assert [finding.ok for finding in store.probe()] == [False]
        (folder / "mine").chmod(0o755)


RACE = """
import sys, time
from pathlib import Path
from koebin.tasks.stores.uri import open_store
store, name, start = open_store(sys.argv[1]), sys.argv[2], float(sys.argv[3])
time.sleep(max(0.0, start - time.time()))
print(sum(store.put(f"jobs/{i % 7}/{i}", name.encode() * 5000) for i in range(200)))
"""


def test_two_processes_write_the_same_keys(tmp_path):
    import time

    uri, start = (tmp_path / "store").as_uri(), str(time.time() + 0.5)
    writers = [
        subprocess.Popen([sys.executable, "-c", RACE, uri, name, start], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    won = [int(writer.communicate(timeout=PATIENCE)[0]) for writer in writers]
    assert sum(won) == 200
    store = LocalStore(tmp_path / "store")
    found = [store.get(key) for key in store.list()]
    assert len(found) == 200
    assert [found.count(name * 5000) for name in (b"a", b"b")] == won


PRUNE = """
import sys, time
from koebin.tasks.stores.uri import open_store
store, end = open_store(sys.argv[1]), time.time() + 1.0
while time.time() < end:
    store.put("jobs/x/" + sys.argv[2], b"")
    store.delete("jobs/x/" + sys.argv[2])
"""


def test_deleting_and_writing_in_one_folder_at_once(tmp_path):
    uri = (tmp_path / "store").as_uri()
    writers = [subprocess.Popen([sys.executable, "-c", PRUNE, uri, name], cwd=ROOT) for name in ("a", "b")]
    assert [writer.wait(timeout=PATIENCE) for writer in writers] == [0, 0]


KILLED = """
import os, signal, sys
from koebin.tasks.stores.uri import open_store
store = open_store(sys.argv[1])
def die(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = die
store._root.mkdir()
(store._root / ".koebin-tmp").mkdir()
store.put("segments/a", b"half")
"""


def test_a_file_that_is_given_becomes_the_object_as_of_now(tmp_path):
    store, made = LocalStore(tmp_path / "store"), tmp_path / "made.mp3"
    made.write_bytes(b"an hour of sound")
    os.utime(made, (0, 0))
    assert store.put_file("jobs/a/out/made.mp3", made, given=True)
    stored = tmp_path / "store/jobs/a/out/made.mp3"
    assert stored.samefile(made), "no copy"
    assert time.time() - stored.stat().st_mtime < 60, "no sweep takes it for what a killed writer left"
    made.unlink()
    assert store.get("jobs/a/out/made.mp3") == b"an hour of sound"


def test_a_killed_writer_leaves_only_what_the_sweep_removes(tmp_path):
    store = LocalStore(tmp_path / "store")
    done = subprocess.run([sys.executable, "-c", KILLED, store.uri], cwd=ROOT, capture_output=True)
    assert done.returncode == -9
    assert list(store.list()) == []
    assert not store.exists("segments/a")
    assert store.sweep_temporary(3600) == 0
    assert store.sweep_temporary(-5) == 1
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
