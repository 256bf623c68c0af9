"""Groups of near-copies, from descriptors alone."""

import numpy as np

from kerasad.data.near_copies import group_near_copies, natural_order


def make_descriptors(scenes, own=0.0, seed=0, width=400):
    """Images of the scenes whose numbers are given; `own` is how much each differs from its own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(max(scenes) + 1, width))[scenes]
    images = shared + own * rng.normal(size=shared.shape)
    images -= images.mean(axis=0)
    return images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-9)


def renumbered(groups):
    order = {}
    return [order.setdefault(group, len(order)) for group in groups]


def test_near_copies_are_found_in_any_order():
    scenes = np.random.default_rng(1).permutation(np.arange(60) // 4)
    assert renumbered(group_near_copies(make_descriptors(scenes, 0.3))) == renumbered(scenes)


def test_photos_of_one_scene_that_differ_are_found_by_their_order():
    scenes = np.arange(60) // 6
    descriptors = make_descriptors(scenes, 1.2)
    assert np.max((descriptors @ descriptors.T)[np.triu_indices(60, 1)]) < 0.75
    assert renumbered(group_near_copies(descriptors)) == renumbered(scenes)
    shuffled = np.random.default_rng(0).permutation(60)
    assert len(set(group_near_copies(descriptors[shuffled]))) == 60


def test_scenes_may_take_turns():
    scenes = np.array([0, 1, 2] * 10 + [3, 4, 5] * 10)
    found = group_near_copies(make_descriptors(scenes, 1.2))
    assert renumbered(found) == renumbered(scenes)


def test_images_that_share_nothing_are_their_own():
    for count in (1, 2, 3, 11, 12, 100):
        descriptors = make_descriptors(np.arange(count), seed=count)
        assert len(set(group_near_copies(descriptors))) == count


def test_chance_likeness_whatever_the_order_is_no_group():
    # Parts that turn: every image is like some others, wherever these lie.
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 200)
    turning = 0.8 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    noise = make_descriptors(np.arange(200)) * np.sqrt(1 - 0.8**2)
    assert len(set(group_near_copies(np.concatenate([turning, noise], axis=1)))) == 200


def test_blocks_do_not_matter():
    scenes = np.arange(90) // 5
    descriptors = make_descriptors(scenes, 1.0)
    whole = group_near_copies(descriptors)
    parts = group_near_copies(descriptors, block=(7, 11))
    assert renumbered(parts) == renumbered(whole) == renumbered(scenes)


def test_files_are_in_the_order_in_which_people_count():
    paths = ["b/10.png", "b/9.png", "a/s10.png", "a/s02b.png", "a/s2.png"]
    expected = ["a/s2.png", "a/s02b.png", "a/s10.png", "b/9.png", "b/10.png"]
    assert [paths[position] for position in natural_order(paths)] == expected
