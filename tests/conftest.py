"""Shared fixtures: a fixed seed for every test, and where real photographs may be found."""

import gc
import os
import shutil
from pathlib import Path
from unittest import mock

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# TensorFlow and Keras are imported where they are used: the process that hands out the tests to
# others runs none, and would take five seconds to import them before the first test.

WHOLE_ROOMS = ("tests/data/decoding/", "tests/export/", "tests/models/", "tests/tuning/")
"""Rooms whose files share what is expensive: one process runs all of them."""


def pytest_collection_finish():
    # Half a million objects of TensorFlow and of the tests stay until the process ends: to look
    # through them at each collection of garbage takes 4 % of the time of what traces. Graphs are
    # large and die seldom, so that a full collection may wait.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 10, 30)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hands out whole rooms where a file at a time would make what its files share again."""
    from xdist.scheduler import LoadFileScheduling

    class LoadRoomScheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            rooms = (room for room in WHOLE_ROOMS if nodeid.startswith(room))
            return next(rooms, None) or super()._split_scope(nodeid)

    return LoadRoomScheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="module", autouse=True)
def _fixed_seed_of_tensorflow():
    import tensorflow as tf

    tf.random.set_seed(0)


@pytest.fixture(autouse=True)
def _fixed_seed(_fixed_seed_of_tensorflow):
    # TensorFlow's own seed is set once a file: whenever it is set, all kernels are made anew,
    # which is a fifth of the time of an eager training step. Keras draws from seeds of its own.
    import keras
    import tensorflow as tf

    with mock.patch.object(tf.random, "set_seed"):
        keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real photographs; a test that needs it is skipped where it is missing."""
    default = Path(__file__).parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("KERASAD_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip("the folder of real photographs is not here (set KERASAD_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def browser():
    """Chromium; a test that needs it is skipped where it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("KERASAD_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium (apt-get install chromium, or set KERASAD_CHROMIUM)")
    with playwright.sync_playwright() as driver:
        # Root may start Chromium only without its sandbox; it opens nothing but our own pages.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
