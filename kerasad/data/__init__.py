"""Images in: which there are, safe decoding, the split, `tf.data` pipelines."""

from kerasad.data.category import Category
from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry, resize_image
from kerasad.data.image_files import ImageRecord
from kerasad.data.index import CategoryIndex, read_category, read_images
from kerasad.data.loading import load_category, load_good_images, load_images
from kerasad.data.problems import Problem
from kerasad.data.source import name_bad_files
from kerasad.data.split import GoodSplit

__all__ = [
    "Category",
    "CategoryIndex",
    "Decoding",
    "Geometry",
    "GoodSplit",
    "ImageRecord",
    "Problem",
    "load_category",
    "load_good_images",
    "load_images",
    "name_bad_files",
    "read_category",
    "read_images",
    "resize_image",
]
