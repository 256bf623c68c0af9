from kerasad.report.choosing import rank_images
from kerasad.report.collect import ScoredImage


def image(name, label, score, threshold=3.0, defect=None):
    defect = defect or ("scratch" if label else "good")
    return ScoredImage(name, name, defect, label, score, 0.5, score > threshold, False, None)


def names(images):
    return [images[place].name for place in rank_images(images, 3.0)]


def test_errors_come_first_the_worst_of_each_kind_in_turn():
    images = [
        image("alarm 9", 0, 9.0),
        image("right", 1, 3.1),
        image("alarm 4", 0, 4.0),
        image("alarm 5", 0, 5.0),
        image("miss 0", 1, 0.2),
        image("miss 2", 1, 2.0),
    ]
    assert names(images)[:5] == ["alarm 9", "miss 0", "alarm 5", "miss 2", "alarm 4"]


def test_then_what_is_nearest_the_threshold_and_a_sample_of_every_kind():
    images = [image(f"good {n}", 0, n / 100) for n in range(200)]
    images += [image(f"dent {n}", 1, 50.0 + n, defect="dent") for n in range(3)]
    first = names(images)[:10]
    assert first[0] == "good 199"
    assert {"good 198", "good 197", "good 196", "good 0", "dent 0"} <= set(first)


def test_every_image_is_listed_once():
    images = [image(str(n), n % 2, n / 7) for n in range(40)]
    assert sorted(names(images), key=int) == [str(n) for n in range(40)]
    assert rank_images([], 3.0) == []
