"""Whether a command that is killed at any change of a file leaves the former state or the new one.

    python benchmarks/kills.py --output kills.jsonl

Trains on small pictures, records which files each command changes, and then repeats it on a copy of
the same folder, killed before one of these changes or in the middle of a write. After each kill the
next command must find a run that agrees with itself, and leave nothing of the killed one behind. A
row for each kill is appended to the output file. Linux only, since each command is a fork.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from killing import call
from PIL import Image
from results import append_row, markdown_table

# Imported once for all forks; nothing may be computed in this process.
from kerasad.cli import main as command_line
from kerasad.data.provenance import read_provenance
from kerasad.data.split import PARTS
from kerasad.export import saved_model  # noqa: F401
from kerasad.runs import benchmark, calibrate, export, predict, report, update  # noqa: F401
from kerasad.training.recipes import import_models

KILLS = {
    "train": 8,
    "train --overwrite": 12,
    "calibrate": 10,
    "update": 6,
    "evaluate": 4,
    "predict": 9,
    "export": 7,
}
COLUMNS = ("command", "changes", "kills", "in a write", "former state", "new state", "wrong")
LIMIT = 100
"""Bytes of a file that are written before a process is killed in a write."""
SIZE = 32
MODEL = "feature_statistics"


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as temporary:
        kills = Kills(Path(temporary), arguments.model)
        kills.prepare()
        rows = []
        for command in arguments.commands or KILLS:
            changes = kills.record(command)
            for number, limit in choose(changes, arguments.kills or KILLS[command]):
                row = {"model": arguments.model, "command": command, "changes": len(changes)}
                row |= kills.kill(command, changes, number, limit)
                rows.append(append_row(arguments.output, row))
                print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    sys.exit(any(row["wrong"] for row in rows))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--commands", nargs="*", choices=list(KILLS), help="[default: all]")
    parser.add_argument("--kills", type=int, help="for each command [default: 50 in all]")
    parser.add_argument("--output", default="kills.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def choose(changes, count):
    """Returns which changes to kill a command at, and how far into a write or None.

    Those of the last third, where files of the user are replaced, come first, then others evenly.
    Every third kill is in the middle of a write.
    """
    last = range(len(changes) - 1, max(-1, len(changes) - 1 - -(-count * 2 // 3)), -1)
    others = [number for number in range(len(changes)) if number not in last]
    wanted = count - len(last)
    spread = np.unique(np.linspace(0, len(others) - 1, wanted).astype(int)) if others else []
    chosen = [*last, *(others[number] for number in spread)]
    writes = [number for number, change in enumerate(changes) if change[0] == "open"]
    points = []
    for turn, number in enumerate(sorted(chosen)):
        write = writes[
            turn // 3 * len(writes) // -(-len(chosen) // 3)
        ]  # from the first to the last
        points.append((write, LIMIT) if turn % 3 == 2 else (number, None))
    return points


class Kills:
    """The folders of the measurement, and what their runs are known by.

    Args:
        folder: Path. A temporary folder.
        model: str. Name of a recipe.
    """

    def __init__(self, folder, model):
        self.folder = folder
        self.model = model
        self.data = folder / "data/plate"
        self.new = folder / "data/new"
        self.template = folder / "template"
        self.work = folder / "work"
        self.known = {}

    def prepare(self):
        """Writes the pictures, trains and evaluates the run that is copied for each kill."""
        import_models()
        write_pictures(self.data, self.new)
        self.template.mkdir()
        self.start_over(empty=True)
        self.must("train", seed=0)
        self.must("evaluate")
        self.must("predict")
        self.must("export")
        self.remember("former")
        self.work.rename(self.template / "work")

    def start_over(self, empty=False):
        """Makes the folder that commands work in anew."""
        shutil.rmtree(self.work, ignore_errors=True)
        if empty:
            self.work.mkdir()
        else:
            shutil.copytree(self.template / "work", self.work, symlinks=True)

    def words(self, command, seed=1):
        """Returns the words of a command."""
        run = self.work / "run"
        train = ["train", self.data, "--output", run, "--model", self.model, "--seed", seed]
        train += ["--image-size", SIZE, "--false-alarm-rate", 0.34]
        return {
            "train": train,
            "train --overwrite": [*train, "--overwrite"],
            "calibrate": ["calibrate", run, "--data", self.new],
            "update": ["update", run, "--data", self.new, "--output", self.work / "updated"],
            "evaluate": ["evaluate", run],
            "evaluate updated": ["evaluate", self.work / "updated"],
            "predict": ["predict", run, self.data / "test", "--output", self.work / "results"],
            "export": ["export", run, "--output", self.work / "models/plate", "--no-warmup"],
        }[command]

    def run(self, command, number=None, limit=None, seed=1):
        """Runs a command in a process of its own; see `call`."""
        words = [str(word) for word in self.words(command, seed)]

        def start():
            if number is not None:
                silence()
            else:
                with open(self.folder / "log.txt", "a") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
            command_line(words, standalone_mode=True)

        return call(start, self.work, number, limit)

    def must(self, command, seed=1):
        """Runs a command that has to succeed; returns the changes."""
        code, changes = self.run(command, seed=seed)
        if code:
            raise SystemExit(
                f"{command}: exit code {code}\n{(self.folder / 'log.txt').read_text()}"
            )
        return changes

    def record(self, command):
        """Returns the changes of a command that nobody kills, and remembers the run it leaves."""
        self.start_over(empty=command == "train")
        changes = self.must(command)
        self.remember(f"new: {command}")
        return changes

    def remember(self, name):
        """Keeps what the run is known by under a name."""
        self.known[name] = self.describe()

    def describe(self):
        """What a run is known by: its seed, the images it has seen and its calibration."""
        run = self.work / "run"
        provenance = read_provenance(run / "detector.keras")
        calibration = json.loads((run / "calibration.json").read_text())
        return {
            "seed": json.loads((run / "config.json").read_text())["training"]["seed"],
            "images": [sorted(provenance.hashes(part)) for part in PARTS],
            "calibration": calibration["calibration_id"],
            "threshold": calibration["threshold"],
        }

    def kill(self, command, changes, number, limit):
        """Kills a command at a change, looks at what the next ones find, and returns the row."""
        while True:
            self.start_over(empty=command == "train")
            code, found = self.run(command, number, limit)
            earlier = [n for n in range(number) if changes[n][0] == "open"]
            if limit is None or code not in (0, 1, 2) or not earlier:
                break
            number = earlier[-1]  # a mark without content does not reach the limit
        at = " ".join(changes[number]) + ("" if limit is None else f", after {limit} bytes")
        was_killed = code not in (0, 1, 2)
        state, wrong = self.look(command)
        wrong += [] if was_killed else [f"not killed: exit code {code}"]
        return {
            "at": at,
            "number": number,
            "limit": limit,
            "code": code,
            "reached": len(found),
            "state": state,
            "wrong": wrong,
        }

    def look(self, command):
        """Runs the next commands; returns the state that they found, and what is wrong."""
        wrong = []
        if command == "train" and not self.find_run():
            self.must("train")
            return "former", self.leftovers()
        if command in ("predict", "export"):
            wrong += self.results()
            self.must(command)  # the next command on that folder
        if command == "update":
            if not (self.work / "updated").exists():
                self.must("update")
            if self.run("evaluate updated")[0]:
                wrong.append("the updated run is not whole")
        code, _ = self.run("evaluate")
        if code:
            return "none", [f"evaluate: exit code {code}"]
        wrong += self.leftovers()
        state = self.describe()
        self.must("predict")
        lines = (self.work / "results/predictions.jsonl").read_text().splitlines()
        thresholds = {json.loads(line)["threshold"] for line in lines}
        metrics = json.loads((self.work / "run/metrics.json").read_text())
        if thresholds != {state["threshold"]} or metrics["threshold"] != state["threshold"]:
            wrong.append(f"thresholds: {thresholds}, {metrics['threshold']}, {state['threshold']}")
        if metrics["calibration_id"] != state["calibration"]:
            wrong.append("metrics of another calibration")
        split = json.loads((self.work / "run/split.json").read_text())
        listed = [sorted({file["sha256"] for file in split[part]}) for part in PARTS]
        if listed != state["images"]:
            wrong.append("split.json and detector.keras name other images")
        wrong += self.results() + self.leftovers()
        names = [name for name, known in self.known.items() if known == state]
        if not names:
            return "none", [*wrong, "neither the former run nor the new one"]
        return ("former" if "former" in names else "new"), wrong

    def find_run(self):
        """Has the next command look for a run after a killed training; returns whether it is."""
        code, _ = self.run("evaluate")
        return code == 0

    def results(self):
        """What is wrong with the results of predictions and with exports, where there are any."""
        wrong = []
        path = self.work / "results/predictions.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            overlay = self.work / "results" / json.loads(line)["overlay"]
            try:
                Image.open(overlay).load()
            except (OSError, SyntaxError) as error:
                wrong.append(f"{overlay.name}: {error}")
        for version in (self.work / "models/plate").glob("[0-9]*"):
            if (
                not (version / "saved_model.pb").exists()
                or not (version / "model_card.json").exists()
            ):
                wrong.append(f"version {version.name} is not whole")
        return wrong

    def leftovers(self):
        """What is left of commands under temporary names."""
        found = [path for path in self.work.rglob("*") if path.name.startswith((".", "tmp"))]
        return [f"left: {path.relative_to(self.work)}" for path in found]


def silence():
    """Sends what a process prints to nowhere: a limited file would end it too early."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def write_pictures(data, new):
    """Writes a category of small pictures, and other good ones."""
    spot = np.s_[8:16, 10:22]
    mask = np.zeros((SIZE, SIZE), "uint8")
    mask[spot] = 255
    files = {data / f"train/good/{number}.png": None for number in range(10)}
    files |= {data / f"test/good/{number}.png": None for number in range(2)}
    files |= {data / f"test/burn/{number}.png": spot for number in range(2)}
    files |= {new / f"{number}.png": None for number in range(6)}
    for seed, (path, where) in enumerate(files.items()):
        pixels = np.random.default_rng(seed).normal(110, 8, (SIZE, SIZE, 3))
        if where is not None:
            pixels[where] = 250
            truth = data / f"ground_truth/burn/{path.stem}_mask.png"
            truth.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(truth)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path)


def table(rows):
    """Returns a line for each command."""
    lines = []
    for command in dict.fromkeys(row["command"] for row in rows):
        of_it = [row for row in rows if row["command"] == command]
        states = [row["state"] for row in of_it]
        lines.append(
            [
                command,
                of_it[0]["changes"],
                len(of_it),
                sum(row["limit"] is not None for row in of_it),
                states.count("former"),
                states.count("new"),
                sum(bool(row["wrong"]) for row in of_it),
            ]
        )
    return markdown_table(COLUMNS, lines)


if __name__ == "__main__":
    main()
