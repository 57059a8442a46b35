"""Units for bfloat16, as /proc/cpuinfo tells of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.engine import bfloat16_units as module
from koebin.engine.bfloat16_units import bfloat16_units, why_no_bfloat16


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16 amx_bf16 amx_tile\nflags\t\t: fpu\n", ("amx_bf16", "avx512_bf16")),
        ("Features\t: fp asimd sve bf16 i8mm\n", ("bf16",)),
        ("model name\t: one with bf16 in its name\nflags\t\t: fpu avx2\n", ()),
        ("", ()),
    ],
)
def test_units_are_read_from_the_flags(tmp_path: Path, text: str, units: tuple[str, ...]) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert bfloat16_units(path) == units
    assert bfloat16_units(tmp_path / "none") == ()


def test_why_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "bfloat16_units", tuple)
    assert why_no_bfloat16() == "this processor has no units for bfloat16"
    monkeypatch.setattr(module, "bfloat16_units", lambda: ("bf16",))
    assert why_no_bfloat16() == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert why_no_bfloat16() == "openvino is not installed"
