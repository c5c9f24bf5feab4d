"""The processes and devices that train one recipe together, each on its share of every batch.

The distribution is that of the backend: under JAX Keras' own `keras.distribution.DataParallel`; under TensorFlow, for
which Keras has none, `tf.distribute`: `MirroredStrategy` on one machine, `MultiWorkerMirroredStrategy` on several.
The batch of the recipe is the global one, so that the recipe means what it means on one device: the same pictures in
the same order, the same steps, gradients and batch statistics over the whole batch.

Over machines each process is told of the others by the environment that the backend itself reads: ``TF_CONFIG`` under
TensorFlow, ``KERAS_DISTRIBUTION_JOB_ADDRESSES``, ``_NUM_PROCESSES`` and ``_PROCESS_ID`` under JAX. The first process is
the chief: it alone reads and writes the run folder.

This is the one place that speaks to a backend itself, so how pictures come to Keras is here too.
"""

import contextlib
import functools
import json
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
from edge_digits_runtime.errors import EdgeDigitsError, RunError
from edge_digits_runtime.native_stderr import quiet
from numpy.typing import NDArray

WAIT_S = 300.0
"""How long a process waits for the others to be started."""
_KERAS = "KERAS_DISTRIBUTION_"
_ENVIRONMENT = {"tensorflow": "TF_CONFIG", "jax": _KERAS + "JOB_ADDRESSES"}

T = TypeVar("T")
Fit = Callable[..., Any]
"""``fit(x, y, batch_size=…, callbacks=…)``: one epoch in the given order, as `keras.Model.fit` does it."""


def feed(batch_size: int, *arrays: NDArray[Any]) -> dict[str, Any]:
    """The arguments with which `keras.Model.fit`, `evaluate` and `predict` take ``arrays`` in batches, in their order.

    Args:
        batch_size: pictures in a batch; the last one may have fewer.
        arrays: the pictures, and for `fit` and `evaluate` what is wanted of them.
    """
    from edge_digits_train.engine.keras_session import keras

    if keras.backend.backend() != "tensorflow":
        return dict(zip("xy", arrays, strict=False)) | {"batch_size": batch_size}

    import tensorflow as tf

    return {"x": _untuned(tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size))}


def _untuned(dataset: Any) -> Any:
    """A `tf.data.Dataset` without the thread that looks for better settings of it.

    That thread sleeps for 10 ms, then for twice as long each time, and where the pictures end TensorFlow (2.21) waits
    until it wakes: up to as long as the epoch took.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


class Cluster:
    """One process on one device, which trains as Keras does by itself; the base of those that are more."""

    processes = 1
    index = 0
    """Of this process, from 0."""
    replicas = 1
    """Devices of all processes; each has a copy of the network."""

    @property
    def chief(self) -> bool:
        """Whether this is the process that reads and writes the run folder."""
        return self.index == 0

    def scope(self) -> AbstractContextManager[Any]:
        """Within it networks are built, and variables set, on all devices."""
        return nullcontext()

    def fitter(self, model: Any) -> Fit:
        """What trains ``model``, built in `scope` and compiled, for one epoch."""

        def fit(x: NDArray[Any], y: NDArray[Any], batch_size: int, callbacks: list[Any]) -> None:
            model.fit(**feed(batch_size, x, y), shuffle=False, verbose=0, callbacks=callbacks)

        return fit

    def gather(self, value: T) -> list[T]:
        """What each process gives, in their order; all of them get all.

        Raises:
            RunError: a process is gone.
        """
        if self.processes == 1:
            # Nothing to pack and unpack.
            return [value]
        content = np.frombuffer(pickle.dumps(value), np.uint8)
        with quiet(), self._in_touch():
            digits = np.frombuffer(len(content).to_bytes(8, "little"), np.uint8)
            lengths = [int.from_bytes(row.tobytes(), "little") for row in self._gather(digits)]
            padded = np.zeros(max(lengths), np.uint8)
            padded[: len(content)] = content
            rows = self._gather(padded)
        # Processes of one cluster run each other's programs anyway, so that pickle opens no door.
        return [pickle.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]

    def from_chief(self, compute: Callable[[], T]) -> T:
        """What ``compute`` gives on the chief, the only process to call it.

        Raises:
            EdgeDigitsError, OSError: in all processes, what it raised there; RunError where a process is gone.
        """
        mine: Any = None
        if self.chief:
            try:
                mine = compute()
            except (EdgeDigitsError, OSError) as error:
                mine = error
        result = self.gather(mine)[0]
        if isinstance(result, (EdgeDigitsError, OSError)):
            raise result
        return result  # type: ignore[no-any-return]

    def check_same(self, **values: Any) -> None:
        """See that all processes are to train the same.

        Raises:
            RunError: in all processes; it names the first process and value that differ.
        """
        chief, *others = self.gather(values)
        for index, other in enumerate(others, 1):
            for name, value in other.items():
                if value != chief[name]:
                    raise RunError(
                        f"process {index} has another {name} than process 0: {value}, not {chief[name]}; "
                        "give the same command and pictures to all"
                    )

    def check_batch(self, size: int) -> None:
        """See that a batch of ``size`` pictures can be shared evenly.

        Raises:
            RunError: it cannot.
        """
        if over := size % self.replicas:
            near = [value for value in (size - over, size - over + self.replicas) if value]
            raise RunError(
                f"a batch of {size} pictures cannot be shared evenly by {self.replicas} devices: "
                f"choose --batch-size {' or '.join(map(str, near))}"
            )

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bytes, of the same number in all processes, as rows: here the one of this process."""
        return array[np.newaxis]

    @contextmanager
    def _in_touch(self) -> Iterator[None]:
        """Say in one line what the backend says in many when a process is gone."""
        try:
            yield
        except self._lost as error:
            if self.processes == 1:
                raise
            line = next(iter(str(error).splitlines()), "")
            raise RunError(
                f"process {self.index} of {self.processes} lost touch with the others ({line[:200]}); "
                "start all of them again with --resume"
            ) from error

    _lost: tuple[type[Exception], ...] = ()
    """What the backend raises when a process is gone."""

    def _shares(self, array: NDArray[Any], batch_size: int) -> list[NDArray[Any]]:
        """This process's share of the full batches and, where there is one, of the smaller last one.

        Each has shape ``(batches, pictures, …)``. Of an epoch's pictures the last ``len % replicas`` are left out,
        which are others in each epoch.
        """
        array = array[: len(array) - len(array) % self.replicas]
        full = len(array) // batch_size * batch_size
        parts = [(array[:full], batch_size), (array[full:], len(array) - full)]
        return [
            part.reshape(-1, self.processes, size // self.processes, *array.shape[1:])[:, self.index]
            for part, size in parts
            if len(part)
        ]


ALONE = Cluster()


def join() -> Cluster:
    """All devices of this machine, and of the machines that the environment names once all of them are there.

    To be called before Keras computes anything.

    Raises:
        RunError: there is one device only; the environment is not what the backend reads, or damaged; a process does
            not come within `WAIT_S` seconds.
    """
    from edge_digits_train.engine.keras_session import keras

    backend = keras.backend.backend()
    kinds: dict[str, type[_TensorFlow] | type[_Jax]] = {"tensorflow": _TensorFlow, "jax": _Jax}
    kind = kinds.get(backend)
    if kind is None:
        raise RunError(f"Keras does not distribute under {backend}: set KERAS_BACKEND to tensorflow or jax")
    for other, name in _ENVIRONMENT.items():
        if other != backend and name in os.environ and _ENVIRONMENT[backend] not in os.environ:
            raise RunError(f"{name} is set, but Keras on {backend} reads {_ENVIRONMENT[backend]}; set that")
    addresses, index = kind.peers()
    meet(addresses, index, WAIT_S)
    try:
        with quiet():
            cluster: Cluster = kind(len(addresses) or 1, index)
    except RuntimeError as error:
        raise RunError(f"the processes cannot be joined: {str(error).splitlines()[0]}") from error
    if cluster.replicas < 2:
        raise RunError(
            f"nothing to distribute over: this machine has one device, and {_ENVIRONMENT[backend]} names no other; "
            "leave out --distribute, or see 'edge-digits train --help'"
        )
    return cluster


def meet(addresses: Sequence[str], index: int, wait_s: float) -> None:
    """Wait until the processes at ``addresses``, ``host:port`` each, of which this is number ``index``, are there.

    The backends wait in native code, TensorFlow for ever and deaf to Ctrl-C; so this comes first. It is over for a
    process once it has reached all others and all others have reached it.

    Raises:
        RunError: they are not, within ``wait_s`` seconds, or the own port is taken.
    """
    if len(addresses) < 2:
        return
    hosts = [_host_and_port(address) for address in addresses]
    missing = {peer for peer in range(len(hosts)) if peer != index}
    heard: set[int] = set()
    deadline = time.monotonic() + wait_s
    try:
        listener = socket.create_server(("", hosts[index][1]), backlog=len(hosts))
    except OSError as error:
        raise RunError(f"{addresses[index]}: cannot listen there: {error.strerror}") from error
    with listener:
        listener.settimeout(0.1)
        while missing or len(heard) < len(hosts) - 1:
            for peer in sorted(missing):
                with contextlib.suppress(OSError), socket.create_connection(hosts[peer], timeout=1) as connection:
                    connection.sendall(bytes([index]))
                    missing.remove(peer)
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(1)
                    heard.update(connection.recv(1))
            if time.monotonic() > deadline:
                absent = [addresses[peer] for peer in range(len(hosts)) if peer != index and peer not in heard]
                raise RunError(
                    f"process {index} of {len(hosts)} waited {wait_s:g} s in vain for "
                    f"{', '.join(absent or [addresses[peer] for peer in missing])}: start the same command there"
                )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise RunError(f"{address!r} is no address of a process: it must be host:port")
    return host.strip("[]"), int(port)


class _Jax(Cluster):
    def __init__(self, processes: int, index: int) -> None:
        import jax

        from edge_digits_train.engine.keras_session import keras

        if processes > 1:
            keras.distribution.initialize()
        # Each process gives its own share.
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.processes, self.index = processes, index
        self.replicas = self._distribution.num_model_replicas
        self._lost = (jax.errors.JaxRuntimeError,)
        if self.replicas != self.processes * jax.local_device_count():
            raise RunError("the machines have different numbers of devices; show the same number to each process")

    @staticmethod
    def peers() -> tuple[list[str], int]:
        """Addresses of all processes, and which of them this is."""
        if _ENVIRONMENT["jax"] not in os.environ:
            return [], 0
        addresses = os.environ[_ENVIRONMENT["jax"]].split(",")
        count, index = (os.environ.get(_KERAS + name, "") for name in ("NUM_PROCESSES", "PROCESS_ID"))
        if count != str(len(addresses)) or not index.isdecimal() or int(index) >= len(addresses):
            raise RunError(
                f"{_KERAS}JOB_ADDRESSES names {len(addresses)} processes: set {_KERAS}NUM_PROCESSES to that, not "
                f"{count!r}, and {_KERAS}PROCESS_ID to a number from 0 to {len(addresses) - 1}, not {index!r}"
            )
        return addresses, int(index)

    def scope(self) -> AbstractContextManager[Any]:
        return self._distribution.scope()  # type: ignore[no-any-return]

    def fitter(self, model: Any) -> Fit:
        def fit(x: NDArray[Any], y: NDArray[Any], batch_size: int, callbacks: list[Any]) -> None:
            x, y = (
                np.concatenate([share.reshape(-1, *array.shape[1:]) for share in self._shares(array, batch_size)])
                for array in (x, y)
            )
            with self._in_touch(), self.scope():
                model.fit(x, y, batch_size=batch_size // self.processes, shuffle=False, verbose=0, callbacks=callbacks)

        return fit

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(array)).reshape(self.processes, *array.shape)


class _TensorFlow(Cluster):
    def __init__(self, processes: int, index: int) -> None:
        import tensorflow as tf

        from edge_digits_train.engine.keras_session import devices

        self._tf = tf
        if processes > 1:
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        else:
            self._strategy = tf.distribute.MirroredStrategy([f"/{device}" for device in devices()])
        self.processes, self.index = processes, index
        self.replicas = self._strategy.num_replicas_in_sync
        self._lost = (tf.errors.OpError,)

    @staticmethod
    def peers() -> tuple[list[str], int]:
        """Addresses of all processes, and which of them this is."""
        if _ENVIRONMENT["tensorflow"] not in os.environ:
            return [], 0
        try:
            config = json.loads(os.environ[_ENVIRONMENT["tensorflow"]])
            chief, workers = (list(config["cluster"].get(job, [])) for job in ("chief", "worker"))
            task = {"chief": chief, "worker": workers}[config["task"]["type"]]
            addresses, index = chief + workers, (chief + workers).index(task[config["task"]["index"]])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise RunError(
                'TF_CONFIG must be like {"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", '
                f'"index": 0}}}}, the index being that of this process ({type(error).__name__}: {error})'
            ) from error
        return addresses, index

    def scope(self) -> AbstractContextManager[Any]:
        return self._strategy.scope()  # type: ignore[no-any-return]

    def fitter(self, model: Any) -> Fit:
        """An own loop around `keras.Model.train_step`: Keras 3's `fit` fails under MultiWorkerMirroredStrategy."""
        from edge_digits_train.engine.keras_session import keras

        tf, strategy = self._tf, self._strategy
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # Over the whole batch, not over the share of each device.
                layer.synchronized = True

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def run(iterator: Any, steps: Any) -> None:
            for _ in tf.range(steps):
                strategy.run(model.train_step, args=(next(iterator),))

        @functools.cache
        def make_metrics() -> None:
            """Make their variables outside of `run`, as TensorFlow wants it."""
            picture = np.zeros((1, *model.input_shape[1:]), np.float32)
            strategy.run(model.test_step, args=((picture, np.zeros((1, *model.output_shape[1:]), np.float32)),))

        def fit(x: NDArray[Any], y: NDArray[Any], batch_size: int, callbacks: list[Any]) -> None:
            batches = [self._per_replica(array, batch_size) for array in (x, y)]
            datasets = [tf.data.Dataset.from_tensor_slices(pair) for pair in zip(*batches, strict=True)]
            dataset = functools.reduce(lambda a, b: a.concatenate(b), datasets)
            steps = sum(len(part) for part in batches[0]) * self.processes // self.replicas
            watchers = keras.callbacks.CallbackList(callbacks, model=model)
            with self._in_touch(), self.scope():
                with quiet():
                    make_metrics()
                model.reset_metrics()
                iterator = iter(strategy.distribute_datasets_from_function(lambda _: _untuned(dataset)))
                logs: dict[str, Any] = {}
                for done in range(0, steps, model.steps_per_execution):
                    end = min(done + model.steps_per_execution, steps)
                    run(iterator, tf.constant(end - done))
                    logs = {name: float(value) for name, value in model.get_metrics_result().items()}
                    watchers.on_train_batch_end(end - 1, logs)
                watchers.on_epoch_end(0, logs)
                model.optimizer.finalize_variable_values(model.trainable_variables)

        return fit

    def _per_replica(self, array: NDArray[Any], batch_size: int) -> list[NDArray[Any]]:
        """`_shares`, of shape ``(batches * devices here, pictures, …)``: what each device takes in turn."""
        devices = self.replicas // self.processes
        return [
            share.reshape(len(share) * devices, share.shape[1] // devices, *share.shape[2:])
            for share in self._shares(array, batch_size)
        ]

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        # In float32, which all collectives take, on GPUs, too.
        tf = self._tf
        value = self._strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant(array[np.newaxis], tf.float32)
        )
        rows = self._strategy.gather(value, axis=0).numpy()
        return np.asarray(rows[:: self.replicas // self.processes]).astype(array.dtype)
