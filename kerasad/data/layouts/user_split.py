"""A split by the user: `train`, `validation` and `test`, each with good and bad side by side.

`train` may also hold good images alone. Parts may lie inside the folders of good and bad images, as
in `good/train`. Images of `validation` and `test` without a label are for `predict` only.
"""

from kerasad.data.layouts.by_names import LayoutByNames
from kerasad.data.layouts.places import Found


class UserSplit(LayoutByNames):
    """See the module."""

    name = "split by the user"

    def fits(self, found: Found) -> bool:
        """Returns whether a folder inside is surely called like a part of a split."""
        return found.is_split and not found.categories
