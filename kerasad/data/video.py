"""The frames of a video file, one after the other, in constant memory.

Video files come from strangers as photos do. Only common containers are opened, none of which leads
to another file or to a network, and frames of more pixels than the limit are refused before the
first one is decoded.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasad.data.decoding import Decoding
from kerasad.errors import InputError, MissingPackageError

SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".wmv")
    + (".flv", ".ogv", ".3gp", ".mjpeg")
)
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,mjpeg"
# A duration is rounded, and the last frame lasts as long as the others.
_SPARE_FRAMES = 1.5


class Frame(NamedTuple):
    """One frame of a video.

    Attributes:
        number: int, from 0.
        time: float or None. Seconds from the beginning, if the file says it.
        pixels: uint8 array (height, width, 3); None if the frame is damaged.
    """

    number: int
    time: float | None
    pixels: np.ndarray | None


def is_video(path: str | os.PathLike) -> bool:
    """Returns whether a path is that of a video, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


class VideoFile:
    """A video file that is read once, from its beginning.

    Args:
        path: str or path.
        decoding: `Decoding`. Its `pixel_limit` holds for each frame.

    Raises:
        MissingPackageError: PyAV is not installed.
    """

    def __init__(self, path: str | os.PathLike, decoding: Decoding = Decoding()):
        try:
            import av
        except ImportError as error:
            raise MissingPackageError.of_extra("To read a video", "av", "video") from error
        self._av = av
        self.path = Path(path)
        self._limit = decoding.pixel_limit

    def frames(self) -> Iterator[Frame]:
        """Yields the frames in the order in which they are shown.

        Raises:
            InputError: The file cannot be read, holds no video or too large frames, or ends before
                it should; all frames before the break have then been yielded.
        """
        count, last = 0, None
        try:
            with self._open() as container:
                stream = self._choose_stream(container)
                for frame in container.decode(stream):
                    time = None if frame.time is None else round(float(frame.time), 6)
                    yield Frame(count, time, self._read(frame))
                    count, last = count + 1, time
                self._check_end(container, stream, count, last)
        except self._av.error.FFmpegError as error:
            reason = error.strerror or "it cannot be decoded"
            raise self._broken(f"the video is broken or cut off ({reason})", count) from error

    def _open(self):
        if not self.path.is_file():
            raise InputError(f"{self.path}: there is no such file.")
        # The limit is FFmpeg's too: a stream may change its size under way.
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        return self._av.open(f"file:{self.path.absolute()}", options=options)

    def _choose_stream(self, container):
        if not container.streams.video:
            raise InputError(f"{self.path}: there is no video in the file.")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise InputError(f"{self.path}: its codec is not known; convert it to H.264 in MP4.")
        pixels = context.width * context.height
        if pixels > self._limit:
            raise InputError(
                f"{self.path}: its frames have {context.width} x {context.height} pixels, more "
                f"than the `pixel_limit` of {self._limit:,}."
            )
        context.options = {"max_pixels": str(max(self._limit, 1))}
        stream.thread_type = "AUTO"
        return stream

    def _read(self, frame):
        if frame.is_corrupt:
            return None
        pixels = frame.to_ndarray(format="rgb24")
        return np.rot90(pixels, frame.rotation // 90) if frame.rotation % 360 else pixels

    def _check_end(self, container, stream, count, last):
        """Refuses a video that ends before its header says so."""
        if count == 0:
            raise InputError(f"{self.path}: there is no frame in the video.")
        if stream.frames and count < stream.frames:
            raise self._broken(f"the video is cut off (it should have {stream.frames})", count)
        if stream.frames or last is None or not (container.duration and stream.average_rate):
            return
        end = (container.duration + (container.start_time or 0)) / self._av.time_base
        if last + _SPARE_FRAMES / float(stream.average_rate) + 1 / stream.average_rate < end:
            raise self._broken(f"the video is cut off (it should last {end:.3g} s)", count)

    def _broken(self, what, count):
        read = f"the {count} frames before that were read" if count else "no frame was read"
        return InputError(f"{self.path}: {what}; {read}.")
