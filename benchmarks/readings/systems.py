"""Front ends under test, each with kana and accent phrases of a text.

Run as a program it reads texts on standard input, so that another environment's packages can be asked:
``PYTHON systems.py NAME``.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

Phrase = tuple[list[str], int, bool]
"""Phones, accent (0 flat) and whether a pause stands before it."""
_PHONE = re.compile(r"-(.*?)\+")
_F = re.compile(r"/F:(\d+|xx)_(\d+|xx)(\S*?)/G:")
_I = re.compile(r"/I:(\S*?)/J:")


def phrases(labels: list[str]) -> list[Phrase]:
    """Accent phrases of full-context labels; a final accent is 0, as labels cannot tell it from none."""
    found: list[Phrase] = []
    key: Any = None
    pause = True
    for label in labels:
        phone = _PHONE.search(label)[1]  # type: ignore[index]
        if phone in ("sil", "pau"):
            pause, key = True, None
            continue
        fields = _F.search(label)
        here = (fields[0], _I.search(label)[1])  # type: ignore[index]
        if here != key or not found:
            size, accent = fields[1], fields[2]  # type: ignore[index]
            fall = int(accent) if accent != "xx" else 0
            found.append(([], 0 if size != "xx" and fall >= int(size) else fall, pause))
            key, pause = here, False
        found[-1][0].append(phone)
    return found


def koebin() -> Callable[[str], tuple[str, list[Phrase]]]:
    from koebin.engine.text.frontend import analyze_utterances, warm_up
    from koebin.engine.text.sentences import split_sentences

    warm_up()

    def read(text: str) -> tuple[str, list[Phrase]]:
        analyses = [one for sentence in split_sentences(text) for one in analyze_utterances(sentence.text)]
        kana = "".join(node.pron for one in analyses for node in one.nodes)
        return kana, [phrase for one in analyses for phrase in phrases(list(one.labels))]

    return read


def pyopenjtalk() -> Callable[[str], tuple[str, list[Phrase]]]:
    """The package of that name that is installed: pyopenjtalk or pyopenjtalk-plus, called plainly."""
    import pyopenjtalk as package

    def read(text: str) -> tuple[str, list[Phrase]]:
        words = package.run_frontend(text)
        return "".join(word["pron"] for word in words), phrases(package.make_label(words))

    return read


def haqumei() -> Callable[[str], tuple[str, list[Phrase]]]:
    import haqumei as package

    front = package.Haqumei()

    def read(text: str) -> tuple[str, list[Phrase]]:
        return "".join(word.pron for word in front.run_frontend(text)), phrases(front.extract_fullcontext(text))

    return read


def hayakoe() -> Callable[[str], tuple[str, list[Phrase]]]:
    from hayakoe.nlp.japanese.normalizer import normalize_text

    plain = pyopenjtalk()
    return lambda text: plain(normalize_text(text))


SYSTEMS: dict[str, Callable[[], Callable[[str], tuple[str, list[Phrase]]]]] = {
    "koebin": koebin,
    "pyopenjtalk": pyopenjtalk,
    "haqumei": haqumei,
    "hayakoe": hayakoe,
}


def main() -> None:
    read = SYSTEMS[sys.argv[1]]()
    texts = [json.loads(line) for line in sys.stdin]
    for text in texts[:20]:
        read(text)
    for text in texts:
        began = time.process_time()
        try:
            kana, found = read(text)
        except Exception as error:  # noqa: BLE001 what a system refuses counts as read wrongly
            kana, found = f"!{type(error).__name__}", []
        print(json.dumps({"kana": kana, "phrases": found, "cpu": time.process_time() - began}, ensure_ascii=False))


if __name__ == "__main__":
    main()
