"""Probe processes of the two engines, asked in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).resolve().parents[1]
Answer = dict[str, Any]


class Probe:
    """A process of ``benchmarks.probe`` or ``benchmarks.peer_probe``, with one speaker loaded and warm.

    Attributes:
        ready: the answer to the first sentence, its ``wall`` and ``cpu`` counted from the start of the process.
    """

    def __init__(self, command: list[str], tree: Path, cache: Path, device: str, sentence: str) -> None:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, str(tree.resolve()), str(cache.resolve()), device],
            cwd=ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.loaded = self.ask("load", speaker="first")
        answer = self.ask("speak", speaker="first", text=sentence)
        self.ready = {**answer, "wall": time.perf_counter() - started, "cpu": answer["cpu_total"]}

    def ask(self, do: str, **order: str) -> Answer:
        """Give an order and wait for the answer.

        Raises:
            RuntimeError: the process has ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the process has no pipes")
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("\x1e"):
                answer: Answer = json.loads(line[1:])
                return answer
        raise RuntimeError(f"the process ended with {self._process.wait()} at {do}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def ours(decoder: str) -> list[str]:
    """The command of our probe."""
    return [sys.executable, "-m", "benchmarks.probe", decoder]


def peer(python: Path) -> list[str]:
    """The command of the peer's probe."""
    return [str(python), str(ROOT / "benchmarks" / "peer_probe.py")]
