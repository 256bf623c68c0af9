"""The comparison with peers, as far as it needs no PyTorch."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kerasad.backbones.efficientnet_lite import VARIANTS
from kerasad.backbones.torch_file import read_torch_tensors
from kerasad.data import load_category

SIZE = (24, 40)


@pytest.fixture(scope="module")
def category(tmp_path_factory):
    """10 good pictures of two aspect ratios; tests: 1 good, 2 burnt, of which one has no mask."""
    root = tmp_path_factory.mktemp("data") / "plate"
    rng = np.random.default_rng(0)
    parts = ["train/good"] * 10 + ["test/good"] + ["test/burn"] * 2
    for number, part in enumerate(parts):
        shape = (48, 80) if number % 2 else (48, 48)
        path = root / part / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (*shape, 3), "uint8")).save(path)
    mask = np.zeros((48, 80), "uint8")
    mask[:24, 60:] = 255
    (root / "ground_truth/burn").mkdir(parents=True)
    Image.fromarray(mask).save(root / "ground_truth/burn/11_mask.png")
    return root


@pytest.fixture
def peers_data(load, monkeypatch):
    module = load("peers.data")
    monkeypatch.setattr(module, "write_features", lambda folder, category: None)
    return module


@pytest.fixture
def prepared(peers_data, category):
    """A prepared folder with one seed or more, 3 among them, and its description."""
    folder = category.parent / "prepared"
    return folder, peers_data.prepare(folder, category, "24x40", seeds=[3])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.running_var", "bn1.running_var"),
        ("_bn1.bias", "bn2.bias"),
        ("_fc.bias", "classifier.bias"),
        ("_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.0._bn2.weight", "blocks.0.0.bn2.weight"),
        ("_blocks.3._bn0.bias", "blocks.2.0.bn1.bias"),
        ("_blocks.10._project_conv.weight", "blocks.4.2.conv_pwl.weight"),
        ("_blocks.15._bn2.weight", "blocks.6.0.bn3.weight"),
    ],
)
def test_a_tensor_is_found_by_its_stage_and_place_in_timm(load, name, expected):
    assert load("peers.weights").timm_name(name) == expected


@pytest.mark.parametrize(
    "name", ["_blocks.16._bn0.bias", "_blocks.0._expand_conv.weight", "_swish.weight", "fc"]
)
def test_a_tensor_of_another_network_is_refused_by_name(load, name):
    with pytest.raises(ValueError, match=name):
        load("peers.weights").timm_name(name)


def test_the_packages_tensors_have_the_shapes_of_timms_network(load):
    weights, data = load("peers.weights"), load("peers.data")
    sha256 = VARIANTS["efficientnet_lite0"].weights_sha256
    tensors = read_torch_tensors(data.weights_path(), sha256=sha256)
    renamed = weights.to_timm(tensors)
    assert len(renamed) == len(tensors)
    last = {"blocks.0.0.conv_pw": 16, "blocks.1.1.conv_pwl": 24, "blocks.2.1.conv_pwl": 40}
    last |= {"blocks.3.2.conv_pwl": 80, "blocks.4.2.conv_pwl": 112, "blocks.5.3.conv_pwl": 192}
    last |= {"blocks.6.0.conv_pwl": 320, "conv_head": 1280, "classifier": 1000}
    for name, channels in last.items():
        assert renamed[f"{name}.weight"].shape[0] == channels
    after = {"conv_stem": "bn1", "conv_head": "bn2"}
    for name, tensor in renamed.items():
        module, _, part = name.rpartition(".")
        if "conv" not in module or part != "weight":
            continue
        block, _, convolution = module.rpartition(".")
        if block:
            # Depthwise is the first of two in block 0, the second of three in the others.
            first = block == "blocks.0.0"
            order = ("conv_dw", "conv_pw") if first else ("conv_pw", "conv_dw", "conv_pwl")
            normalization = f"{block}.bn{order.index(convolution) + 1}"
            assert (tensor.shape[1] == 1) == (convolution == "conv_dw")
        else:
            normalization = after[module]
        assert renamed[f"{normalization}.running_mean"].shape == tensor.shape[:1], name
    headless = weights.to_timm(tensors, with_head=False)
    assert {name.split(".")[0] for name in headless} == {"conv_stem", "bn1", "blocks"}


def test_images_are_read_one_by_one_as_they_were_written(load, tmp_path):
    module = load("peers.exchange")
    images = np.random.default_rng(0).random((5, 2, 3, 3), "float32")
    images.tofile(tmp_path / "a.f32")
    found = module.Images(tmp_path / "a.f32", (2, 3))
    np.testing.assert_array_equal(np.stack(list(found)), images)
    assert [len(batch) for batch in found.batches(2)] == [2, 2, 1]
    with pytest.raises(ValueError, match="whole images"):
        module.Images(tmp_path / "a.f32", (2, 4))


def test_every_call_is_timed_on_the_same_images_at_each_batch_size(load):
    seen = {"a": [], "b": []}
    calls = {name: values.append for name, values in seen.items()}
    images = np.arange(3.0)
    times = load("peers.exchange").time_calls(calls, images, {1: 2, 2: 1}, warmups=1)
    assert [batch.tolist() for batch in seen["a"]] == [[0], [1], [2], [0, 1], [2, 0]]
    assert [batch.tolist() for batch in seen["b"]] == [batch.tolist() for batch in seen["a"]]
    assert {name: [*values] for name, values in times.items()} == {"a": ["1", "2"], "b": ["1", "2"]}


def test_both_sides_get_the_pixels_and_the_split_of_kerasads_own_pipeline(load, prepared):
    folder, description = prepared
    assert description["padded"]
    own = load_category(description["path"], image_size=SIZE, seed=3)
    good = load("peers.exchange").Images(folder / "good.f32", SIZE)
    splits = json.loads((folder / "splits.json").read_text())["3"]
    assert [len(splits[part]) for part in ("train", "validation", "calibration")] == [7, 1, 2]
    expected = np.concatenate([batch["images"] for batch in own.train_in_order])
    np.testing.assert_array_equal([good[row] for row in splits["train"]], expected)
    inputs, targets = next(iter(own.test.unbatch().batch(3)))
    test = load("peers.exchange").Images(folder / "test.f32", SIZE)
    np.testing.assert_array_equal(np.stack(list(test)), inputs["images"])
    np.testing.assert_array_equal(np.load(folder / "masks.npy"), targets["mask"])
    np.testing.assert_array_equal(np.load(folder / "valid.npy"), inputs["valid"])
    assert description["defects"] == ["burn", "burn", "good"]
    assert description["has_mask"] == [True, False, True]


def test_stretched_images_fill_the_frame_and_are_written_as_both_sides_read_them(
    peers_data, category, tmp_path
):
    description = peers_data.prepare(tmp_path / "x", category, "32", stretch=True)
    assert (description["image_size"], description["padded"]) == ([32, 32], False)
    for path in Path(description["path"]).rglob("*.png"):
        assert Image.open(path).size == (32, 32)
    pixels = 255 * np.fromfile(tmp_path / "x/test.f32", "<f4")
    np.testing.assert_allclose(pixels, np.round(pixels), atol=1e-4)
    masks = np.load(tmp_path / "x/masks.npy")[..., 0]
    expected = np.zeros((32, 32))
    expected[:16, 24:] = 1
    np.testing.assert_array_equal(masks[0], expected)


def test_a_limit_is_one_of_the_images_that_kerasad_trains_on(peers_data, category, tmp_path):
    description = peers_data.prepare(tmp_path / "x", category, "32", stretch=True, max_train=4)
    splits = json.loads((tmp_path / "x/splits.json").read_text())["0"]
    assert description["num_good"] == 6
    assert len(splits["train"]) == 4


def test_a_prepared_category_gets_further_seeds_and_refuses_other_data(
    peers_data, prepared, category
):
    folder, _ = prepared
    written = (folder / "good.f32").stat().st_mtime_ns
    peers_data.prepare(folder, category, "24x40", seeds=[3, 4])
    assert (folder / "good.f32").stat().st_mtime_ns == written
    assert list(json.loads((folder / "splits.json").read_text())) == ["3", "4"]
    with pytest.raises(SystemExit, match="other data"):
        peers_data.prepare(folder, category, "24x24")


def test_a_value_for_one_category_comes_before_one_for_all(load):
    value_for = load("peers.category").value_for
    values = ["0.02", "tile=0.005"]
    assert value_for(values, "tile", float) == 0.005
    assert value_for(values, "bottle", float) == 0.02
    assert value_for(["tile=400"], "bottle", int) is None


def test_both_sides_take_turns_and_the_one_that_begins_changes(load):
    round_order = load("peers.turns").round_order
    order = round_order(("padim", "stfpm", "patchcore"), ("vae_gan", "cavga_d"), 0)
    assert [side for side, _ in order] == ["anomalib", "kerasad"] * 3
    assert [model for _, model in order][1::2] == ["vae_gan", "cavga_d", "vae_gan"]
    second = round_order(("padim", "stfpm", "patchcore"), ("vae_gan", "cavga_d"), 1)
    assert [side for side, _ in second] == ["kerasad", "anomalib"] * 3
    assert Counter(order) == Counter(second)


def test_a_model_that_failed_is_not_tried_again_and_the_others_go_on(load, capsys):
    module, failed, done = load("peers.compare"), {}, []

    def step(side, model, number):
        done.append((model, number))
        if model == "stfpm":
            raise subprocess.CalledProcessError(9, ["python"])

    for number in range(2):
        for model in ("stfpm", "padim"):
            module.attempt(failed, SimpleNamespace(name="plate"), "anomalib", model, step, number)
    assert done == [("stfpm", 0), ("padim", 0), ("padim", 1)]
    assert "plate anomalib stfpm failed with exit code 9" in capsys.readouterr().err


@pytest.mark.parametrize("with_maps", [True, False])
def test_pixels_count_only_where_there_is_a_mask_and_no_padding(load, tmp_path, with_maps):
    # A defect of 1 pixel, a defective image without a mask, a good one with a padded pixel.
    masks = np.zeros((3, 1, 4, 1), "uint8")
    masks[0, 0, 3] = 1
    valid = np.ones_like(masks)
    valid[2, 0, 0] = 0
    np.save(tmp_path / "masks.npy", masks)
    np.save(tmp_path / "valid.npy", valid)
    description = {
        "padded": True,
        "has_mask": [True, False, True],
        "defects": ["burn", "burn", "good"],
    }
    # The high values are one normal pixel beside the defect's 5, and those that do not count.
    maps = np.array([[[7, 1, 2, 5]], [[9, 9, 9, 9]], [[9, 1, 1, 1]]], "float32")
    arrays = {"maps": maps} if with_maps else {}
    np.savez(tmp_path / "predictions.npz", scores=np.float32([1, 3, 2]), **arrays)
    metrics = load("peers.category").evaluate(tmp_path, description, tmp_path)
    assert metrics["image_auroc"] == pytest.approx(0.5)
    if with_maps:
        assert metrics["pixel_auroc"] == pytest.approx(5 / 6)  # of 6 normal pixels 5 are below
        assert metrics["iou_oracle"] == pytest.approx(1 / 2)
    else:
        assert metrics["pixel_auroc"] is metrics["aupro"] is metrics["iou_oracle"] is None


def entry(side, model, times, **values):
    row = {"image_auroc": 0.9, "pixel_auroc": None, "aupro": None, "iou_oracle": None}
    row |= dict.fromkeys(("fit_seconds", "fit_memory_mb", "predict_memory_mb", "model_mb"), 2.0)
    row |= {"load_before_fit": 0.5, "train_images": 7, "settings": {"see": "train"}}
    row |= {"versions": {side: "1.0"}, "date": "2026-01-02", "machine": "abacus", **values}
    times = [
        {
            "round": number,
            "load_before": 1.5,
            "milliseconds": {
                "model": {"1": ms, "8": ms / 2},
                "backbone": {"1": 2.0, "8": 1.0},
            },
        }
        for number, ms in times
    ]
    return {"side": side, "model": model, "accuracy": [row], "times": times}


def section(*models):
    return {
        "data": "plate",
        "size": [32, 48],
        "padded": False,
        "stretch": False,
        "max_train": None,
        "threads": None,
        "num_good": 10,
        "num_test": 3,
        "without_mask": 1,
        "features_check": {"block_2": {"largest": 10.0, "difference": 1e-4}},
        "models": list(models),
    }


def test_ratios_are_those_of_times_within_a_round(load):
    # Round 1 ran at half the speed: the ratio does not see it. A round's times are its median.
    peer = entry("anomalib", "padim", [(0, 10), (0, 14), (0, 12), (1, 24)])
    ours = entry("kerasad", "vae_gan", [(0, 4), (1, 8)])
    table = load("peers.table").build_table([section(peer, ours)], [0])
    ratios = {ratio["batch"]: ratio for ratio in table["categories"][0]["ratios"]}
    ratio = ratios[1]["times_as_long"]["padim"]
    assert ratio == {"middle": 3.0, "lowest": 3.0, "highest": 3.0}
    assert ratios[1]["of_bare_backbone"]["middle"] == 3.0  # median of 4 / 2 and 8 / 2
    assert table["categories"][0]["models"][0]["ms_batch_1"]["middle"] == 18.0


def test_the_page_says_what_was_measured_and_leaves_out_what_was_not(load):
    module = load("peers.table")
    peer = entry("anomalib", "ganomaly", [])
    ours = entry("kerasad", "vae_gan", [(0, 4)], epochs=25)
    missing = {"side": "anomalib", "model": "stfpm", "accuracy": [None], "times": []}
    table = module.build_table([section(peer, ours, missing)], [0])
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    page = module.format_page(table)
    assert "| anomalib ganomaly | 0.900 | - | - | - | 2.0 | - | - |" in page
    assert "| kerasad vae_gan | 0.900 |" in page
    assert "epochs 25" in page
    assert "| anomalib stfpm | - |" in page
    assert "32 x 48 pixels" in page
    assert "1 of them defective without a usable mask" in page
    assert "differ by at most 1e-05" in page
    assert "Load average before a step at most 1.5" in page


def test_the_mean_over_seeds_is_given_with_its_range(load):
    module = load("peers.table")
    ours = entry("kerasad", "vae_gan", [])
    ours["accuracy"] = [{**ours["accuracy"][0], "image_auroc": value} for value in (0.8, 0.95)]
    page = module.format_page(module.build_table([section(ours)], [0, 1]))
    assert "0.875 (0.800..0.950)" in page
    assert "Mean over the seeds 0, 1" in page
