"""The pages of the documentation: their code runs, their commands exist, the site has them all."""

import re
import shlex
from pathlib import Path

import pytest

from kerasad.synthetic.demo import resolve_demo

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def blocks_of(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(page, names, **smaller):
    """Runs the Python of a page in `names`, with other texts in the place of some."""
    for block in blocks_of(page, "python"):
        for text, other in smaller.items():
            assert text in block, f"{page.name} has no {text!r}"
            block = block.replace(text, other)
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.slow
def test_the_code_of_the_tour_and_of_its_callback_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "tour"}
    run(DOCS / "tour.md", names)
    run(DOCS / "tensorboard.md", names, **{"epochs=30": "epochs=1"})
    printed = capsys.readouterr().out
    assert "kl_loss" in printed
    assert "served" in printed
    assert list(tmp_path.glob("logs/mine/validation/codes.tsv"))


@pytest.mark.slow
def test_the_example_of_the_readme_runs_on_the_demo(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    smaller = {
        "mvtec/bottle": str(resolve_demo("demo/brick")),
        "image_size=256": "image_size=64",
        "epochs=30": "epochs=1",
    }
    run(DOCS.parent / "README.md", {"__name__": "readme"}, **smaller)
    assert "image_auroc" in capsys.readouterr().out
    assert (tmp_path / "bottle.keras").is_file()
    assert (tmp_path / "saved_models" / "bottle" / "1").is_dir()


def test_python_that_no_test_runs_says_why():
    run_by_tests = {"tour.md", "tensorboard.md", "custom_losses.md"}
    for page in PAGES:
        if page.name not in run_by_tests:
            text = page.read_text(encoding="utf-8")
            marked = re.findall(r"<!-- Not run: [^>]+ -->\n+```python\n", text)
            assert len(marked) == len(blocks_of(page, "python")), page.name


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
