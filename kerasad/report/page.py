"""The page: one HTML file with its style, its script and its data, which requests nothing."""

import base64
import hashlib
from importlib import resources
from typing import Any

import numpy as np

from kerasad.errors import MissingPackageError
from kerasad.overlay import palette

_SCRIPTS = (
    "common.js",
    "state.js",
    "threshold.js",
    "images.js",
    "enlarge.js",
    "latent.js",
    "start.js",
)


def check_report_possible() -> None:
    """Raises a `MissingPackageError` unless the packages of the extra `report` are installed."""
    try:
        import jinja2  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise MissingPackageError.of_extra("The report", error.name, "report") from error


def render(**values: Any) -> str:
    """Fills the template; all text is escaped, and nothing is fetched from anywhere.

    The page allows pictures from `data:` addresses and the one script that it holds, by its hash,
    and forbids the browser everything else.
    """
    import jinja2
    import markupsafe

    folder = resources.files("kerasad.report")
    texts = {
        name: folder.joinpath(name).read_text("utf-8")
        for name in ("template.html", "charts.html", "report.css", *_SCRIPTS)
    }
    script = "\n" + "\n".join(texts[name] for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader(texts),
        undefined=jinja2.StrictUndefined,
    )
    # Pictures keep the order that they were drawn in.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment.get_template("template.html").render(
        script=markupsafe.Markup(script),
        script_hash=digest,
        style=markupsafe.Markup(texts["report.css"]),
        colours=map_gradient(),
        **values,
    )


def map_gradient(stops: int = 17) -> str:
    """Returns the colours of the maps as the stops of a gradient."""
    rows = palette()[np.linspace(0, 255, stops).round().astype(int)]
    return ", ".join("#{:02x}{:02x}{:02x}".format(*(row * 255).round().astype(int)) for row in rows)


def pack(values, dtype: str) -> str:
    """Returns numbers as little-endian bytes in base64: a script reads them exactly."""
    data = np.asarray(values).astype(np.dtype(dtype).newbyteorder("<")).tobytes()
    return base64.b64encode(data).decode("ascii")
