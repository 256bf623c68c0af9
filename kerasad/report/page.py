"""The page that a report is: sections of text, tables, figures and examples, filled into HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from kerasad.errors import InputError


@dataclass
class Section:
    """A part of the page; what is empty is left out.

    Args:
        title: str. Heading.
        text: str. Below the heading.
        notes: list of str. Things to know, each in a box of its own.
        tables: list of dicts of `title`, `header` (or None) and `rows`.
        figures: list of dicts of `uri` and `alt`.
        groups: list of dicts of `title`, `meaning`, `total`, `header` and `rows` of examples.
        details: dict of `title` and `text` that is folded, or None.
    """

    title: str
    text: str = ""
    notes: list[str] = field(default_factory=list)
    tables: list[dict] = field(default_factory=list)
    figures: list[dict] = field(default_factory=list)
    groups: list[dict] = field(default_factory=list)
    details: dict | None = None

    def add_table(self, title: str, rows: Sequence, header: Sequence[str] | None = None) -> None:
        """Adds a table of texts; the columns after the first are numbers if there is a header."""
        self.tables.append({"title": title, "header": header, "rows": rows})


def check_report_possible() -> None:
    """Raises an `InputError` unless the packages of the extra `report` are installed."""
    try:
        import jinja2  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"The report needs {error.name}: install it with `pip install 'kerasad[report]'`."
        ) from error


def render(title: str, subtitle: str, sections: Sequence[Section], **values: Any) -> str:
    """Fills the template; all text is escaped, and nothing is fetched from anywhere."""
    import jinja2

    text = resources.files("kerasad.report").joinpath("template.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(text)
    return template.render(title=title, subtitle=subtitle, sections=sections, **values)
