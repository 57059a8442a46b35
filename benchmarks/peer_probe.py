"""Probe process for hayakoe 1.3.1, like ``benchmarks.probe``, run by a Python that has it: needs nothing of this
project.
"""

import json
import os
import sys
import time


def main():
    tree, cache, device = sys.argv[1:4]
    from hayakoe import TTS

    tts = TTS(device, cache_dir=cache, bert_source=tree)
    commands = {
        "load": lambda speaker, **_: load(tts, speaker, tree),
        "speak": lambda speaker, text: length(tts.speakers[speaker].generate(text)),
        "render": lambda speaker, text: length(tts.speakers[speaker].generate(text)),
        "first": lambda speaker, text: first(tts.speakers[speaker], text),
        "front_end": lambda speaker, text: front_end(tts.speakers[speaker], text),
    }
    for line in sys.stdin:
        order = json.loads(line)
        work = commands[order.pop("do")]
        wall, cpu = time.perf_counter(), time.process_time()
        said = work(**order)
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "cpu_total": time.process_time()}
        print("\x1e" + json.dumps({**took, **memory(), **said}), flush=True)


def memory():
    with open(f"/proc/{os.getpid()}/status") as file:
        rows = dict(line.split(":", 1) for line in file)
    names = {"resident": "VmRSS", "peak": "VmHWM", "anonymous": "RssAnon"}
    return {name: int(rows[row].split()[0]) / 1024 for name, row in names.items()}


def load(tts, speaker, tree):
    tts.load(speaker, source=tree).prepare(warmup=True)
    return {}


def length(result):
    return {"audio": len(result.data) / result.sr}


def first(speaker, text):
    stream = speaker.stream(text)
    try:
        return length(next(stream))
    finally:
        stream.close()


def front_end(speaker, text):
    """CPU milliseconds of what it does to each sentence before BERT."""
    from hayakoe.api.speaker import _split_sentences
    from hayakoe.nlp import bert_models

    tokenizer = bert_models.load_tokenizer()
    milliseconds = []
    for sentence in _split_sentences(text)[:100]:
        started = time.process_time()
        prepared = speaker._preprocess_nlp(sentence)
        tokenizer(speaker._bert_clean_texts([prepared]), return_tensors="np")
        milliseconds.append(1000 * (time.process_time() - started))
    return {"milliseconds": milliseconds}


if __name__ == "__main__":
    main()
