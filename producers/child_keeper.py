"""Keeper of a command's folder and children: ends these and removes that, however the command ends.

It is a process of its own. Its standard input is a pipe whose other end the command alone holds: when the command is
gone, by a signal, with its terminal or by SIGKILL, the pipe ends. Its children have a death signal of the kernel's,
which follows the *thread* that started them: the keeper has one thread, so it comes if the keeper itself is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from koebin.engine.errors import ConfigurationError
from koebin.producers.death_signal import death_signal

ENDED: Final = "ended"
"""File that names the child that ended by itself, and its exit code."""
_PATIENT_SECONDS: Final = 20.0
"""For a command that closes the pipe after a word: its worker may end its last message."""
_HASTY_SECONDS: Final = 2.0
"""For a command that was killed: what is spoken now nobody waits for."""
_POLL_SECONDS: Final = 0.1
_END_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A keeper; ``folder`` holds the logs of its children."""

    process: subprocess.Popen[bytes]
    folder: Path

    def lives(self) -> bool:
        """Whether it and all its children run."""
        return self.process.poll() is None and not (self.folder / ENDED).exists()


@contextmanager
def kept(folder: Path, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Iterator[Kept]:
    """A keeper with its children; it ends them and removes the folder as soon as this process is gone.

    Args:
        folder: one that is there; it is removed at the end.
        commands: what to start, by the names of their logs.
        environment: variables of the children, beside this process's own.
    """
    command = [sys.executable, "-P", "-m", "koebin.producers.child_keeper", str(folder), json.dumps(commands)]
    with (folder / "keeper.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a terminal that is closed ends the command alone, and the keeper sees that
        )
    try:
        yield Kept(process, folder)
    finally:
        try:
            process.communicate(b"!", timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()


@contextmanager
def scratch() -> Iterator[None]:
    """A folder for all temporary files of this process, which is gone after it, however it ends.

    Raises:
        ConfigurationError: there is no place for one.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="koebin-"))
    except OSError as error:
        hint = "Set TMPDIR to a folder that can be written to"
        raise ConfigurationError(f"no folder for temporary files can be made ({error.strerror})", "", hint) from error
    with kept(folder, {}, {}):
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


class Commands:
    """Starts commands, one after the other, and ends them in the opposite order.

    Args:
        folder: of their logs; it is removed at the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a command; it writes to the log of its name."""
        with (self._folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=death_signal(signal.SIGTERM),
            )
        self._children.append((name, child))

    def wait(self, orders: int) -> bool:
        """Wait until the command is gone. Returns whether it took leave.

        Args:
            orders: descriptor of the pipe.
        """
        seconds = _POLL_SECONDS if self._children else None
        while True:
            readable, _, _ = select.select([orders], [], [], seconds)
            if readable:
                return os.read(orders, 1) != b""
            for name, child in self._children:
                if child.poll() is not None and not (self._folder / ENDED).exists():
                    (self._folder / ENDED).write_text(f"{name} {child.returncode}")

    def end(self, seconds: float) -> None:
        """SIGTERM, then SIGKILL to each one's session; then the folder."""
        deadline = time.monotonic() + seconds
        for _, child in reversed(self._children):
            if child.poll() is None:
                child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # its own children, too
            child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def main(arguments: Sequence[str]) -> None:
    """``FOLDER JSON``: the commands by their names, as a JSON object."""
    for number in (signal.SIGHUP, signal.SIGINT):  # a command closes the pipe; a terminal does not end its children
        signal.signal(number, signal.SIG_IGN)

    def leave(*_: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    keeper, seconds = Commands(Path(arguments[0])), _HASTY_SECONDS
    try:
        for name, command in json.loads(arguments[1]).items():
            keeper.start(name, command)
        if keeper.wait(sys.stdin.fileno()):
            seconds = _PATIENT_SECONDS
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.end(seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
