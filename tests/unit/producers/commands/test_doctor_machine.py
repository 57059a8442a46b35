"""Arithmetic of the decoder, as ``koebin doctor`` tells of it."""

from __future__ import annotations

import pytest

from koebin.producers.commands import doctor_machine
from koebin.producers.commands.doctor_machine import decoder
from koebin.tasks.settings import Settings


@pytest.mark.parametrize(
    ("settings", "units", "why", "said"),
    [
        ({"decoder": "float32"}, (), "no units", []),
        ({"decoder": "float16", "device": "cuda"}, (), "no units", []),
        ({"decoder": "tf32"}, (), "", [(False, "tf32 is for CUDA; it is float32")]),
        ({"decoder": "bfloat16"}, (), "no units", [(False, "float32 instead of bfloat16: no units")]),
        ({"decoder": "bfloat16"}, ("amx_bf16",), "", [(True, "bfloat16 by amx_bf16")]),
    ],
)
def test_the_arithmetic_that_decoders_have_here(
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    units: tuple[str, ...],
    why: str,
    said: list[tuple[bool, str]],
) -> None:
    monkeypatch.setattr(doctor_machine, "bfloat16_units", lambda: units)
    monkeypatch.setattr(doctor_machine, "why_no_bfloat16", lambda: why)
    found = list(decoder(Settings(**settings)))  # type: ignore[arg-type]
    assert [(finding.ok, finding.detail) for finding in found] == said
    assert all(finding.hint or finding.ok for finding in found)
