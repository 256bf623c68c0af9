import unicodedata

import pytest

from kerasad.data.earlier_results import name_key
from kerasad.runs.overlay_names import name_limit, overlay_names


def names_of(*paths, **options):
    return [str(name) for name in overlay_names(paths, **options)]


def test_overlays_mirror_the_relative_paths():
    assert names_of("a/x.png", "a/y.png", "a/y.jpg", "b/x.png", "v1.2.png") == [
        "a/x_overlay.png",
        "a/y.png_overlay.png",
        "a/y.jpg_overlay.png",
        "b/x_overlay.png",
        "v1.2_overlay.png",
    ]


@pytest.mark.parametrize(
    "paths",
    [
        ("a.png", "a.jpg", "a.png.png", "a.jpg.png"),
        ("a.png.png", "a.png.jpg", "a.png", "a.png.png.png", "a.bmp"),
        ("cam1/001.png", "cam2/001.png", "cam1/001.jpg", "cam1/001.png.png", "cam1/001.jpg.png"),
        ("Part.png", "part.png", "PART.PNG", "part.jpg"),
        ("Cam/1.png", "cam/1.png"),
        (unicodedata.normalize("NFC", "é.png"), unicodedata.normalize("NFD", "é.png")),
        ("straße.png", "STRASSE.png"),
        ("x.png", "x_overlay.png", "x_overlay_overlay.png"),
        ("x-2.png", "X.png", "x.png", "x.png-2.png"),
        ("ab" * 120 + "x.png", "ab" * 120 + "y.png", "AB" * 120 + "x.png"),
    ],
)
def test_no_two_overlays_are_one_file_on_any_file_system(paths):
    for order in (paths, paths[::-1]):
        names = overlay_names(order)
        assert len(set(map(name_key, names))) == len(paths)
        assert all(name.name.endswith("_overlay.png") for name in names)


def test_a_name_that_is_taken_gets_a_number():
    taken = {"a_overlay.png", "a-2_overlay.png"}
    found = names_of("a.png", "a-3.png", "b.png", is_taken=lambda name: str(name) in taken)
    assert found == ["a-4_overlay.png", "a-3_overlay.png", "b_overlay.png"]


@pytest.mark.parametrize("stem", ["部" * 77, "部" * 83, "é" * 125, "a" * 251, "a" + "🙂" * 62])
def test_a_long_name_is_cut_between_letters_and_stays_unique(stem):
    paths = [f"{stem}.png", f"{stem}.jpg", f"b/{stem}.png", f"{stem[:-1]}x.png"]
    names = overlay_names(paths, is_taken=lambda name: name.name.startswith(stem[:5] + "z"))
    assert len(set(names)) == 4
    for name in names:
        assert len(name.name.encode()) <= 255
        assert name.name.startswith(stem[:40])
    assert all(len(n.name.encode()) <= 143 for n in overlay_names(paths, limit=143))


def test_a_name_that_fits_is_not_cut(tmp_path):
    assert names_of("a" * 243 + ".png") == ["a" * 243 + "_overlay.png"]
    assert 0 < name_limit(tmp_path) <= 255
    assert name_limit(tmp_path / "gone") == 255
