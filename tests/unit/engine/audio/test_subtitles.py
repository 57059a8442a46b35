"""Marks as files, read back by FFmpeg's parsers and by strict patterns of our own."""

import io
import json
import re

import av
import pytest

from koebin.engine.audio.line_breaks import width
from koebin.engine.audio.marks import LEVELS, Mark, Marks
from koebin.engine.audio.subtitles import subtitle_format, to_text
from koebin.engine.errors import InvalidOption

MARKS = Marks(
    sentences=(
        Mark("「<b>猫</b>」 & 犬 --> 鳥。", 0.0, 1.5, "mei"),
        Mark("一行目\n\n二行目、" + "とても長い文がつづきます、" * 5 + "終わり。", 2.0, 3.9996, "jvnv-F1-jp"),
        Mark("短。", 3661.0004, 3661.0004, "mei"),
    ),
    words=(Mark("猫", 0.1, 0.4), Mark("犬", 0.5, 0.9), Mark("鳥", 2.0, 2.5), Mark("短", 3661.1, 3661.2)),
    moras=(Mark("ネ", 0.1, 0.2), Mark("コ", 0.2, 0.4), Mark("ト", 2.0, 2.2)),
    phones=(Mark("sil", 0.0, 0.1), Mark("n", 0.1, 0.15), Mark("e", 0.15, 0.2)),
)


def by_ffmpeg(text: str, name: str) -> list[tuple[float, float, str]]:
    with av.open(io.BytesIO(text.encode()), format={"vtt": "webvtt"}.get(name, name)) as container:
        stream = container.streams[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [
            (
                float(packet.pts * packet.time_base),
                float((packet.pts + packet.duration) * packet.time_base),
                bytes(packet).decode(),
            )
            for packet in packets
        ]


@pytest.mark.parametrize("name", ["srt", "vtt"])
@pytest.mark.parametrize("level", LEVELS[1:])
def test_ffmpeg_reads_every_cue(name: str, level: str) -> None:
    cues = by_ffmpeg(to_text(MARKS, name, level), name)
    marks = {"word": MARKS.words, "mora": MARKS.moras, "phone": MARKS.phones}[level]
    assert [cue[0] for cue in cues] == pytest.approx([mark.start for mark in marks], abs=0.0006)
    assert [cue[1] for cue in cues] == pytest.approx([mark.end for mark in marks], abs=0.0016)
    assert [re.sub("<[^>]*>", "", cue[2]) for cue in cues] == [mark.text for mark in marks]


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_ffmpeg_reads_the_sentences(name: str) -> None:
    cues = by_ffmpeg(to_text(MARKS, name), name)
    starts = [cue[0] for cue in cues]
    assert starts == sorted(starts)
    assert {0.0, 2.0, 3661.0} <= {round(start, 3) for start in starts}
    assert all(end <= following + 0.001 for (_, end, _), following in zip(cues, starts[1:], strict=False))


def test_srt_is_strict() -> None:
    text = to_text(MARKS, "srt")
    blocks = text.removesuffix("\n\n").split("\n\n")
    for number, block in enumerate(blocks, start=1):
        assert re.fullmatch(rf"{number}\n\d\d:\d\d:\d\d,\d{{3}} --> \d\d:\d\d:\d\d,\d{{3}}\n.+", block, re.DOTALL)
    assert blocks[-1].split("\n")[1] == "01:01:01,000 --> 01:01:01,001"


LONG = (
    "とても長い一文で、字幕に入りきらないほどの言葉がえんえんと続いてゆき、読む人はどこで息をつけばよいのか分からず、"
    "それでも書き手は句点を打とうとせず、読点ばかりを並べて、最後の一文字まで読み終えるのである。"
)


def test_a_long_sentence_becomes_cues_of_two_lines_and_seven_seconds_cut_at_its_words() -> None:
    words = tuple(Mark(word, 1.0 + 0.2 * LONG.index(word), 1.2 + 0.2 * LONG.index(word)) for word in ("読む", "読点"))
    marks = Marks((Mark(LONG, 1.0, 21.0, "mei"),), words)
    blocks = [block.split("\n") for block in to_text(marks, "srt", speakers=True).strip().split("\n\n")]
    texts = [block[2:] for block in blocks]
    assert all(len(lines) <= 2 and all(width(line) <= 44 for line in lines) for lines in texts)
    assert "".join("".join(lines) for lines in texts) == "mei: " + LONG
    seconds = [[float(part[6:].replace(",", ".")) for part in block[1].split(" --> ")] for block in blocks]
    assert all(end - start <= 7.5 for start, end in seconds)
    starts = {lines[0][:2]: start for lines, (start, _) in zip(texts, seconds, strict=True)}
    assert starts["読点"] == pytest.approx(words[1].start), "a cue begins with its first word"


def test_a_short_cue_stays_on_while_nothing_follows_it() -> None:
    marks = Marks((Mark("はい。", 0.0, 0.3), Mark("いいえ。", 0.5, 0.9), Mark("そう。", 5.0, 5.3)))
    ends = [block.split(" --> ")[1][:12] for block in to_text(marks, "srt").strip().split("\n\n")]
    assert ends == ["00:00:00,417", "00:00:01,500", "00:00:05,300"]


def test_what_looks_like_a_tag_is_shown_in_srt() -> None:
    text = to_text(Marks((Mark("List<String> と{\\an8}と<今から>と 3 < 5。", 0.0, 5.0),)), "srt")
    assert "List<\u2060String> と{\u2060\\an8}と<今から>と 3 < 5。" in text.replace("\n", "")


def test_srt_names_the_speaker_where_asked() -> None:
    assert "\nmei: 短。" in to_text(MARKS, "srt", speakers=True)
    assert "mei" not in to_text(MARKS, "srt")
    assert "mei" not in to_text(MARKS, "srt", "word", speakers=True)


def test_vtt_escapes_and_names_the_voice() -> None:
    text = to_text(MARKS, "vtt")
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n")
    assert "<v mei>「&lt;b&gt;猫&lt;/b&gt;」 &amp; 犬 --&gt; 鳥。</v>" in text
    # Only timing lines hold an arrow.
    assert text.count("-->") == 5


def test_a_name_that_is_given_takes_the_place_of_the_speaker() -> None:
    one = Marks((Mark("短。", 0.0, 1.0, "mei"),))
    assert "\n駅員: 短。" in subtitle_format("srt").body(one, "駅員")
    assert "<v 駅&lt;員>短。</v>" in subtitle_format("vtt").body(one, "駅<員")
    assert (
        json.loads("[" + subtitle_format("json").body(one, "駅員") + "]")[0].items()
        >= {
            "speaker": "mei",
            "name": "駅員",
        }.items()
    )
    for form in ("srt", "vtt"):
        assert "mei" not in subtitle_format(form, speakers=True).body(one, ""), "a narrator is not announced"


def test_labels_are_in_units_of_100_ns() -> None:
    assert to_text(MARKS, "lab") == "1000000 2000000 ネ\n2000000 4000000 コ\n20000000 22000000 ト\n"
    assert to_text(MARKS, "lab", "phone").splitlines()[0] == "0 1000000 sil"
    for line in to_text(MARKS, "lab", "sentence").splitlines():
        assert re.fullmatch(r"\d+ \d+ \S+", line)


def test_json_nests_each_level_in_its_sentence() -> None:
    parsed = json.loads(to_text(MARKS, "json"))
    assert parsed["version"] == 1
    assert [one["speaker"] for one in parsed["sentences"]] == ["mei", "jvnv-F1-jp", "mei"]
    assert [one["text"] for one in parsed["sentences"]] == [mark.text for mark in MARKS.sentences]
    assert [[word["text"] for word in one["words"]] for one in parsed["sentences"]] == [["猫", "犬"], ["鳥"], ["短"]]
    assert parsed["sentences"][0]["moras"][1] == {"text": "コ", "start": 0.2, "end": 0.4}
    assert len(parsed["sentences"][0]["phones"]) == 3
    assert json.loads(to_text(Marks(), "json")) == {"version": 1, "sentences": []}


@pytest.mark.parametrize("name", ["srt", "vtt", "lab", "json"])
def test_piece_by_piece_gives_the_same_file(name: str) -> None:
    chosen = subtitle_format(name)
    first = Marks(MARKS.sentences[:1], MARKS.words[:2], MARKS.moras[:2], MARKS.phones)
    second = Marks(MARKS.sentences[1:], MARKS.words[2:], MARKS.moras[2:])
    following = second.sentences[0].start
    pieces = [chosen.head(), chosen.body(first, None, following), chosen.body(second), chosen.foot()]
    assert "".join(pieces) == to_text(MARKS, name)


def test_refuses_unknown_formats_and_levels() -> None:
    with pytest.raises(InvalidOption, match="Use srt, vtt, lab, json"):
        subtitle_format("ass")
    with pytest.raises(InvalidOption, match="Use sentence, word, mora, phone"):
        subtitle_format("srt", "kana")
