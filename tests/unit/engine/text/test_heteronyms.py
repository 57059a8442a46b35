"""Rules for words with several readings."""

from __future__ import annotations

import re

from koebin.engine.text import heteronyms


def test_every_rule_is_an_expression_that_finds_its_word() -> None:
    rules = [rule for listed in heteronyms._rules().values() for rule in listed]
    assert len(rules) > 200
    for rule in rules:
        assert "word" in re.compile(rule.pattern).groupindex


def test_no_rule_is_compiled_before_a_text_holds_its_word() -> None:
    heteronyms._compiled.cache_clear()
    heteronyms.read_heteronyms("ABC", [], [0])
    assert heteronyms._compiled.cache_info().currsize == 0
