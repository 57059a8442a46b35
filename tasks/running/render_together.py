"""Micro-batch rendering: missing sentences of several single texts in one pass, before each text's own task."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from koebin.engine.errors import GiveBack, KoebinError
from koebin.tasks.contracts import RenderRequest, SegmentSpec, SynthesizeRequest, parse
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.running.text import plan_text, sentence_request
from koebin.tasks.segments import store as segments
from koebin.tasks.stores.base import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Sentence of one of the texts, with the place of its audio."""

    store: Store
    speaker: str
    spec: SegmentSpec

    @property
    def place(self) -> tuple[str, str]:
        return self.store.uri, self.spec.key


def render_together(runtime: Runtime, messages: Sequence[object]) -> list[tuple[str, ...]]:
    """Render the missing sentences of the texts, in one pass for each speaker.

    Nothing is refused here, and no text affects another. What cannot be planned or rendered is left to the text's own
    task, which reports the reason.

    Returns:
        For each text the keys of its sentences that were made here.
    """
    texts = [list(_wanted(runtime, message)) for message in messages]
    made: set[tuple[str, str]] = set()
    with suppress(GiveBack):
        lacking = _lacking(texts)
        for speaker in dict.fromkeys(wanted.speaker for wanted in lacking):
            made.update(_render(runtime, speaker, [wanted for wanted in lacking if wanted.speaker == speaker]))
    log.info("micro-batch: %d sentences of %d texts rendered in one pass", len(made), len(texts))
    return [tuple(wanted.spec.key for wanted in text if wanted.place in made) for text in texts]


def _wanted(runtime: Runtime, message: object) -> Iterator[_Wanted]:
    """Sentences of a text that can be spoken; none of a text that will be refused."""
    try:
        renders = isinstance(message, dict) and "phrases" in message  # what only koebin.render has
        request = parse(RenderRequest, message, extra="ignore") if renders else parse(SynthesizeRequest, message)
        store = runtime.open_store(request.store)
        planned = [_Wanted(store, request.speaker, spec) for _, spec in plan_text(runtime, request)]
        runtime.speakers[request.speaker].render([sentence_request(wanted.spec) for wanted in planned])  # only checks
    except KoebinError:
        return
    except Exception:
        log.exception("a text is left out of the micro-batch: it cannot be planned")
        return
    yield from planned


def _lacking(texts: list[list[_Wanted]]) -> list[_Wanted]:
    """Sentences that their stores do not have, each once."""
    wanted = {sentence.place: sentence for text in texts for sentence in text}
    stores = {sentence.store.uri: sentence.store for sentence in wanted.values()}
    present = set()
    for uri, store in stores.items():
        try:
            keys = segments.stored(store, (key for place, key in wanted if place == uri))
        except Exception as error:
            log.warning(
                "a store cannot be read; the micro-batch is skipped for it: %s",
                error,
                exc_info=not isinstance(error, KoebinError),
            )
            keys = {key for place, key in wanted if place == uri}
        present |= {(uri, key) for key in keys}
    return [sentence for place, sentence in wanted.items() if place not in present]


def _render(runtime: Runtime, speaker: str, wanted: list[_Wanted]) -> Iterator[tuple[str, str]]:
    """Places of those that were rendered and stored."""
    guard = Guard(runtime, "", "", "")  # for the worker's shutdown only; each task checks its own lease
    guard.check()
    started = time.monotonic()
    try:
        audios = runtime.speakers[speaker].render([sentence_request(sentence.spec) for sentence in wanted])
        for sentence, audio in zip(wanted, audios, strict=True):
            segments.write(sentence.store, sentence.spec.key, audio)
            runtime.observer.segments(speaker, rendered=1)
            runtime.observer.spoken(speaker, audio.duration_seconds, time.monotonic() - started)
            started = time.monotonic()
            yield sentence.place
            guard.check()
    except GiveBack:
        raise
    except Exception:
        log.exception("micro-batch: one pass over %d sentences failed; the rest is rendered text by text", len(wanted))
