"""Block pipeline of one programme: survey, measurement and finishing, in as many threads as there are cores."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from koebin.engine.audio.encoding.flac_frames import Frames, encode_frames
from koebin.engine.audio.loudness import Section
from koebin.engine.errors import InvalidInput
from koebin.engine.tts import available_cores
from koebin.tasks.assembly.programme.block_cache import Shelf, sealed, shelf_name, unsealed
from koebin.tasks.assembly.programme.block_outline import Outline, dump_section, load_section, measured, outlined
from koebin.tasks.assembly.programme.blocks import Block
from koebin.tasks.assembly.programme.mastering import Master
from koebin.tasks.assembly.programme.temporary_files import Spool, open_spools

FloatArray = NDArray[np.float32]
T = TypeVar("T")

log = logging.getLogger(__name__)

_KEPT_FROM_BLOCKS: Final = 4
"""Shortest programme in seconds that is cached: a shorter one is faster to make again than to look up."""


@dataclass(frozen=True, slots=True)
class FinishedBlock:
    """Finished block: its samples and FLAC frames, None if unused."""

    sound: FloatArray | None
    frames: Frames | None


class Material:
    """State that all passes over a programme share.

    Attributes:
        blocks: in order.
        sample_rate_hz: of the programme.
    """

    def __init__(
        self, blocks: Sequence[Block], sample_rate_hz: int, shelf: Shelf, check: Callable[[], None], folder: Path
    ) -> None:
        self.blocks = blocks
        self.sample_rate_hz = sample_rate_hz
        self._shelf = shelf
        self._check = check
        self._folder = folder
        self._stopped = False
        self._pool: ThreadPoolExecutor
        self._sounds: Spool
        self._outlines: Spool

    @contextmanager
    def opened(self) -> Iterator[Material]:
        """Pipeline in operation; its threads and temporary files end with the context."""
        with open_spools(self._folder) as (self._sounds, self._outlines):
            self._pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="programme")
            try:
                yield self
            finally:
                self._pool.shutdown(cancel_futures=True)

    def survey(self) -> Iterator[tuple[Block, Outline]]:
        """Outline of every block, from the cache or from its sound."""
        for number, (samples, outline) in enumerate(self._in_order(self._surveyed)):
            if samples is not None:
                self._sounds.add(number, samples.tobytes())
            self._outlines.add(number, outline.dump())
            yield self.blocks[number], outline

    def outlines(self) -> Iterator[tuple[Block, Outline]]:
        """Outlines of the survey, again."""
        for number, block in enumerate(self.blocks):
            self._check()
            yield block, Outline.load(self._outlines.read(number))

    def mastered(self, master: Master, sections: Sequence[Section]) -> Iterator[Section]:
        """Loudness of every block once finished; ``sections`` is its loudness now."""
        return self._in_order(lambda number: self._mastered(number, sections[number], master))

    def finished(
        self, master: Master, sections: Sequence[Section], *, sound: bool, flac: bool
    ) -> Iterator[FinishedBlock]:
        """Every block as it goes into the files."""
        return self._in_order(lambda number: self._finished(number, sections[number], master, sound, flac))

    @contextmanager
    def beside(self, work: Callable[[], T]) -> Iterator[Callable[[], T]]:
        """Run in a thread of its own; yields a function that waits for the result. Errors are raised there, or at the
        end.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="programme-audio") as pool:
            future = pool.submit(work)
            try:
                yield future.result
            except BaseException:
                self._stopped = True
                raise

    def _surveyed(self, number: int) -> tuple[FloatArray | None, Outline]:
        name = self._name(number)
        if (kept := self._kept(name, Outline.load)) is not None:
            return None, kept
        samples, outline = outlined(self.blocks[number], self.sample_rate_hz)
        self._keep(name, outline.dump())
        return samples, outline

    def _mastered(self, number: int, section: Section, master: Master) -> Section:
        if not master.limits(section):
            return section.louder(master.gain.db)
        name = self._name(number) and shelf_name("section.json", self._name(number), *master.decisive(section))
        if (kept := self._kept(name, load_section)) is not None:
            return kept
        found = measured(master.apply(self._samples(number), section, self.sample_rate_hz), self.sample_rate_hz)
        self._keep(name, dump_section(found))
        return found

    def _finished(self, number: int, section: Section, master: Master, sound: bool, flac: bool) -> FinishedBlock:
        name = self._name(number) and shelf_name("frames", self._name(number), *master.decisive(section))
        frames = self._kept(name, Frames.load) if flac else None
        if not sound and (frames or not flac or not section.samples):
            return FinishedBlock(None, frames)
        samples = master.apply(self._samples(number), section, self.sample_rate_hz)
        if flac and frames is None and len(samples):
            frames = encode_frames(samples, self.sample_rate_hz)
            self._keep(name, frames.dump())
        return FinishedBlock(samples, frames)

    def _kept(self, name: str, load: Callable[[bytes], T]) -> T | None:
        """Cached bytes under the name; None if absent or damaged."""
        data = self._shelf.get(name) if name else None
        try:
            return load(unsealed(data)) if data is not None else None
        except InvalidInput as error:
            log.warning("cached block is damaged and is made again: %s", error)
            return None

    def _keep(self, name: str, data: bytes) -> None:
        if name:
            self._shelf.put(name, sealed(data))

    def _samples(self, number: int) -> FloatArray:
        if number in self._sounds:
            return np.frombuffer(self._sounds.read(number), dtype=np.float32)
        samples, _ = outlined(self.blocks[number], self.sample_rate_hz)
        return samples

    def _name(self, number: int) -> str:
        """Cache name of the block's outline, "" if it is not cached."""
        identity = self.blocks[number].identity
        if not identity or len(self.blocks) < _KEPT_FROM_BLOCKS:
            return ""
        return shelf_name("outline.json", identity, self.sample_rate_hz)

    def _in_order(self, work: Callable[[int], T]) -> Iterator[T]:
        """Results for all blocks in order, a few of them computed ahead."""
        waiting: deque[Future[T]] = deque()
        for number in range(len(self.blocks)):
            waiting.append(self._pool.submit(work, number))
            if len(waiting) > available_cores():
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: deque[Future[T]]) -> T:
        if self._stopped:
            raise CancelledError
        self._check()
        return waiting.popleft().result()
