"""ONNX Runtime sessions for a CPU, with deterministic results and small memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from koebin.engine.errors import BackendMissing, InferenceFailed, InvalidCheckpoint

Array = NDArray[Any]

_AGAIN = "Fetch or export the voice again"


class Session:
    """ONNX Runtime session of one graph. Any number of threads may run it at once.

    A run stays on its caller's thread: results are the same whatever else runs, and cores are kept busy by running
    several utterances side by side, which waits less than several threads within one.

    Args:
        path: the graph.
        threads: of a run, for a graph that a lone utterance waits for; the same on every machine, as results might
            depend on it. All but the caller's are shared by the runs.

    Raises:
        BackendMissing: no such file, or no onnxruntime.
        InvalidCheckpoint: not a graph that ONNX Runtime can run.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise BackendMissing("onnxruntime is not installed", "", "Install koebin[engine]") from error
        if not path.is_file():
            raise BackendMissing("a file is missing", str(path), _AGAIN)
        options = onnxruntime.SessionOptions()
        # A plan per input shape would be kept for every length ever seen, and reserves more than it saves.
        options.enable_mem_pattern = False
        # Weights are not put into the arena, which would round their size up to the next power of two.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        # KleidiAI quantises every row by its own range, and is used on ARM processors with SME alone: with the 8-bit
        # BERT a voice would keep another pace there than on all other machines.
        options.add_session_config_entry("mlas.disable_kleidiai", "1")
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = _open(path, options, threads)
        self.name = path.name
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    def require(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Check that the graph has no inputs but ``inputs``, and has ``outputs``.

        Raises:
            InvalidCheckpoint: it differs.
        """
        unknown = sorted(set(self.inputs) - set(inputs))
        missing = sorted(set(outputs) - set(self.outputs))
        if unknown or missing:
            raise InvalidCheckpoint(
                f"not the expected graph: unknown inputs {unknown}, missing outputs {missing}", self.name
            )

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """Named outputs; inputs that the graph does not have are left out.

        Raises:
            InferenceFailed: the graph fails, or an output is not finite.
        """
        results = self.compute(outputs, inputs)
        for name, result in zip(outputs, results, strict=True):
            if not np.isfinite(result).all():
                raise InferenceFailed(f"the network's {name} are not finite numbers", self.name)
        return results

    def compute(self, outputs: Sequence[str], inputs: Mapping[str, Array]) -> list[Array]:
        """``run`` for intermediate results, without the check for finite numbers."""
        feeds = {name: inputs[name] for name in self.inputs}
        try:
            results: list[Array] = self._session.run(list(outputs), feeds)
        except Exception as error:
            raise InferenceFailed(f"ONNX Runtime failed ({first_line(error)})", self.name) from error
        return results


_shared: Final[WeakValueDictionary[str, Session]] = WeakValueDictionary()
_sharing: Final = Lock()


def shared_session(path: Path) -> Session:
    """Session of a graph that takes its weights as inputs, shared by all voices with the same graph.

    Raises:
        BackendMissing, InvalidCheckpoint: as ``Session``.
    """
    content = sha256(path)
    with _sharing:
        session = _shared.get(content) or Session(path)
        _shared[content] = session
    return session


def simplify(source: Path, target: Path, weights: str = "") -> None:
    """Write the graph with constants folded: the same results, loaded in half the time.

    Args:
        source: a graph.
        target: where it goes.
        weights: a file name beside ``target`` for the weights. They are then mapped into memory instead of read and
            parsed: a large graph is loaded in a quarter of the time and of the memory.

    Only operators of ONNX itself are written, so that the file fits any later version of ONNX Runtime and any machine.

    Raises:
        InvalidCheckpoint: not a graph that ONNX Runtime can run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    if weights:
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", weights)
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    _open(source, options)
    if weights:
        # ONNX Runtime makes it readable by its owner alone, unlike the graph.
        target.with_name(weights).chmod(target.stat().st_mode)


@cache
def _share_arena() -> None:
    """Share one arena of working memory among all graphs of the process."""
    import onnxruntime

    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    # Repeating it, which two threads at once might do, only registers another one for sessions that come later.
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(0, -1, -1, -1))


def _open(path: Path, options: Any, threads: int = 1) -> Any:
    import onnxruntime

    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidCheckpoint(
            f"ONNX Runtime cannot load the graph ({first_line(error)})", str(path), _AGAIN
        ) from error


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        BackendMissing: there is no such file.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise BackendMissing("a file is missing", str(path), _AGAIN) from None


def first_line(error: BaseException) -> str:
    """Message of an error without the native stack trace that follows it."""
    return str(error).split("\n", 1)[0][:200]
