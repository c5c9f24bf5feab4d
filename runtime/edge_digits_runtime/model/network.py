"""A ``.tflite`` behind its tensors: uint8 pictures in, what the network gives out, on one core or several."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.mnist_format import DIGITS, SIDE
from edge_digits_runtime.model.backends import Backend, Interpreter, memory

BATCH = 250
"""Pictures that one invocation takes when there are many: the fastest for an MLP, while networks of convolutions do not
mind between 20 and 2,000 (``benchmarks/speed/device.py batch``)."""
_INPUT_SHAPES = ((1, SIDE, SIDE, 1), (1, SIDE, SIDE), (1, SIDE * SIDE))
_TYPES = (np.float32, np.int8, np.uint8)
_PIXELS = np.arange(256, dtype=np.uint8)
_TOP_BIT = np.full((SIDE, SIDE), 0x80, np.uint8)

Encoder = Callable[[NDArray[np.uint8], NDArray[Any]], object]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model, as its file describes it."""

    index: int
    """What the interpreter knows it by."""
    shape: tuple[int, ...]
    """Shape for one picture."""
    dtype: np.dtype[Any]
    scale: float
    """A stored number q stands for ``scale * (q - zero_point)``; 0 where nothing is quantized."""
    zero_point: int

    @classmethod
    def read(cls, details: Mapping[str, Any]) -> "Tensor":
        """From what the interpreter tells."""
        scale, zero_point = details["quantization"]
        shape = tuple(int(size) for size in details["shape"])
        return cls(details["index"], shape, np.dtype(details["dtype"]), float(scale), int(zero_point))

    def __str__(self) -> str:
        scale = f" of scale {self.scale:.4g}" if self.scale else ""
        return f"{self.dtype} {'×'.join(map(str, self.shape))}{scale}"


class Network:
    """One model, ready to run; for one thread at a time.

    Attributes:
        input: takes one picture.
        output: ten numbers.
        types: numpy's type of each tensor in the model, weights included.
        lane: what runs one picture at a time.
    """

    def __init__(self, content: bytes, name: str, backend: Backend, threads: int = 1) -> None:
        """Load a model and check that its tensors are those of a digit classifier.

        Args:
            content: the file.
            name: what messages call it.
            backend: what runs it.
            threads: how many cores a call may use: `one`, threads within the invocation; `many`, invocations side by
                side.

        Raises:
            ModelError: damaged, cannot run, or its tensors do not fit.
            BackendError: the backend does not work here.
        """
        self._content, self._name, self._backend, self._threads = content, name, backend, threads
        interpreter = backend.interpreter(content, name, threads)
        self.types = [np.dtype(details["dtype"]) for details in interpreter.get_tensor_details()]
        self.input, self.output = _ends(interpreter, name)
        self.lane = self._lane(interpreter)

    def one(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """What the network gives for one picture of shape ``(28, 28)``: an array of the shape of its output."""
        return self.lane.run(pixels).copy()

    def many(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """What the network gives for pictures of shape ``(n, 28, 28)``: shape ``(n, 10)``, in its output's type."""
        result = np.empty((len(pictures), DIGITS), self.output.dtype)
        # A picture alone takes about twice its share of a batch, so a batch that is not half full is no gain.
        batch = self._lanes[0].batch
        batches = (len(pictures) + batch // 2) // batch
        self._run_batches(pictures, range(0, batches * batch, batch), result)
        for i in range(batches * batch, len(pictures)):
            result[i] = self._alone.run(pictures[i]).reshape(DIGITS)
        return result

    def _run_batches(self, pictures: NDArray[np.uint8], starts: range, result: NDArray[Any]) -> None:
        lanes = self._lanes[: len(starts)]
        # Whichever lane is free takes the next batch; an iterator hands out each start once, among threads as well.
        waiting = iter(starts)
        if len(lanes) < 2:
            self._lanes[0].run_batches(pictures, waiting, result)
            return
        # One picture, as most commands have, needs no threads, and the import takes as long as to read the model.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(lanes)) as pool:
            list(pool.map(lambda lane: lane.run_batches(pictures, waiting, result), lanes))

    @cached_property
    def _lanes(self) -> "list[Lane]":
        """One for each thread, of `BATCH` pictures, or of one where the model takes no more at a time."""
        try:
            return [self._single_thread(BATCH) for _ in range(self._threads)]
        except ModelError:
            return [self._single_thread() for _ in range(self._threads)]

    @cached_property
    def _alone(self) -> "Lane":
        """For what remains behind the batches: threads within one picture cost more than they bring, mostly."""
        return self.lane if self._threads == 1 else self._single_thread()

    def _single_thread(self, batch: int | None = None) -> "Lane":
        interpreter = self._backend.interpreter(self._content, self._name, batch=batch)
        return self._lane(interpreter, batch or 1)

    def _lane(self, interpreter: Interpreter, batch: int = 1) -> "Lane":
        try:
            return Lane(interpreter, self.input, self.output, batch)
        except ValueError as error:
            raise ModelError(
                f"{self._name}: the size of a tensor is only known when it runs: convert it with fixed shapes"
            ) from error


class Lane:
    """One interpreter, whose input is made and whose output is read where it has them itself.

    Attributes:
        batch: how many pictures an invocation takes.
        invoke: run the network on the input that `prepare` made; its output is then in ``output``.
        output: what the network gave, an array in the shape and type of its output that the next answer overwrites.
    """

    def __init__(self, interpreter: Interpreter, to: Tensor, out: Tensor, batch: int = 1) -> None:
        self.batch = batch
        # Bound once: with a small network on a fast processor, each look-up is a hundredth of a call.
        self.invoke = interpreter.invoke
        self.output = memory(interpreter, out.index)
        tensor = memory(interpreter, to.index)
        # The same memory as pictures of bytes, whatever their sign, or of floats.
        pixels = tensor if to.dtype == np.float32 else tensor.view(np.uint8)
        self._pixels = pixels.reshape(batch, SIDE, SIDE)
        self._picture = self._pixels[0]
        self._encode = _encoder(to)

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """``output`` for one picture of shape ``(28, 28)``; only of a lane of one."""
        # Not by way of `prepare`, whose call would be a fiftieth of a small network's time.
        self._encode(pixels, self._picture)
        self.invoke()
        return self.output

    def prepare(self, pixels: NDArray[np.uint8]) -> None:
        """The first half of `run`: make the input."""
        self._encode(pixels, self._picture)

    def run_batches(self, pictures: NDArray[np.uint8], starts: Iterator[int], result: NDArray[Any]) -> None:
        """As many batches as ``starts`` has left; the last of all may be shorter."""
        output = self.output.reshape(self.batch, DIGITS)
        for start in starts:
            chunk = pictures[start : start + self.batch]
            # Behind the last picture the input keeps what was there before; nobody reads its answers.
            self._encode(chunk, self._pixels[: len(chunk)])
            self.invoke()
            result[start : start + len(chunk)] = output[: len(chunk)]


def _ends(interpreter: Interpreter, name: str) -> tuple[Tensor, Tensor]:
    """Input and output, checked."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"{name}: {len(inputs)} inputs and {len(outputs)} outputs; a digit classifier has one of each")
    to, out = Tensor.read(inputs[0]), Tensor.read(outputs[0])
    if to.shape not in _INPUT_SHAPES or to.dtype not in _TYPES or (to.dtype == np.int8 and not to.scale):
        raise ModelError(
            f"{name}: the input is {to}; allowed is 1×28×28×1, 1×28×28 or 1×784 of float32, uint8, or int8 with a scale"
        )
    if np.prod(out.shape) != DIGITS or out.dtype not in _TYPES or (out.dtype != np.float32 and not out.scale):
        raise ModelError(f"{name}: the output is {out}; allowed is 1×10 of float32, or of int8 or uint8 with a scale")
    return to, out


def _encoder(to: Tensor) -> Encoder:
    """What writes uint8 pictures into a buffer in the form that the input asks for."""
    table = _table(to)
    if to.dtype == np.int8 and np.array_equal(table, _PIXELS ^ 0x80):
        # Scale 1/255 and zero point -128: flipping the top bit takes a third of the time of the table.
        return partial(np.bitwise_xor, _TOP_BIT)
    # As a method and by position, which takes half the time of np.take with names.
    return lambda pictures, buffer: table.take(pictures, None, buffer, "clip")


def _table(to: Tensor) -> NDArray[Any]:
    """What each pixel value becomes, shape ``(256,)``; int8 as the bytes that it is stored in."""
    if to.dtype == np.float32:
        return _PIXELS / np.float32(255)
    if not to.scale:
        return _PIXELS
    # Half a step is rounded up, as the converter's own quantization does.
    steps = np.floor(_PIXELS / 255 / to.scale + 0.5) + to.zero_point
    limits = np.iinfo(to.dtype)
    stored: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(to.dtype)
    return stored.view(np.uint8)
