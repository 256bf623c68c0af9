"""The page: one HTML file with its style and its script, which asks nobody but its own server."""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

from kerasad.report.page import map_gradient

_STYLES = (("kerasad.report", "report.css"), ("kerasad.inspector", "inspector.css"))
_SCRIPTS = (
    ("kerasad.report", "common.js"),
    *(
        ("kerasad.inspector", f"{name}.js")
        for name in ("state", "threshold", "picture", "history", "files", "good", "start")
    ),
)


@dataclass(frozen=True)
class Page:
    """The page and what it may do.

    Args:
        html: str.
        policy: str. Its Content-Security-Policy: the one style, the one script, pictures that the
            script holds, and requests to the own server. The browser refuses all else.
    """

    html: str
    policy: str


def render_page() -> Page:
    """Puts style and script into the page. It holds no text of the user; the script asks for it."""
    style = f"\n:root {{ --map: {map_gradient()}; }}\n" + _join(_STYLES)
    script = "\n" + _join(_SCRIPTS)
    html = _read("kerasad.inspector", "template.html")
    html = html.replace("/* style */", style).replace("/* script */", script)
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return Page(html, policy)


def _join(names) -> str:
    return "\n".join(_read(*name) for name in names)


def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
