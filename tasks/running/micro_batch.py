"""What several single texts lack, rendered in one pass, so that each of them then finds its sentences made."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from koebin.engine.errors import GiveBack, KoebinError
from koebin.tasks.contracts import SegmentSpec, SynthesizeRequest, parse
from koebin.tasks.running.cancellation import Guard
from koebin.tasks.running.runtime import Runtime
from koebin.tasks.running.text import plan_text, sentence_request
from koebin.tasks.segments import store as segments
from koebin.tasks.stores.base import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A sentence of one of the texts, and where its audio belongs."""

    store: Store
    speaker: str
    spec: SegmentSpec

    @property
    def place(self) -> tuple[str, str]:
        return self.store.uri, self.spec.key


def render_together(runtime: Runtime, messages: Sequence[object]) -> list[tuple[str, ...]]:
    """Render what the texts lack, in one pass for each speaker.

    Nothing is refused here, and no text suffers from another: what cannot be planned or rendered is left to the text's
    own task, which says what is wrong with it.

    Returns:
        For each text the keys of its sentences that were made here.
    """
    texts = [list(_wanted(runtime, message)) for message in messages]
    made: set[tuple[str, str]] = set()
    with suppress(GiveBack):
        lacking = _lacking(texts)
        for speaker in dict.fromkeys(wanted.speaker for wanted in lacking):
            made.update(_render(runtime, speaker, [wanted for wanted in lacking if wanted.speaker == speaker]))
    log.info("%d sentences of %d texts were rendered together", len(made), len(texts))
    return [tuple(wanted.spec.key for wanted in text if wanted.place in made) for text in texts]


def _wanted(runtime: Runtime, message: object) -> Iterator[_Wanted]:
    """The sentences of a text that can be spoken; none of one that will be refused."""
    try:
        request = parse(SynthesizeRequest, message)
        store = runtime.open_store(request.store)
        planned = [_Wanted(store, request.speaker, spec) for _, spec in plan_text(runtime, request)]
        runtime.speakers[request.speaker].render([sentence_request(wanted.spec) for wanted in planned])  # only checks
    except KoebinError:
        return
    except Exception:
        log.exception("a text cannot be planned with others")
        return
    yield from planned


def _lacking(texts: list[list[_Wanted]]) -> list[_Wanted]:
    """Each sentence that its store does not have, once."""
    wanted = {sentence.place: sentence for text in texts for sentence in text}
    stores = {sentence.store.uri: sentence.store for sentence in wanted.values()}
    present = set()
    for uri, store in stores.items():
        try:
            keys = segments.stored(store, (key for place, key in wanted if place == uri))
        except Exception as error:
            log.warning("a store cannot be asked: %s", error, exc_info=not isinstance(error, KoebinError))
            keys = {key for place, key in wanted if place == uri}
        present |= {(uri, key) for key in keys}
    return [sentence for place, sentence in wanted.items() if place not in present]


def _render(runtime: Runtime, speaker: str, wanted: list[_Wanted]) -> Iterator[tuple[str, str]]:
    """The places of those that were rendered and stored."""
    guard = Guard(runtime, "", "", "")  # of the worker's going alone; each task asks after its own lease
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
        log.exception("what is left of %d sentences is rendered text by text", len(wanted))
