"""The network of a ``.tflite`` without its tensors: uint8 pictures in, its outputs out, on one core or several."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_digits_runtime.data.classes import FEWEST, MOST
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.image.model_input import LARGEST, SMALLEST
from edge_digits_runtime.library_errors import INTERPRETER, first_line
from edge_digits_runtime.mnist_format import SHAPE, SIDE
from edge_digits_runtime.model.backends import Backend, Interpreter, memory
from edge_digits_runtime.model.card import ModelFile

BATCH = 250
"""Pictures in one invocation when there are many: the fastest number for an MLP; convolutions take the same time with
any number from 20 to 2,000 (``benchmarks/speed/device.py batch``)."""
_BATCH_MEMORY = 128 << 20
"""Bytes that the tensors of all batches at a time may take."""
_TYPES = (np.float32, np.int8, np.uint8)
_PIXELS = np.arange(256, dtype=np.uint8)

Encoder = Callable[[NDArray[np.uint8], NDArray[Any]], object]
"""Writes uint8 pictures into a buffer of the same shape, as numbers of the type that the input has."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model, as its file describes it."""

    index: int
    """Its number in the interpreter."""
    shape: tuple[int, ...]
    """Shape for one picture."""
    dtype: np.dtype[Any]
    scale: float
    """A stored number q stands for ``scale * (q - zero_point)``; 0 where nothing is quantized."""
    zero_point: int

    @classmethod
    def read(cls, details: Mapping[str, Any]) -> "Tensor":
        """Read what `Interpreter.get_input_details` or `Interpreter.get_output_details` says of one tensor."""
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
        output: a number for each class.
        shape: height and width of a picture in pixels.
        classes: how many.
        types: numpy's type of each tensor in the model, weights included.
        lane: runs one picture at a time.
    """

    def __init__(
        self,
        model: ModelFile,
        name: str,
        backend: Backend,
        threads: int = 1,
        shape: tuple[int, int] | None = None,
        most: int = MOST,
    ) -> None:
        """Load a model and check that it takes a grey picture and gives a number for each class.

        Args:
            model: the file; if it has operators that cannot be checked, it is run in a process of its own first.
            name: what messages call it.
            backend: what runs it.
            threads: how many cores a call may use: `one` uses them within the invocation, `many` for invocations side
                by side.
            shape: height and width that its pictures must have; None for what its input says.
            most: largest number of outputs; a reader of lines has one for each character at each step.

        Raises:
            ModelError: the model is damaged, cannot run, or has other tensors.
            BackendError: the backend does not work here.
        """
        self._model, self._name, self._backend, self._threads, self._most = model, name, backend, threads, most
        interpreter = open_interpreter(model, name, backend, threads)
        self.types = [np.dtype(details["dtype"]) for details in interpreter.get_tensor_details()]
        self.input, self.output = _input_and_output(interpreter, name, most)
        self.shape = _picture_shape(self.input, name, shape)
        self.classes = int(np.prod(self.output.shape))
        self.lane = self._lane(interpreter)

    def with_threads(self, threads: int) -> "Network":
        """Return the same model, loaded anew, for another number of threads."""
        return Network(self._model, self._name, self._backend, threads, self.shape, self._most)

    def one(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the output for one picture of shape `shape`, in the shape and type of `output`."""
        return self.lane.run(pixels).copy()

    def many(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the outputs for pictures of shape ``(n, *shape)``: shape ``(n, classes)``, the type of `output`."""
        result = np.empty((len(pictures), self.classes), self.output.dtype)
        # A picture alone takes twice as long as one of a batch: a batch that is less than half full is no gain.
        batch = self._lanes[0].batch
        batches = (len(pictures) + batch // 2) // batch
        self._run_batches(pictures, range(0, batches * batch, batch), result)
        for i in range(batches * batch, len(pictures)):
            result[i] = self._single_lane.run(pictures[i]).reshape(self.classes)
        return result

    def _run_batches(self, pictures: NDArray[np.uint8], starts: range, result: NDArray[Any]) -> None:
        lanes = self._lanes[: len(starts)]
        # Each lane takes the next batch when it has done one; an iterator gives each start to one thread only.
        waiting = iter(starts)
        if len(lanes) < 2:
            self._lanes[0].run_batches(pictures, waiting, result)
            return
        # Imported here: commands on one picture need no threads, and the import takes as long as reading the model.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(lanes)) as pool:
            list(pool.map(lambda lane: lane.run_batches(pictures, waiting, result), lanes))

    @cached_property
    def _lanes(self) -> "list[Lane]":
        """A lane for each thread, of `BATCH` pictures, or of one where the model takes no more at a time."""
        try:
            batch = min(BATCH, _BATCH_MEMORY // max(self._model.memory * self._threads, 1))
            return [self._lane_of_one_thread(batch or 1) for _ in range(self._threads)]
        except ModelError:
            return [self._lane_of_one_thread() for _ in range(self._threads)]

    @cached_property
    def _single_lane(self) -> "Lane":
        """For the pictures behind the last batch: threads within one picture mostly cost more than they gain."""
        return self.lane if self._threads == 1 else self._lane_of_one_thread()

    def _lane_of_one_thread(self, batch: int | None = None) -> "Lane":
        interpreter = self._backend.interpreter(self._model.content, self._name, batch=batch)
        return self._lane(interpreter, batch or 1)

    def _lane(self, interpreter: Interpreter, batch: int = 1) -> "Lane":
        try:
            return Lane(interpreter, self._name, self.input, self.output, self.shape, batch)
        except ValueError as error:
            raise ModelError(
                f"{self._name}: the size of a tensor is only known when it runs: convert it with fixed shapes"
            ) from error


class Lane:
    """One interpreter, with its input and output as numpy arrays on the interpreter's own memory.

    Attributes:
        batch: how many pictures an invocation takes.
        invoke: runs the network on the input that `prepare` wrote; the result is in ``output``.
        output: the result, an array in the shape and type of the network's output. The next invocation overwrites it.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        name: str,
        input_: Tensor,
        output: Tensor,
        shape: tuple[int, int],
        batch: int = 1,
    ) -> None:
        """Connect to an interpreter that is ready; messages call the model ``name``.

        Raises:
            ValueError: its tensors have no memory before the first invocation.
            ModelError: it gives another number of outputs than one for each picture.
        """
        self.batch = batch
        self._name, self.invoke = name, interpreter.invoke
        self.output = memory(interpreter, output.index)
        if self.output.size != batch * math.prod(output.shape):
            raise ModelError(f"{name}: gives {self.output.size} numbers for {batch} pictures")
        stored = memory(interpreter, input_.index)
        # int8 as the bytes that it is stored in, which the encoder writes.
        pixels = stored if input_.dtype == np.float32 else stored.view(np.uint8)
        self._pictures = pixels.reshape(batch, *shape)
        self._picture = self._pictures[0]
        self._encode = _encoder(input_, shape)

    def run(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Run the network on one picture and return `output`; for a lane of one picture.

        Raises:
            ModelError: the interpreter fails.
        """
        self._encode(pixels, self._picture)
        try:
            self.invoke()
        except INTERPRETER as error:
            raise self._failed(error) from error
        return self.output

    def prepare(self, pixels: NDArray[np.uint8]) -> None:
        """Write the input for one picture."""
        self._encode(pixels, self._picture)

    def run_batches(self, pictures: NDArray[np.uint8], starts: Iterator[int], result: NDArray[Any]) -> None:
        """Run the network on batches until ``starts`` has no more, and write the outputs.

        Args:
            pictures: shape ``(n, height, width)``.
            starts: index of the first picture of each batch; the last batch may be shorter.
            result: shape ``(n, classes)``.

        Raises:
            ModelError: the interpreter fails.
        """
        output = self.output.reshape(self.batch, -1)
        for start in starts:
            chunk = pictures[start : start + self.batch]
            # Behind the last picture the input holds pictures of the batch before, whose outputs are not read.
            self._encode(chunk, self._pictures[: len(chunk)])
            try:
                self.invoke()
            except INTERPRETER as error:
                raise self._failed(error) from error
            result[start : start + len(chunk)] = output[: len(chunk)]

    def _failed(self, error: Exception) -> ModelError:
        return ModelError(f"{self._name}: fails when it runs: {first_line(error)}")


def open_interpreter(model: ModelFile, name: str, backend: Backend, threads: int) -> Interpreter:
    """Load a model; one that has operators which cannot be checked is run in a process of its own first.

    Args:
        model: the file.
        name: what messages call it.
        backend: what runs it.
        threads: how many threads one invocation may use, at least 1.

    Raises:
        ModelError: the model kills the process that runs it, or see `Backend.interpreter`.
        BackendError: the backend does not work here.
    """
    if model.unchecked:
        # Imported here: hardly any model needs it.
        from edge_digits_runtime.model import trial

        trial.run(model.content, name, backend)
    return backend.interpreter(model.content, name, threads)


def _input_and_output(interpreter: Interpreter, name: str, most: int = MOST) -> tuple[Tensor, Tensor]:
    """Return the two tensors at the ends of a network.

    Raises:
        ModelError: they are not those of a classifier of grey pictures.
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"{name}: {len(inputs)} inputs and {len(outputs)} outputs; a classifier has one of each")
    input_, output = Tensor.read(inputs[0]), Tensor.read(outputs[0])
    if input_.dtype not in _TYPES or (input_.dtype == np.int8 and not input_.scale):
        raise _wrong_input(input_, name)
    if (
        not FEWEST <= np.prod(output.shape) <= most
        or output.dtype not in _TYPES
        or (output.dtype != np.float32 and not output.scale)
    ):
        raise ModelError(
            f"{name}: the output is {output}; allowed is 1×{FEWEST} to 1×{most} of float32, "
            "or of int8 or uint8 with a scale"
        )
    return input_, output


def _picture_shape(input_: Tensor, name: str, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Return height and width of the pictures that an input takes.

    Raises:
        ModelError: it takes no grey pictures of 16 to 64 pixels a side, or others than those that are ``wanted``.
    """
    match input_.shape:
        case (1, height, width) | (1, height, width, 1):
            found = height, width
        case (1, pixels) if pixels == math.prod(wanted or SHAPE):
            # A row of pixels does not say how many make a line.
            found = wanted or SHAPE
        case _:
            raise _wrong_input(input_, name)
    if wanted is None and not all(SMALLEST <= side <= LARGEST for side in found):
        raise _wrong_input(input_, name)
    if wanted is not None and found != wanted:
        raise ModelError(
            f"{name}: the input is {input_}, but its card says {wanted[0]}×{wanted[1]} pixels: convert it again"
        )
    return found


def _wrong_input(input_: Tensor, name: str) -> ModelError:
    return ModelError(
        f"{name}: the input is {input_}; allowed is 1×H×W×1 or 1×H×W of {SMALLEST} to {LARGEST} pixels a side, "
        f"or 1×{SIDE * SIDE}, of float32, uint8, or int8 with a scale"
    )


def _encoder(input_: Tensor, shape: tuple[int, int]) -> Encoder:
    """Return what writes uint8 pictures into the memory of an input."""
    table = _stored_pixels(input_)
    if input_.dtype == np.int8 and np.array_equal(table, _PIXELS ^ 0x80):
        # Scale 1/255 and zero point -128: flipping the top bit takes a third of the time of the table. An array of bits
        # in place of one number saves 10 % of a whole call with an MLP (benchmarks/speed/classifier.py).
        return partial(np.bitwise_xor, np.full(shape, 0x80, np.uint8))
    # As a method and by position, which takes half the time of np.take with names.
    return lambda pictures, buffer: table.take(pictures, None, buffer, "clip")


def _stored_pixels(input_: Tensor) -> NDArray[Any]:
    """Return what each pixel value is stored as, shape ``(256,)``; int8 as uint8 with the same bits."""
    if input_.dtype == np.float32:
        return _PIXELS / np.float32(255)
    if not input_.scale:
        return _PIXELS
    # Half a step is rounded up, as the converter's own quantization does.
    steps = np.floor(_PIXELS / 255 / input_.scale + 0.5) + input_.zero_point
    limits = np.iinfo(input_.dtype)
    stored: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(input_.dtype)
    return stored.view(np.uint8)
