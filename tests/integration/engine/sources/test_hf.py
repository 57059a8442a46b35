"""Voices from a server that speaks the hub's protocol."""

import logging
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from koebin.engine.errors import (
    InvalidName,
    SourceCorrupt,
    SourceDenied,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
)
from koebin.engine.models.jp_extra.files import fetch_voice
from koebin.engine.sources import SourceOptions, parse
from koebin.engine.sources.cache import SEAL
from tests.servers.hub import Fault, HubServer
from tests.servers.waiting import PATIENCE
from tests.unit.engine.sources.voices import published, read, tree, under, write

HANA = "onnx/speakers/hana"


@pytest.fixture
def hub():
    with HubServer() as server:
        server.first = server.commit("user/voices", tree())
        yield server


@pytest.fixture
def options(hub, tmp_path):
    return SourceOptions(tmp_path / "cache", hub_endpoint=hub.endpoint, delay=0.01, connect_timeout=5, read_timeout=5)


@pytest.fixture
def source(options):
    return parse("hf://user/voices", options)


def test_a_prefix_is_fetched_and_nothing_else_and_then_needs_no_network(hub, source, options):
    folder = source.fetch(HANA)

    assert read(folder) == under(tree(), HANA)
    assert source.revision(HANA) == hub.first
    assert {
        path.split(f"/{hub.first}/")[1] for how, path, _ in hub.requests if how == "GET" and "/resolve/" in path
    } == {path for path in tree() if path.startswith(HANA + "/")}
    before = len(hub.requests)
    assert source.fetch(HANA) == folder == parse("hf://user/voices", options).fetch(HANA)
    assert parse("hf://user/voices", replace(options, offline=True)).fetch(HANA) == folder
    assert len(hub.requests) == before


def test_voices_and_the_bert_model_are_found_and_pickles_stay_where_they_are(hub, source, options):
    files = fetch_voice(source, source, "hana", "cuda")

    assert set(read(files.voice)) == {"config.json", "style_vectors.npy", "hana_e10_s2000.safetensors"}
    assert set(read(files.bert)) == {"config.json", "model.safetensors"}
    assert hub.asked("pytorch_model.bin") == 0
    for closed in (replace(options, offline=True), sealed(options)):
        offline = parse("hf://user/voices", closed)
        assert fetch_voice(offline, offline, "hana", "cuda") == files
        with pytest.raises(SourceNotFound, match="The cache has: bert/tokenizer, "):
            offline.fetch("onnx/speakers/hane")
        with pytest.raises(SourceNotFound, match="asked again"):
            offline.fetch("pytorch/speakers/hana", refresh=True)


def sealed(options):
    (options.cache_root / SEAL).write_text("{}")
    return options


def test_a_changed_revision_is_seen_when_it_is_asked_for(hub, source, options):
    old = source.fetch(HANA)
    second = hub.commit("user/voices", {**tree(), **published("hana", b"2")})

    assert source.fetch(HANA) == old
    new = source.fetch(HANA, refresh=True)
    assert read(new) == under(published("hana", b"2"), HANA)
    assert read(old) == under(tree(), HANA)
    assert source.revision(HANA) == second
    pinned = parse(f"hf://user/voices@{hub.first}", options)
    assert read(pinned.fetch(HANA)) == under(tree(), HANA)


def test_a_prefix_that_is_not_there_lists_what_is(source):
    with pytest.raises(SourceNotFound, match="there is: hana, hane"):
        source.fetch("onnx/speakers/hanna")
    with pytest.raises(SourceNotFound, match="there is: hana, hane"):
        fetch_voice(source, source, "hanna", "cpu")
    with pytest.raises(InvalidName):
        source.fetch("onnx/speakers/*")


@pytest.mark.parametrize("uri", ["hf://user/nothing", "hf://user/voices@nothing", f"hf://user/voices@{'0' * 40}"])
def test_a_repository_or_revision_that_is_not_there(uri, options):
    with pytest.raises(SourceNotFound):
        parse(uri, options).fetch(HANA)


def test_a_private_repository_wants_its_token_and_shows_it_to_nobody_else(hub, options, caplog):
    caplog.set_level(logging.DEBUG)
    hub.private["user/voices"] = "hf_planted_secret"
    shown = []
    for token in ("", "hf_wrong_planted"):
        source = parse("hf://user/voices", replace(options, hub_token=token))
        with pytest.raises((SourceDenied, SourceNotFound)) as refused:
            source.fetch(HANA)
        shown += [repr(refused.value), str(refused.value), repr(source)]
    source = parse("hf://user/voices", replace(options, hub_token="hf_planted_secret"))

    assert read(source.fetch(HANA)) == under(tree(), HANA)
    shown += [repr(source), repr(source._options), source.uri, caplog.text]
    assert not any("planted" in text for text in shown)
    for path in options.cache_root.rglob("*"):
        assert path.is_dir() or b"planted" not in path.read_bytes()


def test_a_download_that_breaks_off_goes_on_where_it_stopped(hub, source):
    hub.faults.append(Fault("hana/synthesizer.onnx", cut=50_000))

    assert read(source.fetch(HANA)) == under(tree(), HANA)
    assert hub.asked("resolve/" + hub.first + "/" + HANA + "/config.json") == 1


def test_what_never_arrives_leaves_nothing_behind_that_could_be_used(hub, options):
    hub.faults.append(Fault("hana/synthesizer.onnx", status=503, times=-1))
    source = parse("hf://user/voices", replace(options, attempts=1))
    with pytest.raises(SourceUnavailable):
        source.fetch(HANA)

    assert source.cached(HANA) is None
    hub.faults.clear()
    asked = hub.asked("style_vectors.npy")
    assert read(source.fetch(HANA)) == under(tree(), HANA)
    assert hub.asked("style_vectors.npy") == asked, "what had arrived is not fetched again"


@pytest.mark.parametrize("name", ["synthesizer.onnx", "config.json"])
def test_a_body_of_the_right_size_and_the_wrong_content_is_refused(hub, options, name):
    hub.faults.append(Fault(f"hana/{name}", flip=True, times=-1))
    source = parse("hf://user/voices", replace(options, attempts=2))
    with pytest.raises(SourceCorrupt, match=name.replace(".", r"\.")):
        source.fetch(HANA)

    assert source.cached(HANA) is None
    hub.faults[:] = [Fault(f"hana/{name}", flip=True, times=1)]
    assert read(source.fetch(HANA)) == under(tree(), HANA)


def test_a_dead_endpoint_is_told_soon_and_a_filled_cache_does_not_mind(hub, options, source):
    folder = source.fetch(HANA)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    hub.stop()
    dead = parse("hf://user/voices", replace(options, hub_endpoint=f"http://127.0.0.1:{port}", attempts=2))
    with pytest.raises(SourceUnavailable):
        dead.fetch(HANA)

    assert source.fetch(HANA) == folder
    with pytest.raises(SourceUnavailable):
        source.fetch(HANA, refresh=True)
    assert source.fetch(HANA) == folder
    assert source.children("onnx/speakers") == ["hana"], "what a start asks is answered from the cache"


@pytest.mark.parametrize(("status", "expected"), [(403, SourceDenied), (500, SourceUnavailable), (418, SourceError)])
def test_the_hubs_refusals(hub, options, status, expected):
    hub.faults.append(Fault("", status=status, times=-1))
    with pytest.raises(expected):
        parse("hf://user/voices", replace(options, attempts=1)).fetch(HANA)


def test_a_listing_that_leaves_its_folder_is_refused(hub, source, options):
    hub.commit("user/voices", {**tree(), "onnx/speakers/hana/../../../../evil": b"x"})
    with pytest.raises(SourceCorrupt, match="evil"):
        source.fetch(HANA)

    assert not list(options.cache_root.rglob("evil"))


def test_damage_in_the_cache_is_noticed_and_mended(source, options):
    folder = source.fetch(HANA)
    (folder / "config.json").write_bytes(b"short")
    offline = parse("hf://user/voices", replace(options, offline=True))
    with pytest.raises(SourceCorrupt, match=r"config\.json"):
        offline.fetch(HANA)
    folder = source.fetch(HANA)
    assert read(folder) == under(tree(), HANA)

    graph = folder / "synthesizer.onnx"
    graph.write_bytes(b"x" + graph.read_bytes()[1:])
    assert offline.fetch(HANA) == folder, "every byte is compared only when that is asked for"
    with pytest.raises(SourceCorrupt, match=r"synthesizer\.onnx"):
        offline.verify(HANA)
    assert read(source.fetch(HANA, refresh=True)) == under(tree(), HANA)
    (folder / "style_vectors.npy").unlink()
    assert read(source.fetch(HANA)) == under(tree(), HANA)


def test_two_processes_that_fetch_at_once_fetch_it_once(hub, options):
    program = (
        "import sys; from pathlib import Path; from koebin.engine.sources import *\n"
        f"options = SourceOptions(Path({str(options.cache_root)!r}), hub_endpoint={hub.endpoint!r})\n"
        f"print(parse('hf://user/voices', options).fetch({HANA!r}))"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=PATIENCE)[0].strip() for process in running}

    assert [process.returncode for process in running] == [0, 0]
    assert len(printed) == 1
    assert hub.asked("synthesizer.onnx") == 1


def test_publishing_is_one_commit(hub, source, tmp_path):
    before = len(hub.commits["user/voices"])
    source.upload(HANA, write(tmp_path / "new", {"config.json": b"new", "other.onnx": b"new", "x.pth": b"pickle"}))

    assert len(hub.commits["user/voices"]) == before + 1
    assert read(source.fetch(HANA, refresh=True)) == {"config.json": b"new", "other.onnx": b"new"}
    assert read(source.fetch("onnx/speakers/hane")) == under(tree(), "onnx/speakers/hane")


def test_the_cache_folder_of_hayakoe_is_used_as_it_is(hub, options, tmp_path):
    from huggingface_hub import snapshot_download

    snapshot_download(
        "user/voices", cache_dir=options.cache_root / "hf", allow_patterns=["onnx/*", "bert/*"], endpoint=hub.endpoint
    )
    source = parse("hf://user/voices", SourceOptions(options.cache_root, offline=True))
    folder = source.fetch(HANA)

    assert folder.is_relative_to(options.cache_root / "hf")
    files = fetch_voice(source, source, "hana", "cpu")
    assert (files.voice, source.revision(HANA)) == (folder, hub.first)
    assert read(files.bert) == {"bert_q8.onnx": b"bert"}
    (folder / "synthesizer.onnx").resolve().write_bytes(b"damaged")
    (folder.parent / "hane/config.json").unlink()
    again = parse("hf://user/voices", SourceOptions(options.cache_root, offline=True))
    for damaged in (HANA, "onnx/speakers/hane"):
        with pytest.raises(SourceNotFound):
            again.fetch(damaged)


def test_a_cache_that_cannot_be_written_is_an_error_of_ours(options, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SourceError, match="cache"):
        parse("hf://user/voices", replace(options, cache_root=tmp_path / "file")).fetch(HANA)


def test_a_full_disk_is_an_error_of_ours_and_leaves_the_rest_for_later(options, hub):
    """Files may not grow beyond 100 kB in this process: the kernel's EFBIG stands for ENOSPC."""
    program = (
        "import resource, signal, sys; from pathlib import Path; from koebin.engine.sources import *\n"
        "from koebin.engine.errors import SourceError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"options = SourceOptions(Path({str(options.cache_root)!r}), hub_endpoint={hub.endpoint!r}, attempts=1)\n"
        "try:\n"
        f"    parse('hf://user/voices', options).fetch({HANA!r})\n"
        "except SourceError as error:\n"
        "    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)

    assert "File too large" in done.stdout, done.stdout + done.stderr
    assert read(parse("hf://user/voices", options).fetch(HANA)) == under(tree(), HANA)
