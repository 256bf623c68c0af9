"""Checks an installed kerasad: every file is there, and no module needs an extra that it can spare.

    python check_installed.py FILES PROJECT

`FILES` lists the files of the package as Git tracks them; `PROJECT` is the folder that must not be
imported from.
"""

import importlib
import sys
from pathlib import Path

NEED_AN_EXTRA = ("kerasad.tuning", "kerasad.inspector.app", "kerasad.inspector.guard")


def main(listing, project):
    """Exits with a message if something is missing."""
    import kerasad

    package = Path(kerasad.__file__).parent
    if Path(project).resolve() in package.resolve().parents:
        sys.exit(f"kerasad was imported from {package}, not from where it was installed")
    tracked = Path(listing).read_text(encoding="utf-8").split()
    missing = [name for name in tracked if not (package.parent / name).is_file()]
    if missing:
        sys.exit(f"The wheel lacks {', '.join(missing)}")
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in tracked
        if name.endswith(".py")
    ]
    for name in modules:
        if not name.startswith(NEED_AN_EXTRA):
            importlib.import_module(name)
    print(f"{len(tracked)} files, {len(modules)} modules: installed and imported without an extra.")


if __name__ == "__main__":
    main(*sys.argv[1:])
