"""The processes and devices that train one recipe together, each on its share of every batch.

A `Cluster` is one process on one device. `edge_digits_train.engine.distribution.join` makes the larger ones, which
distribute as their backend does: `JaxCluster` and `TensorFlowCluster`. The batch size of a recipe is that of the whole
cluster, so a recipe means the same on one device and on several: the same pictures in the same order, the same number
of steps, gradients and batch statistics over the whole batch.
"""

import pickle
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
from edge_digits_runtime.errors import EdgeDigitsError, RunError
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.native_stderr import quiet
from numpy.typing import NDArray

from edge_digits_train.engine.feed import feed

PEERS_VARIABLE = {"tensorflow": "TF_CONFIG", "jax": "KERAS_DISTRIBUTION_JOB_ADDRESSES"}
"""The environment variable that names the processes, by backend; each backend reads its own by itself."""

T = TypeVar("T")
Fit = Callable[..., Any]
"""``fit(x, y, batch_size=…, callbacks=…)`` trains one epoch in the given order, as `keras.Model.fit` does."""


class Cluster:
    """One process on one device, which trains as Keras does by itself; the base of the larger clusters."""

    processes = 1
    """Number of processes."""
    index = 0
    """Which of them this is, from 0."""
    replicas = 1
    """Number of devices of all processes together; each has a copy of the network."""
    _lost: tuple[type[Exception], ...] = ()
    """What the backend raises when another process is gone."""

    @property
    def chief(self) -> bool:
        """Whether this is process 0, the only one that reads and writes the run folder."""
        return self.index == 0

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context in which networks are built, and their variables set, on all devices."""
        return nullcontext()

    def fitter(self, model: Any) -> Fit:
        """Return the function that trains ``model`` for one epoch; ``model`` was built and compiled in `scope`."""
        from edge_digits_train.engine.keras_session import devices, keras

        if keras.backend.backend() == "jax" and devices()[0].startswith("gpu"):
            from edge_digits_train.engine.jax_epoch import one_program

            return one_program(model)

        def fit(x: NDArray[Any], y: NDArray[Any], batch_size: int, callbacks: list[Any]) -> None:
            model.fit(**feed(batch_size, x, y), shuffle=False, verbose=0, callbacks=callbacks)

        return fit

    def gather(self, value: T) -> list[T]:
        """Give every process the values of all processes.

        Args:
            value: that of this process.

        Returns:
            The value of each process, in their order.

        Raises:
            RunError: a process is gone.
        """
        if self.processes == 1:
            return [value]
        content = np.frombuffer(pickle.dumps(value), np.uint8)
        with quiet(), self._detect_lost_process():
            length = np.frombuffer(len(content).to_bytes(8, "little"), np.uint8)
            lengths = [int.from_bytes(row.tobytes(), "little") for row in self._gather(length)]
            padded = np.zeros(max(lengths), np.uint8)
            padded[: len(content)] = content
            rows = self._gather(padded)
        # Unpickling is safe here: the processes of a cluster run each other's programs anyway.
        return [pickle.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]

    def from_chief(self, compute: Callable[[], T]) -> T:
        """Call ``compute`` in process 0 alone and return its result in all processes.

        Raises:
            EdgeDigitsError, OSError: in all processes, what ``compute`` raised.
            RunError: a process is gone.
        """
        own: Any = None
        if self.chief:
            try:
                own = compute()
            except (EdgeDigitsError, OSError) as error:
                own = error
        result = self.gather(own)[0]
        if isinstance(result, (EdgeDigitsError, OSError)):
            raise result
        return result  # type: ignore[no-any-return]

    def check_same(self, **values: Any) -> None:
        """Check that all processes were told to train the same.

        Raises:
            RunError: in all processes; the message names the first process and value that differ.
        """
        chief, *others = self.gather(values)
        for index, other in enumerate(others, 1):
            for name, value in other.items():
                if value != chief[name]:
                    raise RunError(
                        f"process {index} differs from process 0 in {name}: {value}, not {chief[name]}; "
                        "give the same command and pictures to all"
                    )

    def check_batch(self, size: int) -> None:
        """Check that a batch of ``size`` pictures can be shared evenly by all devices.

        Raises:
            RunError: it cannot.
        """
        if over := size % self.replicas:
            near = [value for value in (size - over, size - over + self.replicas) if value]
            raise RunError(
                f"a batch of {size} pictures cannot be shared evenly by {self.replicas} devices: "
                f"choose --batch-size {' or '.join(map(str, near))}"
            )

    def shares(self, array: NDArray[Any], batch_size: int) -> list[NDArray[Any]]:
        """Return what this process trains on of an epoch.

        The last ``len(array) % replicas`` pictures are left out; in each epoch these are others.

        Args:
            array: pictures or targets of the whole epoch, shape ``(n, …)``.
            batch_size: pictures in a batch of the whole cluster.

        Returns:
            This process's share of the full batches and then, if there is one, of the smaller last batch, each of
            shape ``(batches, pictures, …)``.
        """
        array = array[: len(array) - len(array) % self.replicas]
        full = len(array) // batch_size * batch_size
        parts = [(array[:full], batch_size), (array[full:], len(array) - full)]
        return [
            part.reshape(-1, self.processes, size // self.processes, *array.shape[1:])[:, self.index]
            for part, size in parts
            if len(part)
        ]

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the bytes of every process as rows; all processes give as many."""
        return array[np.newaxis]

    @contextmanager
    def _detect_lost_process(self) -> Iterator[None]:
        """Turn what the backend says in many lines when another process is gone into one line."""
        try:
            yield
        except self._lost as error:
            if self.processes == 1:
                raise
            raise RunError(
                f"process {self.index} of {self.processes} lost the connection to the others "
                f"({first_line(error)[:200]}); "
                "start all of them again with --resume"
            ) from error


ALONE = Cluster()
"""The cluster of a training that is not distributed."""
