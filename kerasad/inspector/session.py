"""What a page looks at: its pictures, what answers for them, and which ones were called good."""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from kerasad.data.decoding import read_checked, read_header
from kerasad.errors import FailedError, InputError, describe_machine_failure
from kerasad.inspector.answering import answer, describe_maps, summarize
from kerasad.inspector.opening import Opened, most_bytes_of_file, open_picture
from kerasad.inspector.renewal import (
    CALIBRATE,
    UPDATE,
    GoodPicture,
    describe_problem,
    describe_rate_of,
    is_free,
    next_free,
    pictures_folder,
    renew_run,
    usable_parts,
)
from kerasad.inspector.sources import Source, open_run_source
from kerasad.runs.run import Run

MOST_PICTURES = 1000
MOST_UPLOADED = 512 * 2**20
"""Bytes of all uploaded files, which stay in memory."""


@dataclass
class Picture:
    """A picture of the session.

    Args:
        number: int.
        name: str. What the page calls it.
        path: Path or None. A file that the user named; it is read anew for each answer.
        data: bytes or None. An uploaded file.
        content_hash: str or None. SHA-256 of the file, once it was read.
        is_good: bool. Whether the user called it good.
        summary: what a list shows of the last answer, or None before the first.
    """

    number: int
    name: str
    path: Path | None = None
    data: bytes | None = None
    content_hash: str | None = None
    is_good: bool = False
    summary: Mapping[str, Any] | None = None


class Session:
    """The state of one inspector. Its methods may be called from several threads.

    Args:
        source: Source.
        paths: paths of files to begin with.
        output: Path or None. The new run; None takes the next free name.
        in_words: function that turns an error into the words of the user.
    """

    def __init__(
        self,
        source: Source,
        paths: Iterable[Path] = (),
        output: Path | None = None,
        in_words: Callable[[str], str] = str,
    ):
        self._source = source
        self._in_words = in_words
        self._output = output
        self._pictures: dict[int, Picture] = {}
        self._count = 0
        self._lock = threading.RLock()
        self._model = threading.Lock()  # one image at a time: each uses all cores
        self._worker: threading.Thread | None = None
        self._generation = 0
        self._problem: str | None = None
        self._said: list[str] = []
        self.written: list[Path] = []
        for path in paths:
            self._keep(str(path), path=path)

    @property
    def upload_limit(self) -> int:
        """Bytes that an uploaded file may have."""
        return most_bytes_of_file(self._source.decoding)

    def warm_up(self) -> None:
        """Traces the graph, so that the first picture is answered as quickly as the next."""
        height, width, _ = self._source.geometry.image_shape
        file = io.BytesIO()
        Image.new("RGB", (width, height), (128, 128, 128)).save(file, "PNG")
        answer(self._source, self._open(Picture(0, "grey", data=file.getvalue()), self._source))

    def describe(self) -> dict[str, Any]:
        """Returns all that the page shows beside answers."""
        with self._lock:
            source = self._source
            return {
                **source.describe(),
                "place": str(source.path),
                "kind": source.kind,
                "generation": self._generation,
                "scale": {
                    "low": source.scale.low,
                    "threshold": source.scale.threshold,
                    "high": source.scale.high,
                },
                "uploadLimit": self.upload_limit,
                "pictures": [
                    {
                        "id": each.number,
                        "name": each.name,
                        "good": each.is_good,
                        "answer": each.summary,
                    }
                    for each in self._pictures.values()
                ],
                "renewal": self._describe_renewal(),
            }

    def add(self, name: str, data: bytes) -> int:
        """Keeps an uploaded file, and returns its number; the same file has the same number.

        Raises:
            InputError: There are too many, or they are too large.
        """
        with self._lock:
            for known in self._pictures.values():
                if known.name == name and known.data == data:
                    return known.number
            held = sum(len(each.data or b"") for each in self._pictures.values())
            if held + len(data) > MOST_UPLOADED:
                raise InputError(
                    f"{name}: the inspector holds {MOST_UPLOADED / 2**20:.0f} MB of pictures at "
                    "most; clear the list."
                )
            return self._keep(name, data=data, content_hash=hashlib.sha256(data).hexdigest())

    def _keep(self, name: str, **content: Any) -> int:
        if len(self._pictures) >= MOST_PICTURES:
            raise InputError(
                f"{name}: the inspector holds {MOST_PICTURES} pictures at most; clear the list, "
                "or score large folders with `kerasad predict`."
            )
        self._count += 1
        self._pictures[self._count] = Picture(self._count, name, **content)
        return self._count

    def forget(self, number: int | None = None) -> None:
        """Forgets a picture, or all that were not called good."""
        with self._lock:
            for each in list(self._pictures.values()):
                if each.number == number or (number is None and not each.is_good):
                    del self._pictures[each.number]

    def answer(self, number: int) -> dict[str, Any]:
        """Returns the answer about a picture, see `kerasad.inspector.answering.answer`.

        Raises:
            InputError: There is no such picture, or it cannot be scored.
        """
        picture = self._find(number)
        with self._model:
            source, generation = self._source, self._generation
            try:
                opened = self._open(picture, source)
                found = answer(source, opened)
            except InputError:
                if picture.summary is None and not picture.is_good:
                    self.forget(number)  # nothing can be shown of it
                raise
        with self._lock:
            picture.content_hash = opened.content_hash
            if generation == self._generation:
                picture.summary = summarize(found)
        about = {"id": number, "name": picture.name, "good": picture.is_good}
        return {**about, "generation": generation, **found}

    def expert_maps(self, number: int) -> list[dict[str, str]]:
        """Returns the map of each expert of a picture."""
        picture = self._find(number)
        with self._model:
            return describe_maps(self._source, self._open(picture, self._source))

    def mark(self, number: int, is_good: bool) -> dict[str, Any]:
        """Calls a picture good, or takes that back; returns what a new run could do."""
        picture = self._find(number)
        with self._lock:
            picture.is_good = is_good
            return self._describe_renewal()

    def renew(self, how: str) -> None:
        """Begins to write a new run from the pictures that were called good.

        Args:
            how: str. `UPDATE` or `CALIBRATE`.

        Raises:
            InputError: It is impossible, or is being done.
        """
        if how not in (UPDATE, CALIBRATE):
            raise InputError(f"`how` must be {UPDATE} or {CALIBRATE}. Received: {how!r}")
        with self._lock:
            if self._is_renewing():
                raise InputError("A new run is being written: wait until it is there.")
            source = self._source
            good = self._usable(how)
            run = source.run
            problem = describe_problem(run, source.kind, how, len(good))
            if run is None or problem is not None:
                raise InputError(problem or "")
            pictures = [self._as_good(each) for each in good]
            output = self._next_output()
            self._problem, self._said = None, []
            self._worker = threading.Thread(
                target=self._renew, args=(run, pictures, how, output), daemon=True
            )
            self._worker.start()

    def wait(self) -> None:
        """Waits until a new run that is being written is there."""
        if self._worker is not None:
            self._worker.join()

    def _renew(self, run: Run, pictures: list[GoodPicture], how: str, output: Path) -> None:
        try:
            new = renew_run(run, pictures, how, output, self._said.append)
            source = open_run_source(new)
        except Exception as error:  # of another thread: nobody else would tell the page
            known = isinstance(error, InputError | FailedError)
            sentence = str(error) if known else describe_machine_failure(error)
            if sentence is None:
                sentence = f"The new run failed: {type(error).__name__}: {error}"
            self._problem = self._in_words(sentence)
            return
        with self._model, self._lock:
            self._source = source
            self._generation += 1
            self._output = None
            self.written.append(new.path)
            for each in self._pictures.values():
                each.summary = None

    def _is_renewing(self) -> bool:
        return self._worker is not None and self._worker.is_alive()

    def _next_output(self) -> Path:
        """Returns where the next run goes: never to a place where something is."""
        if self._output is not None:
            if is_free(self._output):
                return self._output
            raise InputError(f"{self._output} exists by now: start again with another --output.")
        return next_free(Path(os.path.abspath(self._source.path)))

    def _usable(self, how: str) -> list[Picture]:
        parts = usable_parts(how)
        good = [each for each in self._pictures.values() if each.is_good]
        return [each for each in good if self._source.part_of(each.content_hash or "") in parts]

    def _describe_renewal(self) -> dict[str, Any]:
        source = self._source
        run = source.run
        ways = {}
        for how in (UPDATE, CALIBRATE):
            count = len(self._usable(how))
            problem = describe_problem(run, source.kind, how, count)
            ways[how] = {"count": count, "problem": problem and self._in_words(problem)}
            if problem is None:
                ways[how]["text"] = describe_rate_of(count, source.requested_rate)
        found = {
            "ways": ways,
            "marked": sum(each.is_good for each in self._pictures.values()),
            "running": self._is_renewing(),
            "problem": self._problem,
            "said": list(self._said),
            "written": [str(path) for path in self.written],
        }
        if run is not None:
            output = self._output or next_free(Path(os.path.abspath(source.path)))
            found |= {"output": str(output), "folder": str(pictures_folder(output))}
        return found

    def _as_good(self, picture: Picture) -> GoodPicture:
        data = self._read(picture, self._source)
        return GoodPicture(picture.name, data, read_header(data).format)

    def _find(self, number: int) -> Picture:
        with self._lock:
            found = self._pictures.get(number)
        if found is None:
            raise InputError("There is no such picture any more: open it again.")
        return found

    def _open(self, picture: Picture, source: Source) -> Opened:
        data = self._read(picture, source)
        return open_picture(data, picture.name, source.decoding, source.geometry)

    def _read(self, picture: Picture, source: Source) -> bytes:
        if picture.path is None:
            return picture.data or b""
        return read_checked(picture.path, source.decoding)[0]
