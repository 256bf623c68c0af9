"""Whether an export that is killed at a random moment leaves a complete version or none.

    python benchmarks/export_kill.py RUN --output export_kill.jsonl

Exports once to measure the duration, then 20 times, each killed (SIGKILL) after a random share of
it. After each kill every version that a server would see must hold its model card and
give the first export's answer in a TensorFlow session. A last export must clean up. A row with
what was found is appended to the output file.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from results import append_row, markdown_table

from kerasad.export.execution import SessionModel
from kerasad.export.publishing import list_versions

COLUMNS = ("kills", "killed_running", "published", "incomplete", "leftovers_seen", "leftovers_last")


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / "model"
        row = {"run": Path(arguments.run).name, "seed": arguments.seed}
        row = append_row(arguments.output, {**row, **measure(arguments, base)})
    print(markdown_table(COLUMNS, [[row[name] for name in COLUMNS]]))
    sys.exit(1 if row["incomplete"] or row["leftovers_last"] else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="folder that `kerasad train` wrote")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="export_kill.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def measure(arguments, base):
    generator = random.Random(arguments.seed)
    started = time.perf_counter()
    start_export(arguments.run, base).wait()
    seconds = time.perf_counter() - started
    expected = answer(base / "1")
    checked, incomplete, running, leftovers = {1}, [], 0, 0
    for number in range(arguments.times):
        process = start_export(arguments.run, base)
        # The later half matters more: there files exist.
        share = generator.uniform(0.0, 1.1) if number % 2 else generator.uniform(0.5, 1.1)
        try:
            process.wait(share * seconds)
        except subprocess.TimeoutExpired:
            running += 1
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        leftovers += any(not path.name.isdigit() for path in base.glob(".*"))
        for version in set(list_versions(base)) - checked:
            checked.add(version)
            if not is_complete(base / str(version), expected):
                incomplete.append(version)
        print(f"{number + 1}: after {share:.2f} of {seconds:.0f} s, versions {sorted(checked)}")
    start_export(arguments.run, base).wait()
    return {
        "kills": arguments.times,
        "killed_running": running,
        "published": len(list_versions(base)),
        "incomplete": len(incomplete),
        "leftovers_seen": leftovers,
        "leftovers_last": len(list(base.glob(".*"))),
        "export_seconds": round(seconds, 1),
    }


def start_export(run, base):
    program = "from kerasad.cli import main; main()"
    command = [sys.executable, "-c", program, "export", run, "--output", str(base)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
    )


def is_complete(version, expected):
    try:
        json.loads((version / "model_card.json").read_text(encoding="utf-8"))
        return np.array_equal(answer(version), expected)
    except Exception as error:  # whatever it is, the version is of no use
        print(f"{version}: {error!r}", file=sys.stderr)
        return False


def answer(version):
    """The map that a version returns for one picture of noise."""
    model = SessionModel(version)
    shape = model.signatures["serving_default"].inputs["images"].tensor_shape.dim
    images = np.random.default_rng(0).random((1, *(side.size for side in shape[1:])))
    outputs = model.run("serving_default", {"images": images.astype("float32")})
    model.close()
    return outputs["anomaly_map"]


if __name__ == "__main__":
    main()
