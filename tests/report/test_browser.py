"""The report in a real browser: what a mouse and a keyboard do with it."""

import re
from functools import cache

import numpy as np
import pytest

from kerasad.metrics.intervals import clopper_pearson
from kerasad.report.build import RunView, build_report
from kerasad.report.images import ShownImages

pytestmark = pytest.mark.browser

HISTORY = {
    "epoch": [1, 2, 3],
    "loss": [2, 1, 1],
    "kl_loss": [3.0, np.nan, 1.0],
    "seconds": [1, 1, 1],
}
LAST = "test/z</script><script>window.hacked=1</script>/good.png"


@pytest.fixture(scope="module")
def images(make_category):
    """41 images, the last one under a name that is markup."""
    brightness = [*np.random.default_rng(3).uniform(0.3, 1.0, 40).tolist(), 0.4]
    kinds = ["good" if value <= 0.6 else "cut" for value in brightness]
    names = [f"test/{kind}/{i:03d}.png" for i, kind in enumerate(kinds)]
    return make_category(brightness, [*names[:-1], LAST])


@pytest.fixture(scope="module")
def scores(images):
    return 10 * (images.images.mean(axis=-1).max(axis=(1, 2)) - 0.5)


@pytest.fixture(scope="module")
def defective(images):
    return np.array([record.label == 1 for record in images.index.test])


@pytest.fixture(scope="module")
def pages(tmp_path_factory, images, make_detector, make_facts):
    """Writes the page of one run or of several, each once, and returns its path."""
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def write(num_runs=1):
        views = []
        for number in range(num_runs):
            detector = make_detector()
            if number == 0:  # the second run has no review band
                detector.review_threshold = 2.0
            facts = make_facts(detector, f"run{number}")
            views.append(RunView(facts, detector, lambda: ShownImages(images), lambda: HISTORY))
        path = folder / f"{num_runs}.html"
        path.write_text(build_report(views, num_runs).html, encoding="utf-8")
        return path

    return write


@pytest.fixture
def show(browser, pages):
    """Opens a page; whatever it logs or requests is an error at the end."""
    problems, opened = [], []

    def open_page(num_runs=1, width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        path = pages(num_runs)

        def watch(request):
            if request.url != path.as_uri() and not request.url.startswith("data:"):
                problems.append(request.url)

        page.on("request", watch)
        page.goto(path.as_uri())
        return page

    yield open_page
    for page in opened:
        page.close()
    assert problems == []


def matrix_of(page):
    cells = page.locator("[data-cell]").all()
    return {cell.get_attribute("data-cell"): int(cell.inner_text() or 0) for cell in cells}


def set_number(page, value):
    page.locator("#number").fill(str(value))
    page.locator("#number").press("Enter")


@pytest.mark.parametrize("threshold", [0.5, 1.9, 2.55, 3.0, 4.2, 9.0])
def test_the_matrix_is_what_numpy_counts_at_each_threshold(show, scores, defective, threshold):
    page = show()
    set_number(page, threshold)
    above = scores > threshold
    review = ~above & (scores > min(2.0, threshold))
    assert matrix_of(page) == {
        "passed": np.sum(~above & ~review & ~defective),
        "good-review": np.sum(review & ~defective),
        "false-alarms": np.sum(above & ~defective),
        "misses": np.sum(~above & ~review & defective),
        "defective-review": np.sum(review & defective),
        "found": np.sum(above & defective),
    }
    # The calibration scores are 20 from -1 to 3: a new good one is above the m-th largest.
    rank = min(1 + np.sum(np.linspace(-1.0, 3.0, 20).astype("float32") > threshold), 21)
    assert f"{100 * rank / 21:.1f} %" in page.locator("#promised").inner_text()


def test_without_a_review_band_a_higher_threshold_lets_pass_what_is_below(show, defective):
    page = show(2)
    page.locator('input[name="run"]').nth(1).check()
    set_number(page, 9.0)
    found = matrix_of(page)
    assert found["misses"] + found["found"] == np.sum(defective)
    assert found["passed"] + found["false-alarms"] == np.sum(~defective)


def test_the_slider_moves_with_the_keyboard_and_back(show):
    page = show()
    before = matrix_of(page)
    page.locator("#slider").focus()
    for _ in range(40):
        page.keyboard.press("PageDown")
    moved = matrix_of(page)
    assert moved["found"] + moved["false-alarms"] > before["found"] + before["false-alarms"]
    assert moved["misses"] <= before["misses"]
    assert "kerasad calibrate runs/run0" in page.locator("#adopt").inner_text() or (
        "100.0 %" in page.locator("#promised").inner_text()
    )
    page.locator("#reset").click()
    assert matrix_of(page) == before
    assert page.locator("#reset").is_disabled()


def test_filters_and_order_choose_what_is_listed(show, scores, defective):
    page = show()

    def listed():
        return [int(each.get_attribute("data-image")) for each in page.locator("#list > li").all()]

    page.locator("#more").click()
    assert listed() == np.argsort(-scores, kind="stable").tolist()
    page.locator('[data-filter="misses"]').click()
    assert set(listed()) == set(np.flatnonzero(defective & (scores <= 2.0)))
    page.locator('[data-filter="found"]').click()
    page.locator("#sort").select_option("low")
    found = np.flatnonzero(defective & (scores > 3.0))
    assert listed() == found[np.argsort(scores[found])][:24].tolist()
    page.locator('[data-filter="all"]').click()
    page.locator("#kind").select_option(label="good")
    assert set(listed()) <= set(np.flatnonzero(~defective))
    page.locator('[data-cell="found"] button').click()
    assert page.locator('[data-filter="found"]').get_attribute("aria-pressed") == "true"


def test_a_picture_is_enlarged_with_the_map_of_each_expert(show):
    page = show()
    page.locator("#list .pictures button").first.click()
    dialog = page.locator("#large")
    assert dialog.is_visible()
    text = dialog.inner_text()
    assert "map of the expert residual" in text
    assert "map of the expert inattention" in text
    name = page.locator("#large-name").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#large-name").inner_text() != name
    page.keyboard.press("ArrowLeft")
    assert page.locator("#large-name").inner_text() == name
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_pictures_can_be_left_out_and_all_are_drawn(show):
    page = show()
    kinds = page.locator("#list > li").first.locator(".pictures span").all_inner_texts()
    assert kinds == ["input", "overlay", "map", "mask", "reconstruction", "attention"]
    widths = page.evaluate(
        "Promise.all([...document.querySelectorAll('#list > li:first-child img')]"
        ".map(async (image) => (await image.decode(), image.naturalWidth)))"
    )
    assert min(widths) > 188
    page.get_by_label("reconstruction", exact=True).uncheck()
    kinds = page.locator("#list > li").first.locator(".pictures span").all_inner_texts()
    assert "reconstruction" not in kinds


def test_a_point_of_the_latent_space_shows_its_picture(show):
    page = show()
    page.locator(".point[data-image]").first.hover()
    assert page.locator("#tip img").is_visible()
    page.locator(".latent svg[tabindex]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tip").is_visible()


def test_names_of_files_are_text(show):
    page = show()
    page.locator("#sort").select_option("low")
    page.locator("#more").click()
    assert page.get_by_text("window.hacked=1").count() >= 1
    assert page.evaluate("window.hacked === undefined")


def test_runs_are_side_by_side(show):
    page = show(2)
    assert page.locator("header .card").count() == 2
    page.locator("#list .pictures button").first.click()
    assert "run1" in page.locator("#large-pictures h3").inner_text()
    page.keyboard.press("Escape")
    page.locator('input[name="run"]').nth(1).check()
    assert page.locator('.histogram[data-run="1"]').is_visible()
    assert not page.locator('.histogram[data-run="0"]').is_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(show, width):
    page = show(2, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_shows_the_images_without_what_is_clicked(show):
    page = show()
    page.emulate_media(media="print")
    assert page.locator("#list img").first.is_visible()
    assert not page.locator("#slider").is_visible()
    assert not page.locator("nav").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_fault(show, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page = show(2, width, scheme)
    found = serious(axe.Axe().run(page))
    page.locator("#list .pictures button").first.click()
    assert found + serious(axe.Axe().run(page)) == []


def serious(results):
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:150]}"
        for fault in results.response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def test_the_first_screen_says_what_was_observed(show, scores, defective):
    page = show()
    alarms, good = int(np.sum((scores > 3.0) & ~defective)), int(np.sum(~defective))
    low, high = clopper_pearson(alarms, good)
    text = page.locator("header").inner_text()
    assert re.search(rf"{alarms if alarms else 'None'} of {good} good images", text)
    assert f"{100 * low:.1f} to {100 * high:.1f} %" in text
