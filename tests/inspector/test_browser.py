"""The inspector in a real browser, on a real run."""

import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from command_line import write_image

from kerasad.inspector.app import make_app
from kerasad.inspector.serving import make_server
from kerasad.inspector.session import Session
from kerasad.inspector.sources import open_source

pytestmark = pytest.mark.browser

SECRET = "a-secret"
SPOT = np.s_[8:16, 10:22]


@pytest.fixture
def serve(trained):
    """Function of paths that serves a session of its own, and returns it and its address."""
    ends = []

    def start(paths=(), output=None):
        session = Session(open_source(trained), paths, output)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = make_server(make_app(session, SECRET))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        ends.append((server, thread, listener))
        return session, f"http://127.0.0.1:{listener.getsockname()[1]}/{SECRET}/"

    yield start
    for server, thread, listener in ends:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def show(browser, serve):
    """Opens the page; whatever it logs, or requests elsewhere, is an error at the end."""
    problems, opened = [], []

    def open_page(paths=(), output=None, width=1280, scheme="light"):
        _, address = serve(paths, output)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        page.set_default_timeout(60_000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))

        def watch(request):
            if not request.url.startswith((address, "data:")):
                problems.append(request.url)

        page.on("request", watch)
        page.goto(address)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert problems == []


@pytest.fixture(scope="module")
def fine(trained, tmp_path_factory):
    """A good picture: of eight, of which the run calls about a third defective, the plainest."""
    folder = tmp_path_factory.mktemp("good")
    for number in range(8):
        write_image(folder / f"{number}.png", 700 + number)
    session = Session(open_source(trained), sorted(folder.iterdir()))
    return min(map(session.answer, range(1, 9)), key=lambda answer: answer["score"])["name"]


@pytest.fixture
def pictures(fine, tmp_path):
    """A good picture, a defective one, and a file that is no picture."""
    whole = Path(fine).read_bytes()
    write_image(tmp_path / "drop/burnt.png", 701, SPOT)
    (tmp_path / "drop/fine.png").write_bytes(whole)
    (tmp_path / "drop/torn.png").write_bytes(whole[: len(whole) // 2])
    return {path.stem: path for path in (tmp_path / "drop").iterdir()}


def choose(page, *paths):
    page.locator("#files").set_input_files([str(path) for path in paths])


def item(page, name):
    return page.locator(f'#list button[title$="{name}"]')


def set_number(page, value):
    page.locator("#number").fill(str(value))
    page.locator("#number").press("Enter")


def heat_at(page, x, y):
    """Returns the colour and the opacity of the heat map at a share of its width and height."""
    return page.evaluate(
        """async ([x, y]) => {
          const image = document.getElementById("heat");
          await image.decode();
          const canvas = document.createElement("canvas");
          canvas.width = image.naturalWidth;
          canvas.height = image.naturalHeight;
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          return [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data];
        }""",
        [x, y],
    )


def test_a_defect_is_hot_and_above_the_threshold_and_a_good_picture_stays_cold(show, pictures):
    page = show()
    choose(page, pictures["burnt"])
    page.locator("#verdict", has_text="Called defective").wait_for()
    on_defect, beside = heat_at(page, 16 / 32, 12 / 32), heat_at(page, 28 / 32, 28 / 32)
    assert on_defect[3] > 200
    assert beside[3] < 60
    boxes = page.locator("#boxes rect.inside")
    assert boxes.count() >= 1
    box = {name: float(boxes.first.get_attribute(name)) for name in ("x", "y", "width", "height")}
    assert box["x"] < 16 < box["x"] + box["width"]
    assert box["y"] < 12 < box["y"] + box["height"]
    choose(page, pictures["fine"])
    page.locator("#verdict", has_text="Called good").wait_for()
    assert boxes.count() == 0
    assert max(heat_at(page, x / 8, y / 8)[3] for x in range(8) for y in range(8)) < 60


def test_a_broken_file_gives_a_message_and_the_others_are_answered(show, pictures):
    page = show()
    choose(page, pictures["torn"], pictures["fine"])
    item(page, "fine.png").wait_for()
    problem = page.locator("#problems .note")
    assert "torn.png: the PNG is broken or cut off" in problem.inner_text()
    assert page.locator("#list button").count() == 1
    problem.get_by_role("button").click()
    assert problem.count() == 0


def test_what_is_dropped_and_a_chosen_folder_are_looked_at(show, pictures):
    page = show()
    content = list(pictures["burnt"].read_bytes())
    transfer = page.evaluate_handle(
        """(content) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(content)], "dropped.png"));
          return transfer;
        }""",
        content,
    )
    page.dispatch_event("#add", "drop", {"dataTransfer": transfer})
    page.locator("#verdict", has_text="Called defective").wait_for()
    assert page.locator("#name").inner_text() == "dropped.png"
    (pictures["fine"].parent / "notes.txt").write_text("no picture")
    page.locator("#folder").set_input_files(str(pictures["fine"].parent))
    item(page, "drop/fine.png").wait_for()
    item(page, "drop/burnt.png").wait_for()
    for text in ("1 file that is no picture was left out", "drop/torn.png: the PNG is broken"):
        page.locator("#problems .note", has_text=text).wait_for()
    page.reload()  # the server has kept all of it
    page.locator("#list button").nth(2).wait_for()
    page.locator("#shown").wait_for()
    page.locator("#clear").click()
    page.locator("#history").wait_for(state="hidden")
    assert not page.locator("#shown").is_visible()


def test_the_threshold_changes_verdicts_boxes_and_promise(show, pictures):
    page = show()
    choose(page, pictures["burnt"])
    page.locator("#verdict", has_text="Called defective").wait_for()
    promised = page.locator("#promised").inner_text()
    set_number(page, 1000)
    assert page.locator("#verdict").inner_text() == "Called good"
    assert item(page, "burnt.png").get_attribute("data-verdict") == "good"
    assert page.locator("#boxes rect").count() == 0
    set_number(page, -1000)
    assert "100.0 % (rank 3 of 3;" in page.locator("#promised").inner_text()
    page.locator("#reset").click()
    assert page.locator("#verdict").inner_text() == "Called defective"
    assert page.locator("#promised").inner_text() == promised
    page.locator("#slider").focus()
    page.keyboard.press("End")
    assert page.locator("#number").input_value() != ""
    assert page.locator("#reset").is_enabled()


def test_the_opacity_of_the_heat_map_follows_its_slider(show, pictures):
    page = show()
    choose(page, pictures["burnt"])
    page.locator("#verdict", has_text="Called defective").wait_for()
    opacity = "getComputedStyle(document.getElementById('heat')).opacity"
    assert page.evaluate(opacity) == "0.75"
    page.locator("#opacity").focus()
    page.keyboard.press("Home")
    assert page.evaluate(opacity) == "0"


def test_the_list_is_sorted_and_works_with_the_keyboard(show, pictures):
    page = show([pictures["fine"], pictures["burnt"]])  # named in the terminal
    page.locator("#list button").nth(1).wait_for()
    page.locator("#sort").select_option("high")
    names = [each.get_attribute("title") for each in page.locator("#list button").all()]
    assert names == [str(pictures["burnt"]), str(pictures["fine"])]
    page.locator("#list button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("#name", has_text="fine.png").wait_for()
    assert item(page, "fine.png").get_attribute("aria-current") == "true"
    page.locator("#before").click()
    page.locator("#name", has_text="burnt.png").wait_for()
    page.locator("#maps summary").click()
    page.locator("#experts img").first.wait_for()
    assert "weight" in page.locator("#experts figcaption").first.inner_text()


def test_this_is_good_changes_the_next_answer(show, streaks, tmp_path):
    page = show(output=tmp_path / "tuned")
    choose(page, *streaks)
    page.locator("#list button").nth(5).wait_for()
    assert page.locator("#list button[data-verdict=defective]").count() == 6
    for path in streaks[:5]:
        item(page, path.name).click()
        page.locator("#name", has_text=path.name).wait_for()
        page.locator("#good", has_text="This is good").click()
        page.locator("#good", has_text="Marked as good").wait_for()
    assert "networks of vae_gan" in page.locator("#why-update").inner_text()
    page.locator("#renew").click()
    page.locator("h1", has_text="tuned").wait_for()
    page.locator("#list button[data-verdict=good]").nth(2).wait_for()
    page.locator("#list button").nth(5).wait_for()
    item(page, streaks[0].name).click()
    assert "run called it defective" in page.locator("#former").inner_text()
    assert (tmp_path / "tuned/detector.keras").is_file()
    assert "tuned was written and answers from now on" in page.locator("#renewing").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_serious_fault_and_nothing_is_too_wide(show, pictures, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page = show(width=width, scheme=scheme)
    found = serious(axe.Axe().run(page))
    choose(page, *pictures.values())
    page.locator("#list button").nth(1).wait_for()
    page.locator("#problems .note").wait_for()
    page.locator("#good", has_text="This is good").click()
    page.locator("#good", has_text="Marked as good").wait_for()
    assert found + serious(axe.Axe().run(page)) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def serious(results):
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:150]}"
        for fault in results.response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
