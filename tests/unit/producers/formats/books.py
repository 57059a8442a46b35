"""EPUBs made by hand, good and hostile ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""
NAV = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>目次</title></head><body>
<nav epub:type="landmarks"><ol><li><a href="one.xhtml">表紙</a></li></ol></nav>
<nav epub:type="toc"><h1>目次</h1><ol><li><a href="one.xhtml">第一章　<ruby>朝<rt>あさ</rt></ruby></a></li>
<li><a href="two.xhtml#second">第二章</a></li></ol></nav></body></html>"""
NCX = """<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>
<navPoint><navLabel><text>古い第一章</text></navLabel><content src="one.xhtml"/></navPoint></navMap></ncx>"""
ONE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><style>p { color: red }</style></head><body>
<h1>第一章</h1><p>  <ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>と&nbsp;<b>太字</b>の
行です。<br/>次の行<img class="gaiji" src="x.png" alt="々"/>。</p><div>地の文<p>段落</p>残り</div>
<script>alert(1)</script><p hidden="hidden">隠れた文</p></body></html>"""
TWO = """<html xmlns="http://www.w3.org/1999/xhtml"><body><p>前の続き。</p><h2 id="second">第二章</h2>
<p><ruby><rb>明日</rb><rp>（</rp><rt>あした</rt><rp>）</rp></ruby>です&#x3002;</p></body></html>"""


def package(
    manifest: str = "", spine: str = '<itemref idref="one"/><itemref idref="two"/>', metadata: str = "", ncx: str = ""
) -> str:
    return f"""<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>小さな本</dc:title><dc:creator>声便</dc:creator>
<dc:creator>もう一人</dc:creator>{metadata}</metadata><manifest>
<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>
<item id="two" href="two.xhtml" media-type="application/xhtml+xml"/>{manifest}</manifest>
<spine{ncx}>{spine}</spine></package>"""


NAV_ITEM = '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
COVER_ITEM = '<item id="c" href="images/cover%20page.png" media-type="image/png" properties="cover-image"/>'


def epub(path: Path, files: dict[str, str | bytes | None] | None = None) -> Path:
    """A good book, with some files replaced, added, or (None) left out."""
    content: dict[str, str | bytes | None] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/package.opf": package(NAV_ITEM + COVER_ITEM),
        "OEBPS/nav.xhtml": NAV,
        "OEBPS/one.xhtml": ONE,
        "OEBPS/two.xhtml": TWO,
        "OEBPS/images/cover page.png": PNG,
        **(files or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            if data is not None:
                kind = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
                archive.writestr(name, data, compress_type=kind)
    return path
