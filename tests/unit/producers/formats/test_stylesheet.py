import pytest

from koebin.producers.formats.stylesheet import MAX_HIDING_RULES, StyleSheet


def hides(sheet, tag="p", media="", **attributes):
    styles = StyleSheet()
    styles.add(sheet, media)
    return styles.hides(tag, {name.rstrip("_"): value for name, value in attributes.items()})


@pytest.mark.parametrize(
    "sheet",
    [
        ".x{display:none}",
        "/* a } */ p.x , h1 { color: red; DISPLAY : none ! important }",
        "#i{visibility:hidden}",
        "p{display:block} .x{display:none}",
        ".x{display:none} p{display:block}",
        "@import 'a.css'; @charset \"utf-8\"; .x{display:none}",
        "@media screen{.x{display:none}}",
        "@media all { @media only screen { p#i.y.x { display: none; } } }",
        "@font-face{src:url(a)} .x{display:none}",
        ".x{display:none!important} #i{display:block}",
        "*.x{visibility:collapse}",
    ],
)
def test_what_hides(sheet):
    assert hides(sheet, class_="y x", id=" i ")


@pytest.mark.parametrize(
    "sheet",
    [
        "",
        ".x{display:block}",
        ".z{display:none} h1.x{display:none} .x.z{display:none}",
        ".x{display:none} .x{display:block}",
        ".x{display:none} #i{display:block}",
        "@media print{.x{display:none}}",
        "@media amzn-mobi{.x{display:none}}",
        "@supports (x:y){.x{display:none}}",
        "@keyframes x{from{visibility:hidden}}",
        "/* .x{display:none} */",
        "/* .x{display:none}",
        "div .x{display:none} aside > p{display:none} p:first-child{display:none} p[id]{display:none}",
        ".x{list-style:none; text-decoration:none; content:'display:none'}",
        ".x{display:none",
        "}}}.x{",
    ],
)
def test_what_does_not(sheet):
    assert not hides(sheet, class_="y x", id="i")


def test_the_whole_page_is_never_hidden():
    assert not hides("body{display:none} *{visibility:hidden}", tag="body")
    assert hides("body.x{display:none}", tag="body", class_="x")


def test_a_style_of_its_own():
    assert hides("", style="color:red; display: none")
    assert hides("", style="VISIBILITY:hidden")
    assert not hides(".x{display:none}", class_="x", style="display:block")
    assert hides(".x{display:none !important}", class_="x", style="display:block")
    assert not hides("", style="text-display:none; display:inline")


def test_sheets_for_paper():
    assert not hides(".x{display:none}", media="print", class_="x")
    assert hides(".x{display:none}", media="Screen", class_="x")


def test_rules_are_bounded():
    styles = StyleSheet()
    styles.add("".join(f".x{number}{{display:none}}" for number in range(MAX_HIDING_RULES + 1)))
    assert styles.hides("p", {"class": "x0"})
    assert not styles.hides("p", {"class": f"x{MAX_HIDING_RULES}"})
