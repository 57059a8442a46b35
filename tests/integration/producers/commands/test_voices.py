"""``koebin voices`` on what people have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from koebin.engine.text.tokens import load_vocabulary
from koebin.producers.cli import app
from koebin.tasks.settings import Settings
from tests.servers.speech import SpeechServer
from tests.unit.engine.models.jp_extra.aivm_files import write_file
from tests.unit.engine.models.jp_extra.onnx_voices import ONNX, small_bert

CHARACTERS = "準備ができました。はいこんにちは"


@pytest.fixture
def berts(tmp_path: Path) -> str:
    """A source of BERT; its vocabulary has what is spoken here."""
    root = tmp_path / "berts"
    small_bert(root / "onnx/bert/q8/bert_q8.onnx", quantize=True)
    (root / "bert/tokenizer").mkdir(parents=True)
    words = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *dict.fromkeys(CHARACTERS)]
    (root / "bert/tokenizer/vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    assert load_vocabulary(root / "bert/tokenizer")
    return root.as_uri()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, berts: str) -> None:
    for name, value in (("KOEBIN_CACHE", tmp_path / "cache"), ("KOEBIN_BERT", berts)):
        monkeypatch.setenv(name, str(value))
    assert Settings().bert == berts


def test_a_file_is_shown_and_spoken(tmp_path: Path) -> None:
    file = write_file(ONNX / "published", ONNX / "published" / "synthesizer.onnx", tmp_path / "hana.aivmx")
    shown = CliRunner().invoke(app, ["voices", str(file), "--say", "はい。", "-o", str(tmp_path)])
    assert shown.exit_code == 0, shown.output
    for told in (
        "声の名前",
        "声の人 <voice@example.com>",
        "商用利用できます。",
        "ノーマル, Happy",
        "44100 Hz",
        "Style-Bert-VITS2",
    ):
        assert told in shown.output
    assert soundfile.info(str(tmp_path / "voice-01.wav")).frames > 0


def test_a_folder_and_a_built_in_voice_are_shown(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["voices", str(ONNX / "exported"), "mei", "--json"])
    assert shown.exit_code == 0, shown.output
    folder, builtin = json.loads(shown.stdout)
    assert (folder["architecture"], folder["styles"]) == ("Style-Bert-VITS2 (JP-Extra)", ["Neutral", "Happy"])
    assert (builtin["architecture"], builtin["sample_rate_hz"]) == ("Open JTalk (HTS)", 48000)


@pytest.mark.parametrize(("version", "is_one"), [("2.7.0-JP-Extra", True), ("2.4.1", False)])
def test_a_folder_that_cannot_be_spoken_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_one: bool
) -> None:
    monkeypatch.setenv("KOEBIN_BERT", (tmp_path / "nowhere").as_uri())
    folder = tmp_path / "hana"
    shutil.copytree(ONNX / "published", folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["data"]["spk2id"] = {"花": 0, "雪": 1}
    (folder / "config.json").write_text(json.dumps({**config, "version": version}), "utf-8")
    shown = CliRunner().invoke(app, ["voices", str(folder), str(tmp_path / "missing"), "--json"])
    assert shown.exit_code == 1
    page, missing = json.loads(shown.stdout)
    assert (page["architecture"] == "Style-Bert-VITS2 (JP-Extra)") is is_one
    assert (page["name"], page["speakers"], page["styles"]) == ("small", ["0: 花", "1: 雪"], ["Neutral", "Happy"])
    assert page["bytes"] > 100_000
    assert (page["works"], bool(page["problem"])) == ("", True)
    assert "there is no such folder" in missing["problem"]


def test_a_pointer_is_told_before_bert_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_BERT", (tmp_path / "nowhere").as_uri())
    folder = tmp_path / "hana"
    shutil.copytree(ONNX / "published", folder)
    (folder / "synthesizer.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    shown = CliRunner().invoke(app, ["voices", str(folder), "--json"])
    assert shown.exit_code == 1
    assert "Git LFS pointer" in json.loads(shown.stdout)[0]["problem"]


def test_what_cannot_be_spoken_is_told_and_the_others_are_shown(tmp_path: Path) -> None:
    page = tmp_path / "page.aivmx"
    page.write_text("<!doctype html>")
    with SpeechServer() as server:
        remote = f"voicevox+{server.url}?speaker=7"
        shown = CliRunner().invoke(app, ["voices", str(page), remote, "--json"])
    assert shown.exit_code == 1
    one, other = json.loads(shown.stdout)
    assert "web page" in one["problem"]
    assert one["works"] == ""
    assert (other["name"], other["styles"], other["problem"]) == ("声の人", ["ノーマル", "喜び"], "")
    assert other["works"] == "its server, over HTTP"
