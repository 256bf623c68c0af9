import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from kerasad.benchmark.plan import find_categories, plan_rows
from kerasad.errors import InputError
from kerasad.training.config import DataConfig


def test_a_folder_of_categories_stands_for_each_of_them_and_a_demo_keeps_its_name(
    categories, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = find_categories([str(categories), "demo/grass", str(categories / "plate")])
    assert found == {
        "bottle": str(categories / "bottle"),
        "plate": str(categories / "plate"),
        "grass": "demo/grass",
    }


def test_two_categories_of_one_name_are_refused(categories, tmp_path):
    shutil.copytree(categories / "plate", tmp_path / "plate")
    with pytest.raises(InputError, match="Two categories are called plate"):
        find_categories([str(categories), str(tmp_path / "plate")])


@pytest.mark.parametrize("name", ["licence", "absent", "plate/train/good"])
def test_what_holds_no_category_is_refused(name, categories):
    with pytest.raises(InputError, match="neither a category in MVTec layout"):
        find_categories([str(categories / name)])


def test_a_row_is_planned_for_each_category_model_and_seed(config, categories):
    rows = plan_rows(config, [str(categories)], ["vae_gan", "cavga_d"], [3, 1])
    assert [(row.category, row.model, row.seed) for row in rows] == [
        (category, model, seed)
        for category in ("bottle", "plate")
        for model in ("vae_gan", "cavga_d")
        for seed in (3, 1)
    ]
    assert rows[0].config.data.path == str(categories / "bottle")
    assert rows[0].name == "bottle_vae_gan_seed3"
    assert all(row.settings == rows[0].settings for row in rows)
    assert len({row.images for row in rows}) == 2


@pytest.mark.parametrize(
    ("models", "arguments", "part"),
    [
        (["gan"], {}, "There is no model 'gan'"),
        (["vae_gan"], {"latent_dims": 4}, "did you mean `latent_dim`"),
        (["vae_gan", "cavga_weak_d"], {}, "cavga_weak_d learns from .* set --labelled-share"),
    ],
)
def test_what_no_row_could_be_trained_with_is_refused_before_the_first(
    models, arguments, part, config, categories
):
    model = dataclasses.replace(config.model, arguments=arguments)
    config = dataclasses.replace(config, model=model)
    with pytest.raises(InputError, match=part):
        plan_rows(config, [str(categories)], models, [0])


def test_a_category_without_test_images_has_nothing_to_measure(config, categories, tmp_path):
    copy = shutil.copytree(categories / "plate", tmp_path / "plate")
    shutil.rmtree(copy / "test")
    with pytest.raises(InputError, match="plate has no test image"):
        plan_rows(config, [str(copy)], ["vae_gan"], [0])


def test_labelled_images_of_one_category_are_not_taken_for_several(config, categories):
    data = DataConfig("x", labelled="folder")
    with pytest.raises(InputError, match="use --labelled-share"):
        plan_rows(dataclasses.replace(config, data=data), [str(categories)], ["vae_gan"], [0])


def test_images_are_known_by_their_content_their_class_and_their_mask(config, categories, tmp_path):
    def images(path):
        return plan_rows(config, [str(path)], ["vae_gan"], [0])[0].images

    copy = shutil.copytree(categories / "plate", tmp_path / "plate")
    before = images(categories / "plate")
    assert images(copy) == before
    mask = copy / "ground_truth/burn/012_mask.png"
    kept = mask.read_bytes()
    Image.fromarray(np.eye(32, dtype="uint8") * 255).save(mask)
    assert images(copy) != before
    mask.write_bytes(kept)
    assert images(copy) == before
    (copy / "test/good/010.png").rename(copy / "test/burn/010.png")
    assert images(copy) != before
