"""Time of the inspector from a dropped picture to its answer, over HTTP on this machine.

    python benchmarks/inspector_speed.py runs/bottle photos/ --output inspector_speed.jsonl

Each picture is sent as the page sends it; the answer has score, boxes, photo and heat map. Then the
maps of all experts are asked for, as the page does when that part is open. The row has median and
95th percentile in milliseconds, and the largest, over all pictures and turns, and the median of the
processor time, which other programs on the machine change little. The first picture is one of them:
the inspector traces its graph before it shows its address.
"""

import argparse
import json
import os
import socket
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results import append_row, markdown_table

COLUMNS = ("run", "pictures", "median_ms", "p95_ms", "largest_ms", "cpu_ms", "maps_median_ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a RUN, detector.keras or SavedModel")
    parser.add_argument("folder", type=Path, help="pictures, searched recursively")
    parser.add_argument("--most", type=int, default=50, help="pictures to send")
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument("--output", default="inspector_speed.jsonl", help="JSON lines to append")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.folder.rglob("*") if path.is_file())
    paths = paths[:: max(1, len(paths) // arguments.most)][: arguments.most]
    row = measure(arguments.run, paths, arguments.repeats)
    append_row(arguments.output, row)
    print(markdown_table(COLUMNS, [[row[name] for name in COLUMNS]]))


def measure(run, paths, repeats):
    """Returns the row of one run."""
    answers, spent, maps = [], [], []
    for address in serving(run):
        for turn in range(repeats):
            for path in paths:
                # A name of its own, so that it is a new picture in each turn.
                name = urllib.parse.quote(f"{turn}/{path.name}")
                start = time.process_time()
                milliseconds, answer = ask(f"{address}pictures?name={name}", path.read_bytes())
                answers.append(milliseconds)
                spent.append(1000 * (time.process_time() - start))
                maps.append(ask(f"{address}pictures/{answer['id']}/maps")[0])
    return {
        "run": str(run),
        "pictures": len(paths),
        "median_ms": round(float(np.median(answers)), 1),
        "p95_ms": round(float(np.percentile(answers, 95)), 1),
        "largest_ms": round(max(answers), 1),
        "cpu_ms": round(float(np.median(spent)), 1),
        "maps_median_ms": round(float(np.median(maps[1:])), 1),
        "cores": len(os.sched_getaffinity(0)),
    }


def serving(run):
    """Yields the address of an inspector, once, and ends it."""
    from kerasad.inspector.app import make_app
    from kerasad.inspector.serving import make_server
    from kerasad.inspector.session import Session
    from kerasad.inspector.sources import open_source

    session = Session(open_source(run))
    session.warm_up()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = make_server(make_app(session, "measured"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/measured/"
        finally:
            server.should_exit = True
            thread.join()


def ask(address, data=None):
    """Returns the milliseconds of a request, and its answer."""
    start = time.perf_counter()
    with urllib.request.urlopen(address, data=data) as response:
        content = response.read()
    milliseconds = 1000 * (time.perf_counter() - start)
    answer = json.loads(content)
    if "error" in answer:
        raise SystemExit(answer["error"])
    return milliseconds, answer


if __name__ == "__main__":
    main()
