"""Checks a built site: no page loads a file from elsewhere, and links into the site have a target.

python scripts/check_site.py site
"""

import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself; a link that a reader follows may lead anywhere.
LOADED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=[\"']([^\"']+)")
SHEETS = re.compile(r"<link\b(?=[^>]*\brel=[\"'](?:stylesheet|icon|preconnect|preload))[^>]*>")
HREF = re.compile(r"\bhref=[\"']?([^\"'\s>]+)")
IMPORTED = re.compile(r"(?:@import\s+|url\()[\"']?(https?:)?//")
LINKS = re.compile(r"<a\b[^>]*?\bhref=[\"']([^\"']+)")


def main(site: Path) -> int:
    """Prints what is wrong, and returns how much."""
    faults = []
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = LOADED.findall(text)
        for sheet in SHEETS.findall(text):
            loaded += HREF.findall(sheet)
        faults += [f"{page}: loads {url}" for url in loaded if is_foreign(url)]
        for url in LINKS.findall(text):
            if page.name != "404.html" and not is_foreign(url) and not has_target(page, url):
                faults.append(f"{page}: {url} leads nowhere")
    for sheet in site.rglob("*.css"):
        if IMPORTED.search(sheet.read_text(encoding="utf-8")):
            faults.append(f"{sheet}: loads a file from elsewhere")
    print("\n".join(faults) or f"{len(pages)} pages load nothing from elsewhere.")
    return len(faults)


def is_foreign(url: str) -> bool:
    """Returns whether an address is outside the site."""
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def has_target(page: Path, url: str) -> bool:
    """Returns whether a relative address of a page is a file of the site."""
    path = unquote(urlsplit(url).path)
    target = page.parent / path
    return not path or target.is_file() or (target / "index.html").is_file()


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1])) else 0)
