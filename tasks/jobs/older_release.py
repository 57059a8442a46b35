"""Older release: what of a job its workers cannot read, for as long as one of them is live.

They refuse a document that has a field which they do not know, and with it the job. So a field that the last release
did not have is left out while one of its workers is live, or the job is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from koebin.engine.errors import BackendMissing
from koebin.tasks.contracts import VoiceCredit
from koebin.tasks.jobs.planning import Target
from koebin.tasks.jobs.submission import JobOptions
from koebin.tasks.script import Script


def readable_by_older(
    worker: str, script: Script, job_options: JobOptions, targets: Mapping[str, Target]
) -> tuple[Script, dict[str, Target]]:
    """A script and its targets without what is only told: series, credits, and what was left out of the input.

    Args:
        worker: name of a live worker of an older release, for the message.

    Raises:
        BackendMissing: the job asks for something that such a worker cannot do.
    """
    for wanted in _later(script, job_options):
        hint = "Replace it by one of this release, or submit the job without that"
        raise BackendMissing(f"a live worker is of an older release and cannot do {wanted}", worker, hint)
    plain = {
        name: replace(target, planned=target.planned.model_copy(update={"credit": VoiceCredit()}))
        for name, target in targets.items()
    }
    return replace(script, series="", volume="", left_out=(), warnings=()), plain


def _later(script: Script, job_options: JobOptions) -> Iterator[str]:
    """What the last release's documents have no field for."""
    if job_options.output.epub:
        yield "--epub"
    if job_options.output.audiobookshelf:
        yield "--audiobookshelf"
    if any(passage.start is not None or passage.end is not None for passage in script.passages):
        yield "texts at times of their own"
    if any(passage.lead for passage in script.passages):
        yield "a pause before the first text"
    if any(passage.options.accent_strength != 1 for passage in script.passages):
        yield "accent_strength"
