"""Near-copies among files, by features of the backbone."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from kerasad.data import load_category, read_images
from kerasad.data.provenance import Provenance
from kerasad.synthetic.demo import load_photograph
from kerasad.training.near_copies import find_near_copies


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """12 pieces of a photographed wall, each photographed three times."""
    folder = tmp_path_factory.mktemp("scenes")
    photograph = load_photograph("brick").astype("float32")
    rng = np.random.default_rng(0)
    for scene in range(12):
        top, left = divmod(scene, 4)
        piece = photograph[top * 128 : top * 128 + 128, left * 128 : left * 128 + 128]
        for photo in range(3):
            shifted = ndimage.shift(
                piece, (*rng.uniform(-1, 1, 2), 0)[: piece.ndim], mode="nearest"
            )
            pixels = shifted * rng.uniform(0.9, 1.1) + rng.normal(0, 4, piece.shape)
            image = Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))
            image.save(folder / f"{scene:02d}_{photo}.png")
    return folder


def test_photos_of_one_scene_are_a_group_and_scenes_are_not(scenes):
    records, _ = read_images(scenes)
    scene_of = [record.relative_path[:2] for record in records]
    groups = find_near_copies(records)
    assert len(set(groups.tolist())) == 12
    assert len(set(zip(groups.tolist(), scene_of, strict=True))) == 12
    alone = [record for record in records if record.relative_path.endswith("_0.png")]
    assert len(set(find_near_copies(alone).tolist())) == 12
    assert find_near_copies(records[:2]).tolist() == [0, 1]


def test_a_split_keeps_photos_of_one_scene_together_and_says_so(scenes):
    data = load_category(scenes, 32, find_copies=find_near_copies)
    line = "groups: about 12 scenes in 36 good images (--group-by none counts each photo)"
    assert line in data.split_table()
    assert (len(data.split.calibration), data.split.num_calibration_groups) == (6, 2)
    provenance = Provenance.of(Provenance.from_split(data.split).to_dict())
    listed = {image.path: image.group for image in provenance.images("calibration")}
    assert {path: f"{path[:2]}_0.png" for path in listed} == listed
    restored = provenance.restore(read_images(scenes)[0])
    assert restored.num_calibration_groups == 2
    each = load_category(scenes, 32, group_by="none", find_copies=find_near_copies)
    assert each.split.num_calibration_groups == len(each.split.calibration) == 7
    assert "groups:" not in each.split_table()
