"""Cameras of this machine: video devices of Linux, and the camera of a Raspberry Pi.

Neither was tried on a real camera; both are tested against stand-ins with the interfaces of linuxpy and picamera2.
"""

import select
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from edge_digits_runtime.errors import PictureError, UsageError, WatchError
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.installation import how_to_get
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.meter.reading import SHORTER_SIDE
from PIL import Image

from edge_digits.watching.frames import Frame

_SETTLING = 5
"""Pictures that are passed over while a camera finds its exposure."""
_SILENT_S = 10.0
"""Seconds without a picture after which a camera is given up for now."""


class VideoDevice:
    """A video device such as ``/dev/video0``, opened anew for each picture, so that one that was unplugged comes back.

    Raises:
        UsageError: linuxpy is not installed.
    """

    live = True

    def __init__(self, path: str, size: tuple[int, int] | None = None) -> None:
        try:
            from linuxpy.video import device
        except ImportError as error:
            raise UsageError(f"{path}: video devices need linuxpy: {how_to_get(['camera'])}") from error
        self.name = path
        self._device: Any = device
        self._size = size

    def frames(self) -> Iterator[Frame]:
        """Yield the picture of this moment.

        Raises:
            WatchError: the device is gone, busy, or gives no picture.
            PictureError: the picture cannot be decoded.
        """
        at = time.time()
        try:
            with self._device.Device(self.name) as camera:
                capture = self._device.VideoCapture(camera)
                if self._size is not None:
                    # A camera that lacks the size or JPEG chooses what is nearest.
                    capture.set_format(*self._size, "MJPG")
                with capture:
                    image = self._decoded(self._settled(camera, capture))
        except PictureError:
            raise
        # linuxpy raises its V4L2Error, a plain Exception, on devices that are no cameras.
        except (OSError, ValueError, self._device.V4L2Error) as error:
            raise WatchError(f"{self.name}: {getattr(error, 'strerror', None) or first_line(error)}") from error
        yield Frame(at, self.name, image)

    def _settled(self, camera: Any, capture: Any) -> Any:
        """Return a frame from after the first ones."""
        frames = iter(capture)
        for number in range(_SETTLING + 1):
            if not select.select([camera.fileno()], [], [], _SILENT_S)[0]:
                raise OSError(None, f"no picture within {_SILENT_S:.0f} s")
            frame = next(frames)
            if number == _SETTLING:
                return frame
        raise AssertionError("unreachable")

    def _decoded(self, frame: Any) -> Image.Image:
        """Return the picture of a frame: JPEG, or the brightness of YUYV, which is what models look at."""
        content, kind = bytes(frame), frame.pixel_format.name
        if kind in ("MJPEG", "JPEG"):
            try:
                return open_picture(content, SHORTER_SIDE)
            except PictureError as error:
                raise PictureError(f"{self.name}: {error}") from error
        if kind == "YUYV":
            width, height = frame.width, frame.height
            if len(content) < 2 * width * height:
                raise PictureError(f"{self.name}: the picture is cut off")
            pairs = np.frombuffer(content, np.uint8, 2 * width * height)
            return Image.fromarray(np.ascontiguousarray(pairs[::2].reshape(height, width)))
        raise WatchError(f"{self.name}: gives pictures as {kind}; known are MJPEG and YUYV: ask for another --size")

    def close(self) -> None:
        """Do nothing: the device is open only while a picture is taken."""


class PiCamera:
    """The camera of a Raspberry Pi, by picamera2.

    Raises:
        UsageError: picamera2 is not installed.
    """

    live = True

    def __init__(self, number: int = 0, size: tuple[int, int] | None = None) -> None:
        try:
            import picamera2
        except ImportError as error:
            raise UsageError(
                "picamera needs picamera2, which Raspberry Pi OS has: apt install python3-picamera2, and make the "
                "environment with --system-site-packages"
            ) from error
        self.name = f"picamera:{number}"
        self._module: Any = picamera2
        self._number, self._size = number, size
        self._camera: Any = None

    def frames(self) -> Iterator[Frame]:
        """Yield the picture of this moment; the camera is started by the first call.

        Raises:
            WatchError: there is no camera, or it fails; the next call starts it anew.
        """
        at = time.time()
        try:
            if self._camera is None:
                self._start()
            image = self._camera.capture_image("main")
        # picamera2 raises IndexError where there is no camera, and RuntimeError of all kinds.
        except (IndexError, OSError, RuntimeError) as error:
            self.close()
            raise WatchError(f"{self.name}: {first_line(error)}") from error
        yield Frame(at, self.name, image.convert("RGB"))

    def _start(self) -> None:
        self._camera = self._module.Picamera2(self._number)
        size = {} if self._size is None else {"main": {"size": self._size}}
        self._camera.configure(self._camera.create_still_configuration(**size))
        self._camera.start()
        for _ in range(_SETTLING):
            self._camera.capture_image("main")

    def close(self) -> None:
        """Stop the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            try:
                camera.stop()
                camera.close()
            except (OSError, RuntimeError):
                # It failed before; it is started anew.
                return
