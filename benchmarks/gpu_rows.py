"""GPU rows of the table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.engine_rows import Setting, busy
from benchmarks.queue_rows import bench, sentences_of
from benchmarks.rows import Figure
from koebin.tasks.script import Script


def worker_rows(setting: Setting) -> Iterator[tuple[str, Figure]]:
    """A chapter many times over through a real worker, by the engine alone with the same sentences."""
    load = busy()
    text = "\n".join([setting.texts.chapter] * 20)
    with setting.start_ours() as probe:
        probe.ask("render", speaker="first", text=text)
        alone = probe.ask("render", speaker="first", text=text)
    tree = setting.tree.resolve().as_uri()
    # Every sentence differs, or the second one like it would be found in the store.
    passages = [
        replace(passage, speaker="first", options=replace(passage.options, take=number))
        for number, passage in enumerate(sentences_of(text))
    ]
    settings = {
        "cache": setting.work.resolve() / "cache",
        "bert": tree,
        "device": setting.device,
        "decoder": setting.decoder,
    }
    with bench() as b, b.worker(os.sched_getaffinity(0), f"first={tree}", **settings) as worker:
        b.ready(worker)
        times = b.run("job", Script(passages))
        seconds = sum(document.seconds for document in b.done("job"))
    through = seconds / (times.assembling - times.submitted)
    note = f"{alone['audio'] / alone['wall']:.0f} × real time alone, {through:.0f} × through the worker"
    yield "gpu_worker", Figure.of([100 * through / (alone["audio"] / alone["wall"])], load=load, note=note)
