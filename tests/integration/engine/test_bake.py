"""A folder with everything that a worker needs, made with credentials that must not stay in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from koebin import TTS
from koebin.engine.bake import bake, check_baked
from koebin.engine.errors import InvalidOption, SourceCorrupt, SourceDenied, SourceNotFound
from koebin.engine.sources import SourceOptions
from tests.integration.engine.models.jp_extra.test_voices import TEXT, tree  # noqa: F401 - a fixture
from tests.servers.hub import HubServer
from tests.servers.speech import SpeechServer
from tests.servers.waiting import PATIENCE
from tests.unit.engine.models.jp_extra.aivm_files import CREATORS, LICENCE, write_file
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX
from tests.unit.engine.sources.voices import read

TOKEN = "hf_PlantedSecret0123456789"


@pytest.fixture
def hub(tree):  # noqa: F811
    with HubServer() as server:
        server.commit("user/voices", read(tree))
        server.private["user/voices"] = TOKEN
        yield server


@pytest.fixture
def sources(hub, tmp_path):
    return SourceOptions(tmp_path / "downloads", hub_endpoint=hub.endpoint, hub_token=TOKEN, delay=0.01)


def baked(root, sources, **speakers):
    return bake({"mei": None, **speakers}, root, sources, bert_source="hf://user/voices")


def revision(tree, cache):  # noqa: F811
    """Of the same voice in a worker that fetched it."""
    with TTS(cache=cache, bert_source=str(tree)) as tts:
        return tts.load("small", str(tree)).prepare(warmup=False).speakers["small"].revision


@pytest.mark.slow
def test_a_baked_folder_speaks_without_a_network_and_holds_no_credential(hub, sources, tmp_path, tree):  # noqa: F811
    root = tmp_path / "models"
    lock = baked(root, sources, small="hf://user/voices", plain=str(tree))
    hub.stop()

    assert lock == check_baked(root) == json.loads((root / "koebin.lock.json").read_text())
    assert lock["verified"]
    assert lock["speakers"]["small"]["source"] == "hf://user/voices"
    assert {"encoder.onnx", "flow_layer.onnx", "decoder.onnx"} <= set(read(root / "tree/onnx/speakers/plain"))
    assert not list(root.rglob("*.safetensors")), "a CPU needs none"
    graphs = [path.relative_to(root).as_posix() for path in root.rglob("bert*.onnx")]
    assert len(graphs) == 1, "BERT is there once"
    assert lock["speakers"]["small"]["model_revision"] == revision(tree, tmp_path / "cache")
    for path in root.rglob("*"):
        assert path.is_dir() or b"PlantedSecret" not in path.read_bytes()
    assert "PlantedSecret" not in repr(sources) + json.dumps(lock)
    assert not list(tmp_path.glob(".models*"))

    with TTS(cache=root) as tts:
        tts.load("small", (root / "tree").as_uri()).load("mei").prepare(warmup=False)
        assert tts.speakers["small"].generate(TEXT).samples.any()
        tts.load("smal")
        with pytest.raises(SourceNotFound, match=r"smal.*the cache is sealed"):
            tts.prepare()


@pytest.mark.slow
def test_a_changed_file_is_named_and_a_bake_that_fails_changes_nothing(sources, hub, tmp_path):
    root = tmp_path / "models"
    lock = baked(root, sources, exported="hf://user/voices")
    with pytest.raises(SourceNotFound, match="smal"):
        baked(root, sources, smal="hf://user/voices")
    hub.private["user/voices"] = "another"
    with pytest.raises(SourceDenied):
        baked(root, sources, small="hf://user/voices")
    assert check_baked(root) == lock
    assert not list(tmp_path.glob(".models*"))

    (root / "added").write_bytes(b"")
    graph = root / "tree/onnx/speakers/exported/flow_layer.onnx"
    graph.write_bytes(b"x" + graph.read_bytes()[1:])
    with pytest.raises(SourceCorrupt, match=r"added, tree/onnx/speakers/exported/flow_layer\.onnx"):
        check_baked(root)


def test_a_folder_that_holds_something_else_is_left_alone(sources, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("x")
    for root, speakers in ((tmp_path / "home", {"mei": None}), (Path("here"), {"mei": None}), (tmp_path / "new", {})):
        with pytest.raises(InvalidOption):
            bake(speakers, root, sources)
    assert (tmp_path / "home/thesis.txt").read_text() == "x"


def test_a_mount_point_is_refused_before_anything_is_fetched(sources):
    """What was baked takes the folder's place as a whole."""
    with pytest.raises(InvalidOption, match="mount point"):
        baked(Path("/proc"), sources, small="hf://user/voices")


@pytest.mark.slow
def test_the_command_takes_its_token_from_a_file(hub, tmp_path, tree):  # noqa: F811
    (tmp_path / "token").write_text(TOKEN + "\n")
    root = tmp_path / "models"
    command = [sys.executable, "-P", "-m", "koebin", "bake", str(root), "--speakers", "mei,exported=hf://user/voices"]
    command += ["--token-file", str(tmp_path / "token")]
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "KOEBIN_BERT": "hf://user/voices",
        "KOEBIN_CACHE": str(tmp_path / "downloads"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)

    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"mei", "exported"}
    assert TOKEN not in done.stdout + done.stderr
    assert f'"exported" = "{(root / "tree").as_uri()}"' in (root / "voices.toml").read_text()
    check_baked(root)


@pytest.mark.slow
def test_a_file_and_a_remote_voice_are_baked_with_their_makers(tmp_path, tree):  # noqa: F811
    root, key = tmp_path / "models", "sk-PlantedSecret0123456789"
    file = write_file(ONNX / "published", ONNX / "published" / "synthesizer.onnx", tmp_path / "hana.aivmx")
    with SpeechServer() as server:
        server.key = key
        sources = SourceOptions(tmp_path / "downloads", keys={server.place: key})
        remote = f"openai+{server.url}/v1?model=m&voice=v&attempts=2"
        lock = bake({"hana": str(file), "ami": remote}, root, sources, bert_source=str(tree))
    hana, ami = lock["speakers"]["hana"], lock["speakers"]["ami"]
    assert (hana["display_name"], hana["licence"], hana["creators"]) == ("声の名前", LICENCE, CREATORS)
    assert hana["source"] == file.as_uri()
    assert ami["source"] == f"openai+{server.url}/v1?model=m&voice=v"
    listed = tomllib.loads((root / "voices.toml").read_text())["voices"]
    assert listed == {"ami": remote, "hana": (root / "tree").as_uri()}
    assert not any(key.encode() in path.read_bytes() for path in root.rglob("*") if path.is_file())
    file.unlink()
    with TTS(sources=SourceOptions(root, offline=True), bert_source=str(root / "tree")) as tts:
        speaker = tts.load("hana", listed["hana"]).prepare(warmup=False).speakers["hana"]
        assert speaker.card.creators == tuple(CREATORS)
        assert speaker.revision == hana["model_revision"]
