"""Decoder in mixed precision: wide stages in bfloat16 by OpenVINO, narrow ones in float32 by ONNX Runtime.

The narrow stages and the last convolution have a sixth of the multiplications, and nearly all of what is heard of a
rounding. OpenVINO keeps what flows between its layers in bfloat16, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from threading import local
from typing import Any

from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidCheckpoint
from koebin.engine.models.jp_extra.onnx.session import Array, Session, first_line
from koebin.engine.models.jp_extra.voice_format import (
    DECODER_INPUTS,
    DECODER_OUTPUTS,
    HALFWAY,
    NARROW_HALF,
    TRIM,
    WIDE_HALF,
)


class MixedDecoder:
    """Decoder of one voice. Any number of threads may run it at once.

    Args:
        folder: made by ``koebin.engine.models.jp_extra.onnx.published.prepare_halves``.
        threads: that run it at once.

    Raises:
        BackendMissing: openvino is not installed, or a file is missing.
        InvalidCheckpoint: not a graph that OpenVINO can run.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._narrow = Session(folder / NARROW_HALF)
        self._narrow.require((HALFWAY, TRIM), DECODER_OUTPUTS)
        self._wide = _compiled(folder / WIDE_HALF, threads)
        self._requests = local()

    @property
    def revision(self) -> str:
        """Revision of the arithmetic; samples may differ between kinds of processors all the same."""
        return f"bfloat16 1 openvino {version('openvino')}"

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """Samples, as ``Session.run`` of the whole decoder gives them.

        Raises:
            InferenceFailed: a graph fails, or an output is not finite.
        """
        given = {name: inputs[name] for name in (*DECODER_INPUTS, TRIM) if name in self._names}
        try:
            (halfway,) = self._request.infer(given, share_inputs=True).values()
        except RuntimeError as error:
            raise InferenceFailed(f"OpenVINO failed ({first_line(error)})", WIDE_HALF) from error
        return self._narrow.run(outputs, {HALFWAY: halfway, TRIM: inputs[TRIM]})

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(value.get_any_name() for value in self._wide.inputs)

    @property
    def _request(self) -> Any:
        """This thread's own."""
        if not hasattr(self._requests, "of"):
            self._requests.of = self._wide.create_infer_request()
        return self._requests.of


def _compiled(path: Path, threads: int) -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BackendMissing("openvino is not installed", "", "Install koebin[bfloat16]") from error
    # As many streams as threads, of one core each: a window is computed by one thread, as elsewhere.
    options = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",
    }
    try:
        return openvino.Core().compile_model(str(path), "CPU", options)
    except RuntimeError as error:
        raise InvalidCheckpoint(f"OpenVINO cannot load the graph ({first_line(error)})", str(path)) from error
