"""The command line as tests call it."""

import numpy as np
from click.testing import CliRunner
from PIL import Image

from kerasad.cli import main


def write_image(path, seed, spot=None):
    """Writes a picture of 32 x 32 pixels: a gradient with noise, and a white spot if asked for."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(80, 140, 32)[:, None, None]
    pixels = rows + rng.normal(0, 6, (32, 32, 3))
    if spot is not None:
        pixels[spot] = 250
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path)


def run_verb(*words):
    """Runs the command line; returns its result."""
    return CliRunner().invoke(main, [str(word) for word in words])


def must(*words):
    """Runs a verb that has to succeed."""
    result = run_verb(*words)
    assert result.exit_code == 0, result.output + str(result.exception)
    return result


def refused(*words, code=2):
    """Returns the one sentence on stderr of a verb that has to refuse."""
    result = run_verb(*words)
    assert result.exit_code == code, result.output + str(result.exception)
    lines = result.stderr.strip().splitlines()
    assert lines, "nothing on stderr"
    return lines[-1]
