"""Documentation against the repository: links, paths, modules, commands and the public names."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import koebin

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("deploy/**/*.md")]
)
HISTORY = {"CHANGELOG.md"}

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FOLDERS = "engine|tasks|worker|producers|koebin|tests|docs|docker|deploy|examples|benchmarks|requirements"
_PATH = re.compile(rf"(?<![\w./~-])(?:{_FOLDERS})/[\w./-]+")
_MODULE = re.compile(r"python3? (?:-P )?-m ((?:koebin|benchmarks|tests)[\w.]*)")


def relative(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(text: str) -> str:
    return re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip()) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in _LINK.findall(_CODE.sub("", without_code(page.read_text(encoding="utf-8")))):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in HISTORY], ids=relative)
def test_paths_and_modules_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = {path.rstrip("./") for code in _CODE.findall(text) for path in _PATH.findall(code) if "NNNN" not in path}
    missing = [path for path in sorted(paths) if not (ROOT / path).exists()]
    modules = [name for name in sorted(set(_MODULE.findall(text))) if importlib.util.find_spec(name) is None]
    assert (missing, modules) == ([], [])


def test_the_readmes_say_the_same() -> None:
    english, japanese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))

    def commands(text: str) -> list[str]:
        code = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        return [re.sub(r"\s+#.*", "", line).rstrip() for block in code for line in block.splitlines()]

    def links(text: str) -> list[str]:
        found = [target for target in _LINK.findall(text) if not target.startswith("README")]
        return [target.replace(".ja.md", ".md") for target in found]

    assert commands(english) == commands(japanese)
    assert links(english) == links(japanese)
    assert english.count("\n## ") == japanese.count("\n## ")


def test_every_public_name_is_in_the_api_reference() -> None:
    reference = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs/api").glob("*.md"))
    documented = {line.rpartition(".")[2] for line in re.findall(r"^::: (\S+)", reference, re.MULTILINE)}
    others = set(re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE))
    assert set(koebin.__all__) - documented - others - {"KoebinError"} == set()


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").glob("**/*.md")]
    missing = [page for page in sorted(pages) if f": {page}\n" not in navigation]
    assert missing == [], "add them to nav in mkdocs.yml"


def test_every_decision_is_in_the_list() -> None:
    listed = (ROOT / "docs/adr/index.md").read_text(encoding="utf-8")
    records = sorted(page for page in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert len(records) >= 32
    for number, record in enumerate(records, start=1):
        text = record.read_text(encoding="utf-8")
        title = text.partition("\n")[0].removeprefix(f"# {number}. ")
        assert f"| [{title}]({record.name}) |" in listed
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"]
