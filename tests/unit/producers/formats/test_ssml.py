import pytest

from koebin.engine.errors import InvalidScript
from koebin.producers.formats.load import parse_script
from koebin.producers.formats.source import Source
from koebin.producers.formats.speaker_names import Voice

DOCUMENT = """\
<?xml version="1.0" encoding="Shift_JIS"?>
<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="ja-JP">
  <p>
    <s>こんにちは、<break time="250ms"/><break strength="weak"/>世界。</s>
    <s>これは
       二つ目の文。</s>
  </p>
  <prosody rate="120%" pitch="+2st"><prosody rate="-50%" volume="+3dB">遅く。</prosody>速く。</prosody>
  <voice name="ken" style="Happy">私は<sub alias="ケン">Ken</sub>です。</voice>
  <phoneme alphabet="x-amazon-pron-kana" ph="ハ'シ">箸</phoneme>と<phoneme ph="はし">橋</phoneme>、
  <sub alias="世界保健機関">WHO</sub>。 A&amp;B
</speak>
"""


def ssml(text):
    return parse_script(Source(text, "ssml"), Voice("mei"))


def test_a_document():
    passages = ssml(DOCUMENT).passages
    found = [(p.text, p.line, p.speaker, p.ends, p.pause) for p in passages]
    assert found == [
        ("こんにちは、", 4, "mei", "span", 0.5),
        ("世界。", 4, "mei", "sentence", None),
        ("これは二つ目の文。", 5, "mei", "paragraph", None),
        ("遅く。", 8, "mei", "span", None),
        ("速く。", 8, "mei", "span", None),
        ("私はKenです。", 9, "ken", "span", None),
        ("箸と橋、世界保健機関。 A&B", 10, "mei", "paragraph", None),
    ]
    assert [(p.options.speed, p.options.pitch, p.options.volume) for p in passages[3:5]] == [
        (0.6, 2.0, 3.0),
        (1.2, 2.0, 0.0),
    ]
    assert passages[5].options.style == "Happy"
    readings = [(p.text[r.start : r.end], r.kana, r.accent) for p in passages for r in p.readings]
    assert readings == [("Ken", "ケン", None), ("箸", "ハシ", 1), ("橋", "はし", None)]


@pytest.mark.parametrize(
    ("attribute", "field", "value"),
    [
        ('rate="fast"', "speed", 1.25),
        ('rate="1.5"', "speed", 1.5),
        ('rate="80%"', "speed", 0.8),
        ('rate="+10%"', "speed", 1.1),
        ('pitch="high"', "pitch", 3.0),
        ('pitch="-3st"', "pitch", -3.0),
        ('pitch="+100%"', "pitch", 12.0),
        ('volume="loud"', "volume", 4.0),
        ('volume="-6dB"', "volume", -6.0),
    ],
)
def test_prosody(attribute, field, value):
    passage = ssml(f"<speak><prosody {attribute}>あ</prosody></speak>").passages[0]
    assert getattr(passage.options, field) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("<speak>\n  <emphasis>あ</emphasis></speak>", 2, 3, "this element is not taken"),
        ("<p>あ</p>", 1, 1, "the document does not begin with speak"),
        ("<speak><speak>あ</speak></speak>", 1, 8, "speak inside of speak"),
        ("<speak>あ<break tyme='1s'/></speak>", 1, 9, "break takes no such attribute"),
        ("<speak>あ<break time='1'/></speak>", 1, 9, "not a time"),
        ("<speak>あ<break time='99s'/></speak>", 1, 9, "the pause is too long"),
        ("<speak>あ<break strength='huge'/></speak>", 1, 9, "not a strength"),
        ("<speak>あ<break>い</break></speak>", 1, 16, "text inside of break"),
        ("<speak><prosody rate='quick'>あ</prosody></speak>", 1, 8, "not a rate"),
        ("<speak><prosody rate='900%'>あ</prosody></speak>", 1, 8, "speed is out of range"),
        ("<speak><prosody pitch='440Hz'>あ</prosody></speak>", 1, 8, "not a pitch"),
        ("<speak><prosody pitch='-100%'>あ</prosody></speak>", 1, 8, "not a pitch"),
        ("<speak><prosody volume='50'>あ</prosody></speak>", 1, 8, "not a volume"),
        ("<speak><prosody>あ</prosody></speak>", 1, 8, "prosody changes nothing"),
        ("<speak><voice>あ</voice></speak>", 1, 8, "name is missing"),
        ("<speak><voice name='../x'>あ</voice></speak>", 1, 8, "not a valid speaker name"),
        ("<speak><sub>あ</sub></speak>", 1, 8, "alias is missing"),
        ("<speak><sub alias='あ'></sub></speak>", 1, 23, "sub holds no text"),
        (f"<speak><sub alias='あ'>{'字' * 101}</sub></speak>", 1, 124, "sub holds more than 100 characters"),
        ("<speak><sub alias='あ'><p>い</p></sub></speak>", 1, 23, "sub holds an element"),
        ("<speak><phoneme alphabet='ipa' ph='a'>あ</phoneme></speak>", 1, 8, "this alphabet is not taken"),
        ("<speak><phoneme alphabet='kana' ph='abc'>あ</phoneme></speak>", 1, 8, "not kana"),
        ("<speak xml:lang='en-US'>Hello</speak>", 1, 1, "only Japanese is spoken"),
        ("<speak>あ</speek>", 1, 11, "the SSML is not well-formed XML (mismatched tag)"),
        ("<speak>&x;</speak>", 1, 8, "the SSML is not well-formed XML (undefined entity)"),
        ("<!DOCTYPE s SYSTEM 'x.dtd'><speak>&x;あ</speak>", 1, 35, "an unknown entity"),
        ("<speak> </speak>", 0, 0, "there is nothing to speak"),
    ],
)
def test_mistakes_have_a_place(text, line, column, what):
    with pytest.raises(InvalidScript) as caught:
        ssml(text)
    assert (caught.value.what, caught.value.line, caught.value.column) == (what, line, column)
