"""Every example of the documentation is what it says."""

import re
from pathlib import Path

import pytest

from koebin.producers.formats.dictionary import parse_dictionary
from koebin.producers.formats.load import load_script, parse_script
from koebin.producers.formats.source import source_from
from koebin.producers.formats.speaker_names import Voice

ROOT = Path(__file__).parents[4]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (kind, text)
    for name in ("markup.md", "formats.md")
    for kind, text in BLOCK.findall((ROOT / "docs" / name).read_text())
]


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_documented_examples(kind, text):
    if kind in ("toml", "csv"):
        assert len(parse_dictionary(text, f".{kind}").entries) == 2
        return
    text = re.sub(r"^dictionary = .*\n", "", text, flags=re.MULTILINE)
    source = source_from(text.encode(), {"xml": "ssml", "jsonl": "jsonl"}.get(kind), explicit=False)
    script = parse_script(source, Voice("mei"))
    assert not script.errors
    said = "".join(passage.text for passage in script.passages)
    assert "\\[" in text or not set("[］《｜<+") & set(said)


def test_there_are_examples():
    assert len(EXAMPLES) >= 9


FILES = [
    path for path in sorted((ROOT / "examples").iterdir()) if path.suffix in (".txt", ".md", ".jsonl", ".dialogue")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_example_files(path):
    script = load_script(path, Voice("mei"))
    assert not script.errors
    assert len(script.passages) >= 5
