"""The pages of the documentation: their code runs, their commands exist, the site has them all."""

import re
import shlex
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def blocks_of(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_the_code_of_the_tour_runs_from_top_to_bottom(capsys):
    names: dict = {"__name__": "tour"}
    for block in blocks_of(DOCS / "tour.md", "python"):
        exec(compile(block, "docs/tour.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "kl_loss" in printed
    assert "served" in printed


def test_python_on_every_page_compiles():
    blocks = [(page, block) for page in PAGES for block in blocks_of(page, "python")]
    assert len(blocks) > 5
    for page, block in blocks:
        compile(block, str(page), "exec")


def test_every_command_of_the_pages_has_its_verb_and_options():
    from kerasad.cli import main as cli

    commands = []
    for page in [*PAGES, DOCS.parent / "README.md"]:
        for block in blocks_of(page, ""):
            lines = block.replace("\\\n", " ").splitlines()
            commands += [(page, line) for line in lines if line.startswith("kerasad ")]
    assert len(commands) > 20
    for page, line in commands:
        words = shlex.split(line, comments=True)
        assert words[1] in cli.commands, f"{page.name}: {line}"
        known = {name for option in cli.commands[words[1]].params for name in option.opts}
        used = {word for word in words if word.startswith("--")}
        assert used <= known, f"{page.name}: {line}"


def test_the_site_lists_every_page():
    text = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": ([\w/]+\.md)$", text, re.MULTILINE))
    assert listed == {str(page.relative_to(DOCS)) for page in PAGES}
