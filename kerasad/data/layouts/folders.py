"""Which folder of a tree holds what, as the names of the folders say: the walk over the tree."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from kerasad.console import count_of
from kerasad.data.earlier_results import (
    PREDICTIONS,
    is_named_like_overlay,
    is_picture_of_run,
)
from kerasad.data.image_files import ImageReader
from kerasad.data.layouts.file_names import find_defective, tell_apart
from kerasad.data.layouts.flat_names import flat_place, read_flat_names
from kerasad.data.layouts.inside import holds_data_set, holds_defective, names_split, says_quality
from kerasad.data.layouts.names import SPLITS, Meaning, Role, opposite_names, read_names
from kerasad.data.layouts.places import Found, FoundFolder, Place, Question
from kerasad.data.layouts.remedies import (
    LIST_FILES,
    MOVE_FILES,
    NAME_FOLDERS,
    NAME_INNER,
    SEPARATE_FILES,
)
from kerasad.data.layouts.series import may_be_classes
from kerasad.data.layouts.side_masks import separate_masks

_BAD = (Role.BAD, Role.KIND)
_QUALITY = (Role.GOOD, *_BAD)
_NO_PHOTOS = (Role.MASKS, Role.REGIONS, Role.RESULTS)
_NOTHING_KNOWN = Place()

Meanings = Mapping[Path, Meaning]


class Walker:
    """Reads a tree of folders; only names count, no image is opened.

    Args:
        root: Path. The top folder. Its own name does not count.
        reader: `ImageReader`. It gets remarks on what is not read.
        named: dict. The folders that options name, with `Role.GOOD`, `Role.BAD` or `Role.MASKS`.
            They are left to the caller. Of each role that an option names, there are no others;
            and if good ones are named, what is not certain is not read.

    Attributes:
        found: `Found`.
    """

    def __init__(self, root: Path, reader: ImageReader, named: Mapping[Path, Role] | None = None):
        self.root = root
        self.reader = reader
        self.named = dict(named or {})
        self.found = Found()
        self._seen: dict[tuple[int, int], tuple[Path, Place]] = {}

    def visit(self, folder: Path, place: Place = _NOTHING_KNOWN) -> None:
        """Reads a folder and those inside."""
        if not self._is_new(folder, place):
            return
        if folder != self.root and (folder / PREDICTIONS).is_file():
            why = "it holds results of `kerasad predict`"
            if place.is_plain:
                self._ask(folder, f"{why} (--good . leaves it out)")
            else:
                self._skip_tree(folder, why)
            return
        files, inner = self.reader.list_folder(folder)
        images = [path for path in files if not is_named_like_overlay(path)]
        self._skip(folder, len(files) - len(images), "overlays of `kerasad predict`")
        inner = [path for path in inner if path not in self.named and self._has_images(path)]
        meanings = self._leave_out_unnamed(read_names(inner), place)
        if place.defect is not None:
            self._visit_known(folder, place, images, meanings)
        elif place.part is None and names_split(meanings):
            self._visit_split(folder, images, meanings)
        elif (named := _pick(meanings, *_QUALITY)) and not all(map(holds_data_set, named)):
            self._visit_side_by_side(folder, place, images, meanings)
        elif not named and (wrapper := self._find_wrapper(images, meanings)) is not None:
            self._visit_wrapper(wrapper, place, meanings)
        else:
            self._visit_plain(folder, place, images, meanings)

    def _visit_known(self, folder: Path, place: Place, images: list[Path], meanings: Meanings):
        """A folder whose images are all good, or all defective."""
        self._add(folder, place, images)
        is_good = place.defect == "good"
        other = (*_BAD, Role.UNSORTED) if is_good else (Role.GOOD,)
        doubtful = {*_NO_PHOTOS, Role.COPIES, *other}
        if place.is_plain:
            doubtful = set(Role) - {Role.NEUTRAL}
            self._ask_about_opposites(folder, meanings)
        for path, meaning in meanings.items():
            part = SPLITS.get(meaning.role) if meaning.certain else None
            if not place.is_plain and self._put_aside(path, meaning):
                continue
            # An option outweighs a hint; a folder inside that is surely called defective is so.
            if is_good and place.by_hand and meaning.surely(*_BAD):
                self.visit(path, Place(path.name, place.part, is_vague=meaning.surely(Role.BAD)))
            elif meaning.role in doubtful and (meaning.certain or not place.by_hand):
                kind = "good" if is_good else "defective"
                self._ask(path, f"{_say(meaning)}, inside a folder of {kind} images")
            elif part is not None and place.part in (None, part):
                self.found.is_split = True
                self.visit(path, dataclasses.replace(place, part=part))
            else:
                self.visit(path, _deeper(place, path.name, meaning))

    def _visit_split(self, folder: Path, images: list[Path], meanings: Meanings):
        """A folder with `train`, `validation` or `test` inside, or `train_good` and `test_bad`."""
        self.found.is_split = True
        flat = read_flat_names(list(meanings))
        has_good = any(rest.surely(Role.GOOD) for _, rest in flat.values())
        for path, meaning in meanings.items():
            if meaning.surely(*SPLITS):
                self.visit(path, Place(part=SPLITS[meaning.role]))
            elif path in flat:
                self._visit_flat(path, *flat[path], has_good)
            elif self._put_aside(path, meaning):
                continue
            elif meaning.role in (*_QUALITY, Role.MASKS):
                self._ask(path, f"{_say(meaning)}, beside the folders of a split")
            else:
                self._skip_tree(path, "beside the folders of a split")
        self._skip(folder, len(images), "beside the folders of a split")

    def _visit_flat(self, path: Path, part: str, rest: Meaning, has_good: bool):
        """A folder of a split whose name says more, such as `test_bad`."""
        place = flat_place(path.name, part, rest, has_good)
        if place is not None:
            self.visit(path, place)
        elif rest.role is Role.MASKS:
            self.found.mask_folders.append(path)
        else:
            self._ask(path, f"its name says {part}, but not whether its images are good")

    def _visit_side_by_side(self, folder: Path, place: Place, images: list[Path], meanings):
        """A folder in which names of inner folders say which images are good or defective."""
        self.found.is_labelled = True
        has_good = bool(_pick(meanings, Role.GOOD))
        certain = " and ".join(path.name for path in _pick(meanings, *_QUALITY)[:3])
        for path, meaning in meanings.items():
            is_bad = meaning.surely(*_BAD)
            if self._put_aside(path, meaning):
                continue
            if meaning.surely(Role.GOOD):
                self.visit(path, dataclasses.replace(place, defect="good"))
            elif not is_bad and (meaning.role not in (*_BAD, None) or not has_good):
                may_be_bad = folder == self.root and not has_good
                all_bad = " (--bad . says that all are defective)" if may_be_bad else ""
                self._ask(path, f"beside {certain}, {_say(meaning)}{all_bad}")
            else:
                kind = dataclasses.replace(place, defect=path.name, by_position=not is_bad)
                self.visit(path, dataclasses.replace(kind, is_vague=meaning.surely(Role.BAD)))
        if images and place.part in ("test", "validation"):
            self._add(folder, place, images)
        elif images:
            why = f"it holds {count_of(len(images), 'image')} beside the folders {certain}"
            self._ask(folder, why, len(images), MOVE_FILES)

    def _find_wrapper(self, images: list[Path], meanings: Meanings) -> Path | None:
        """Returns the one inner folder that holds all photos, such as `Data/Images`, if any."""
        neutral = [path for path, meaning in meanings.items() if meaning.role is Role.NEUTRAL]
        wrappers = [path for path in neutral if says_quality(path)]
        return wrappers[0] if len(wrappers) == 1 and not images else None

    def _visit_wrapper(self, wrapper: Path, place: Place, meanings: Meanings):
        """A folder in which one inner folder holds the photos, and others perhaps the masks."""
        self.visit(wrapper, place)
        for path, meaning in meanings.items():
            if path != wrapper and not self._put_aside(path, meaning):
                self._ask(path, f"beside {wrapper.name}, {_say(meaning)}")

    def _visit_plain(self, folder: Path, place: Place, images: list[Path], meanings: Meanings):
        """A folder in which no name says for certain that an image is good or defective.

        Alone, or as the user's training images, they are good, unless a name says something else.
        Other parts of a split stay without a label.
        """
        is_good = place.part in (None, "train")
        if is_good and Role.GOOD in self.named.values():
            self._visit_unnamed(folder, place, images, meanings)
            return
        known = dataclasses.replace(place, defect="good", is_plain=True) if is_good else place
        self._add(folder, known, images)
        self._ask_about_opposites(folder, meanings)
        is_alone = not images and len(meanings) == 1
        for path, meaning in meanings.items():
            is_good_alone = is_alone and is_good and meaning.role is Role.GOOD
            if says_quality(path) and place.part is None:
                self.found.categories.append(path)
            elif says_quality(path):
                self._ask(path, "it holds good and defective images of its own")
            elif meaning.role in (None, Role.NEUTRAL) or is_good_alone:
                self.visit(path, known)
            elif is_good or not self._put_aside(path, meaning):
                is_left_out = place.part is None and meaning.surely(*_NO_PHOTOS)
                self._ask(path, _say(meaning) + " (--good . leaves it out)" * is_left_out)

    def _visit_unnamed(self, folder: Path, place: Place, images: list[Path], meanings: Meanings):
        """A plain folder while options name the good ones: only certain names inside count."""
        count = len(images)
        for path, meaning in meanings.items():
            if self._put_aside(path, meaning):
                continue
            has_named = any(path in named.parents for named in self.named)
            if has_named or (meaning.role in (None, Role.NEUTRAL) and holds_defective(path)):
                self.visit(path, place)
            else:
                count += self._count(path)
        self._skip(folder, count, "not named by --good")

    def _leave_out_unnamed(self, meanings: Meanings, place: Place) -> dict[Path, Meaning]:
        """Leaves out folders whose names give them a role of which options name the folders."""
        options = {Role.GOOD: "--good", Role.BAD: "--bad", Role.MASKS: "--masks"}
        kept = {}
        for path, meaning in meanings.items():
            role = Role.BAD if meaning.role is Role.KIND else meaning.role
            is_open = place.defect is None or role is Role.MASKS
            is_open = is_open or (role is Role.BAD and place.by_hand and place.defect == "good")
            if is_open and meaning.certain and role in self.named.values():
                self._skip_tree(path, f"not named by {options[role]}")
            else:
                kept[path] = meaning
        return kept

    def _put_aside(self, path: Path, meaning: Meaning) -> bool:
        """Takes a folder of masks, regions or results out of the photos, if it is one."""
        if meaning.surely(Role.MASKS):
            self.found.mask_folders.append(path)
        elif meaning.surely(Role.REGIONS, Role.RESULTS):
            self._skip_tree(path, _say(meaning))
        return meaning.surely(*_NO_PHOTOS)

    def _add(self, folder: Path, place: Place, images: list[Path]) -> None:
        """Adds the photos of one folder; in a plain one, names of files may say otherwise."""
        if place.by_hand and place.defect == "good":
            defective = find_defective(images)
            images = [path for path in images if path not in defective]
            why = f"their names say defective; {LIST_FILES} if they are good"
            self._skip(folder, len(defective), why)
        found = separate_masks(images)
        self._skip(folder, len(found.alone), "named like masks, and no image belongs to them")
        self._skip(folder, len(found.regions), "named like regions of interest of others")
        if found.photos:
            self.found.folders.append(FoundFolder(folder, place, found.photos, found.masks))
        if not place.is_plain:
            count = sum(map(len, found.masks.values()))
            if count and place.defect == "good" and not place.by_hand:
                self.reader.remark(
                    folder, f"masks beside good images, which are not used: {count}."
                )
            return
        if found.masks or found.alone:
            why = "it holds masks beside images, so not all are good"
            self._ask(folder, why, len(images), SEPARATE_FILES)
        if (why := tell_apart(found.photos)) is not None:
            is_told = place.part is None and find_defective(found.photos)
            why += " (--good . leaves them out)" if is_told else ""
            self._ask(folder, why, len(images), SEPARATE_FILES)

    def _ask_about_opposites(self, folder: Path, meanings: Meanings) -> None:
        if opposite_names(names := [path.name for path in meanings]):
            why = f"its folders {' and '.join(names)} seem to be good and defective images"
            self._ask(folder, why, 0, NAME_INNER)
        unknown = [path.name for path, meaning in meanings.items() if meaning.role is None]
        others = [path.name for path, meaning in meanings.items() if meaning.role is Role.NEUTRAL]
        if may_be_classes(unknown, bool(others)):
            names = unknown + others
            some = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
            why = f"its folders {some} may be good and defective images"
            both = "--good . says that all are good, --bad . that all are defective"
            self._ask(folder, f"{why} ({both})", 0, NAME_INNER)

    def _ask(
        self, folder: Path, why: str, count: int | None = None, remedy: str = NAME_FOLDERS
    ) -> None:
        """Notes a question; where options name the good folders, what is left is not read."""
        if Role.GOOD in self.named.values():
            self._skip(folder, self._count(folder) if count is None else count, why)
        else:
            self.found.questions.append(Question(folder, why, remedy))

    def _skip(self, folder: Path, count: int, reason: str) -> None:
        if count:
            self.reader.remark(folder, f"{count_of(count, 'image')} not read: {reason}.")

    def _skip_tree(self, folder: Path, reason: str) -> None:
        self._skip(folder, self._count(folder), reason)

    def _count(self, folder: Path) -> int:
        """Counts images, without those in folders inside that options name."""
        named = {path for path in self.named if folder in path.parents}
        images = ImageReader(self.root).list_images(folder, recursive=True)
        return sum(named.isdisjoint(path.parents) for path in images)

    def _has_images(self, folder: Path) -> bool:
        """Returns whether there is an image inside, one of an unsupported type included.

        The pictures in a RUN are none: a RUN in the data is not a reason to ask.
        """
        try:
            return self.reader.holds_image(folder, is_picture_of_run)
        except OSError:  # the visit says so
            return True

    def _is_new(self, folder: Path, place: Place) -> bool:
        """Returns whether a folder was not read yet: a loop of links ends.

        A link must not make good images of defective ones, so two roles are a question.
        """
        try:
            status = os.stat(folder)
        except OSError:
            return True
        key = (status.st_dev, status.st_ino)
        is_new = key not in self._seen
        first, before = self._seen.setdefault(key, (folder, place))
        labels = {None if p.defect is None else p.defect == "good" for p in (place, before)}
        if labels == {True, False}:
            why = f"it is the same folder as {first} (a link), and one name says good images, the"
            self.found.questions.append(
                Question(folder, f"{why} other defective ones", "remove the link", is_final=True)
            )
        return is_new


def _pick(meanings: Meanings, *roles: Role) -> list[Path]:
    return [path for path, meaning in meanings.items() if meaning.surely(*roles)]


def _deeper(place: Place, name: str, meaning: Meaning) -> Place:
    """Returns the place of a folder inside one of good images, or of a kind of defect."""
    says_nothing = meaning.role in (Role.NEUTRAL, Role.UNSORTED) or meaning.surely(Role.BAD)
    if place.defect == "good" or says_nothing:
        return place
    kind = name if place.is_vague else f"{place.defect}/{name}"
    return dataclasses.replace(place, defect=kind, is_vague=False)


def _say(meaning: Meaning) -> str:
    if meaning.role in (None, Role.NEUTRAL):
        return "its name says nothing of quality"
    return f"{'its name' if meaning.certain else 'a word of its name'} says {meaning.role.value}"
