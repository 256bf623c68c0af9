"""How large the code is: files, lines, the longest function, class and file.

    python benchmarks/house.py             # the working tree
    python benchmarks/house.py HEAD~50     # a revision, for before and after

Counts the lines of all Python files of a room, comments and docstrings included. The lines of a
function or class are those from its first decorator to its end.
"""

import argparse
import ast
import io
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", nargs="?", help="of git; default: the working tree")
    parser.add_argument("--rooms", nargs="+", default=["kerasad", "tests"], help="folders")
    arguments = parser.parse_args()
    print(arguments.revision or "working tree")
    for room in arguments.rooms:
        print(f"\n{room}/")
        for name, value in measure(read_files(arguments.revision, room)).items():
            print(f"  {name:17} {value}")


def read_files(revision, room):
    """Returns the text of each Python file, by its path."""
    if revision is None:
        return {
            str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
            for path in sorted((ROOT / room).rglob("*.py"))
        }
    command = ["git", "-C", str(ROOT), "archive", revision, room]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [member for member in tar if member.name.endswith(".py")]
        return {member.name: tar.extractfile(member).read().decode() for member in members}


def measure(files):
    """Returns the numbers of a room; the longest of a kind as its lines and its place."""
    lengths = {"function": [(0, "-")], "class": [(0, "-")], "file": [(0, "-")]}
    for path, text in files.items():
        lengths["file"].append((text.count("\n"), path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                start = min([node.lineno, *(line.lineno for line in node.decorator_list)])
                place = f"{path}:{start} {node.name}"
                lengths[kind].append((node.end_lineno - start + 1, place))
    longest = {f"longest {kind}": max(found) for kind, found in lengths.items()}
    return {
        "files": len(files),
        "lines": sum(text.count("\n") for text in files.values()),
        **{name: f"{lines} {place}" for name, (lines, place) in longest.items()},
    }


if __name__ == "__main__":
    main()
