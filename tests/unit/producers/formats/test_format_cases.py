"""Every case of docs/formats.md is as the page says, and the page is as the cases are."""

import pytest

from koebin.engine.errors import InvalidInput
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import source_from
from koebin.producers.formats.speaker_names import Voice
from tests.unit.producers.formats.format_cases import CASES, PAGE, page


def read(case):
    source = source_from(case.input.encode(), case.format or None, explicit=bool(case.format))
    return parse_script(source, Voice("mei"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.format}: {case.what}")
def test_a_case(case):
    if case.refused:
        with pytest.raises(InvalidInput, match=case.refused):
            read(case)
        return
    script = read(case)
    assert "｜".join(passage.text for passage in script.passages) == case.said
    assert "".join(left.text for left in script.left_out) == case.left_out


def test_the_page_lists_the_cases():
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run python -m tests.unit.producers.formats.format_cases"
