"""A plain folder, searched recursively: all images are good, if no name in it says otherwise."""

from kerasad.data.layouts.by_names import LayoutByNames
from kerasad.data.layouts.places import Found


class PlainFolder(LayoutByNames):
    """All images are good.

    If there are only folders that are surely called defective, their images are defective.
    """

    name = "folder"

    def fits(self, found: Found) -> bool:
        """Returns `True`: any folder may hold images."""
        return True
