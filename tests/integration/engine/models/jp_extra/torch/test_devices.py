"""Arithmetic on CUDA is set while a block runs and given back afterwards; that needs no GPU to be seen."""

from __future__ import annotations

import pytest
import torch

from koebin.engine.models.jp_extra.torch.devices import arithmetic


def settings() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return torch.backends.cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.deterministic, cudnn.benchmark


@pytest.mark.parametrize(("tf32", "precision"), [(False, "ieee"), (True, "tf32")])
def test_the_host_application_keeps_its_settings(tf32: bool, precision: str) -> None:
    before = settings()
    with pytest.raises(ZeroDivisionError), arithmetic(torch.device("cuda"), tf32):  # noqa: PT012
        assert settings() == (precision, precision, True, False)
        raise ZeroDivisionError
    assert settings() == before


def test_a_cpu_is_left_alone() -> None:
    before = settings()
    with arithmetic(torch.device("cpu")):
        assert settings() == before
