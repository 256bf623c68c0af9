"""The demo data set: embedded photographs with hand-shaped defects, without a download.

scikit-image's wheel contains grey photographs of bricks, grass and gravel, 512 x 512. Training
images are 128 x 128 crops from the bands at the top (rows 0 to 175) and at the bottom (336 to 511);
test images, good and defective, come from the band between (176 to 335, columns 0 to 415). So no
test pixel is in a training image, and the test band's distance from the camera lies between those
of the others. Crops of one band overlap: they are less independent than photographs would be. One
that is left out for calibration shows parts of the wall that others show too, and a test crop does
not, so more good test crops are called defective than the stated rate.
"""

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from kerasad.errors import InputError, unknown_name
from kerasad.files import read_json, write_json
from kerasad.synthetic.demo_defects import DEFECTS, draw_demo_defect

DEMOS = ("brick", "grass", "gravel")
CROP = 128
# Each region is (top, left, bottom, right), in pixels.
TRAIN_REGIONS = ((0, 0, 176, 512), (336, 0, 512, 512))
# The bricks have a real scratch to the right of column 420.
TEST_REGIONS = ((176, 0, 336, 416),)
NUM_TRAIN, NUM_TEST_GOOD, NUM_EACH_DEFECT = 60, 20, 10

_FORMAT = 1  # raised whenever the same seed gives other bytes
_MARK = "demo.json"


def resolve_demo(data: str, directory: str | Path | None = None) -> str:
    """Returns the folder of a demo, which is written if necessary.

    Args:
        data: `"demo"` (bricks), `"demo/brick"`, `"demo/grass"` or `"demo/gravel"`.
        directory: Folder for demos, see `write_demo`.

    Returns:
        path: str, absolute.

    Raises:
        InputError: For anything else, such as `"demo/wood"`.
    """
    head, _, name = str(data).replace("\\", "/").rstrip("/").partition("/")
    if head != "demo":
        raise InputError(f'`data` must be "demo" or "demo/NAME". Received: {data!r}')
    return write_demo(name or DEMOS[0], directory)


def demo_directory() -> Path:
    """Returns the default folder for demos: `kerasad/demo` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "kerasad" / "demo"


def write_demo(name: str, directory: str | Path | None = None, seed: int = 0) -> str:
    """Writes a demo in MVTec layout, unless it exists, and returns its folder.

    There are 60 images in `train/good`, 20 in `test/good` and 10 in each of `test/scratch`,
    `test/stain`, `test/thread` and `test/hole`, with masks in `ground_truth`. The same name and
    seed give the same bytes. The folder is renamed when it is complete, so none is ever partial.

    Args:
        name: `"brick"`, `"grass"` or `"gravel"`.
        directory: The parent of the demo's folder. Defaults to `demo_directory()`.
        seed: int >= 0. Each seed has its own folder.

    Returns:
        path: str, absolute.

    Raises:
        InputError: For an unknown name, a missing photograph, an existing folder that is no
            complete demo, or a folder that cannot be written.
    """
    if name not in DEMOS:
        raise InputError(unknown_name("demo", name, DEMOS))
    directory = (demo_directory() if directory is None else Path(directory)).absolute()
    folder = directory / (name if seed == 0 else f"{name}_{seed}")
    if _is_complete(folder, name, seed):
        return str(folder)
    if folder.exists():
        raise InputError(
            f"{folder} exists but is not a complete demo of this version; remove it or choose "
            "another folder."
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}_", dir=directory))
    except OSError as error:
        raise _not_written(directory, error) from error
    try:
        # Temporary folders are private; the demo may be read by everyone.
        temporary.chmod(0o755)
        _write_tree(temporary, load_photograph(name), name, seed)
        temporary.rename(folder)
    except OSError as error:
        # Another process may have written the same demo in the meantime.
        if not _is_complete(folder, name, seed):
            raise _not_written(directory, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(folder)


def load_photograph(name: str) -> np.ndarray:
    """Returns one of scikit-image's photographs, uint8 `(512, 512)`, from its installed files."""
    from PIL import Image

    # Only the file is needed, so the package is located but not imported.
    package = importlib.util.find_spec("skimage")
    path = Path(package.origin).parent / "data" / f"{name}.png" if package else None
    if path is None or not path.is_file():
        raise InputError(
            f"The demo needs {name}.png from the package scikit-image, which is not installed "
            "completely; run `pip install scikit-image`."
        )
    with Image.open(path) as photograph:
        return np.asarray(photograph.convert("L"))


def _not_written(directory, error):
    return InputError(
        f"The demo cannot be written to {directory} ({error.strerror or error}): free some space "
        "there or allow writing, or set the variable XDG_CACHE_HOME to another cache folder."
    )


def _write_tree(folder, photograph, name, seed):
    """Writes all images of the demo, and finally the file that marks it as complete."""
    rng = np.random.default_rng([seed, DEMOS.index(name)])
    for part, count, regions in (
        ("train", NUM_TRAIN, TRAIN_REGIONS),
        ("test", NUM_TEST_GOOD, TEST_REGIONS),
    ):
        for i in range(count):
            image = _crop(photograph, regions, rng)
            _write_image(folder / part / "good" / f"{i:03d}.png", image)
    for defect in DEFECTS:
        for i in range(NUM_EACH_DEFECT):
            image = _crop(photograph, TEST_REGIONS, rng)
            defective, mask = draw_demo_defect(defect, image, rng)
            _write_image(folder / "test" / defect / f"{i:03d}.png", defective)
            mask_path = folder / "ground_truth" / defect / f"{i:03d}_mask.png"
            _write_image(mask_path, mask.astype("uint8") * 255)
    write_json(folder / _MARK, _describe(name, seed))


def _crop(photograph, regions, rng):
    """Returns a crop `(128, 128)` of one of the regions."""
    top, left, bottom, right = regions[rng.integers(len(regions))]
    y = rng.integers(top, bottom - CROP + 1)
    x = rng.integers(left, right - CROP + 1)
    return photograph[y : y + CROP, x : x + CROP]


def _write_image(path, pixels):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _describe(name, seed):
    num_images = NUM_TRAIN + NUM_TEST_GOOD + 2 * NUM_EACH_DEFECT * len(DEFECTS)
    return {"demo": name, "seed": seed, "format": _FORMAT, "files": num_images}


def _is_complete(folder, name, seed):
    """Returns whether the folder holds this demo as this version writes it."""
    try:
        description = read_json(folder / _MARK)
    except InputError:
        return False
    return description == _describe(name, seed) and (
        sum(1 for _ in folder.glob("*/*/*.png")) == description["files"]
    )
