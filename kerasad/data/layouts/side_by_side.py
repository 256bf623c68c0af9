"""Good and bad side by side: one folder of good images, others for defective ones and masks.

Names may be in any case and in several languages, see `names.py`. Another folder beside one of good
images is a kind of defect by its position. The kind is the name of the folder, with the folders
inside: those inside a folder that is only called defective, such as `nok/scratch`, give the kind
`scratch`.
"""

from kerasad.data.layouts.by_names import LayoutByNames
from kerasad.data.layouts.places import Found


class SideBySide(LayoutByNames):
    """See the module."""

    name = "good and bad side by side"

    def fits(self, found: Found) -> bool:
        """Returns whether a folder inside is surely called good."""
        has_good = any(folder.place.defect == "good" for folder in found.folders)
        return found.is_labelled and has_good and not found.is_split and not found.categories
