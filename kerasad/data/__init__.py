"""Images in: who is where, safe decoding, tf.data pipelines."""

from kerasad.data.category import Category
from kerasad.data.category_loading import load_category
from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry, resize_image
from kerasad.data.loading import load_good_images, load_images
from kerasad.data.source import name_bad_files

__all__ = [
    "Category",
    "Decoding",
    "Geometry",
    "load_category",
    "load_good_images",
    "load_images",
    "name_bad_files",
    "resize_image",
]
