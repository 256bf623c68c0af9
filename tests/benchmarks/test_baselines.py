import itertools

from kerasad.runs.benchmark_table import COUNTS, NUMBERS, build_table
from kerasad.training.recipes import RECIPES


def row(value, **changes):
    counts = {**dict.fromkeys(COUNTS, 7), "image_size": [128, 128]}
    return {"status": "done", "notes": {}, **dict.fromkeys(NUMBERS, value), **counts, **changes}


def test_every_baseline_is_in_a_family(load):
    named = {name for family in load("baselines").FAMILIES.values() for name in family}
    assert named <= RECIPES.keys()
    assert {n for n, recipe in RECIPES.items() if ".baselines." in recipe.model} <= named


def test_a_page_has_a_line_a_method_and_names_those_that_collapsed(load):
    models = ("vae", "ganomaly", "patch_gaussian")
    rows = {(c, m, 0): row(0.5) for c, m in itertools.product(("bottle", "leather"), models)}
    rows["leather", "ganomaly", 0] = row(0.25, collapses=["The latent collapsed."])
    page = load("baselines").format_page(build_table(rows))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    assert [line[:3] for line in lines[2:8]] == [
        ["bottle", "autoencoders", "vae"],
        ["bottle", "adversarial", "ganomaly"],
        ["bottle", "others", "patch_gaussian"],
        ["leather", "autoencoders", "vae"],
        ["leather", "adversarial", "ganomaly"],
        ["leather", "others", "patch_gaussian"],
    ]
    assert lines[6][3] == "0.250"
    assert page.endswith("- leather, ganomaly, seed 0: The latent collapsed.\n")
