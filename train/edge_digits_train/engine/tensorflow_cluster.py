"""Several devices or processes under TensorFlow, distributed by `tf.distribute`, since Keras has nothing for it.

`MirroredStrategy` on one machine, `MultiWorkerMirroredStrategy` on several.
"""

import functools
import json
import os
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf
from edge_digits_runtime.errors import RunError
from edge_digits_runtime.native_stderr import quiet
from numpy.typing import NDArray

from edge_digits_train.engine.cluster import PEERS_VARIABLE, Cluster, Fit
from edge_digits_train.engine.feed import without_autotune
from edge_digits_train.engine.keras_session import devices, keras

_PEERS = PEERS_VARIABLE["tensorflow"]


class TensorFlowCluster(Cluster):
    """All devices of this machine, or of all processes that the environment names."""

    def __init__(self, processes: int, index: int) -> None:
        """Connect this process, number ``index``, with the others and take all their devices."""
        if processes > 1:
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        else:
            self._strategy = tf.distribute.MirroredStrategy([f"/{device}" for device in devices()])
        self.processes, self.index = processes, index
        self.replicas = self._strategy.num_replicas_in_sync
        self._lost = (tf.errors.OpError,)

    @staticmethod
    def peers() -> tuple[list[str], int]:
        """Return the addresses of all processes, and which of them this is; none where the environment names none.

        Raises:
            RunError: the variable is not what TensorFlow reads.
        """
        if _PEERS not in os.environ:
            return [], 0
        try:
            config = json.loads(os.environ[_PEERS])
            chief, workers = (list(config["cluster"].get(job, [])) for job in ("chief", "worker"))
            task = {"chief": chief, "worker": workers}[config["task"]["type"]]
            addresses, index = chief + workers, (chief + workers).index(task[config["task"]["index"]])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise RunError(
                f'{_PEERS} must be like {{"cluster": {{"worker": ["host:port", "host:port"]}}, "task": {{"type": '
                f'"worker", "index": 0}}}}, the index being that of this process ({type(error).__name__}: {error})'
            ) from error
        return addresses, index

    def scope(self) -> AbstractContextManager[Any]:
        return self._strategy.scope()  # type: ignore[no-any-return]

    def fitter(self, model: Any) -> Fit:
        """Return a loop of our own around `keras.Model.train_step`.

        Keras 3's `fit` fails under `MultiWorkerMirroredStrategy`.
        """
        strategy = self._strategy
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # The statistics of the whole batch, not of the share of each device.
                layer.synchronized = True

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def run(iterator: Any, steps: Any) -> None:
            for _ in tf.range(steps):
                strategy.run(model.train_step, args=(next(iterator),))

        @functools.cache
        def make_metrics() -> None:
            """Make the variables of the metrics outside of `run`, as TensorFlow demands."""
            picture = np.zeros((1, *model.input_shape[1:]), np.float32)
            strategy.run(model.test_step, args=((picture, np.zeros((1, *model.output_shape[1:]), np.float32)),))

        def fit(x: NDArray[Any], y: NDArray[Any], batch_size: int, callbacks: list[Any]) -> None:
            batches = [self._per_replica(array, batch_size) for array in (x, y)]
            datasets = [tf.data.Dataset.from_tensor_slices(pair) for pair in zip(*batches, strict=True)]
            dataset = functools.reduce(lambda a, b: a.concatenate(b), datasets)
            steps = sum(len(part) for part in batches[0]) * self.processes // self.replicas
            watchers = keras.callbacks.CallbackList(callbacks, model=model)
            with self._detect_lost_process(), self.scope():
                with quiet():
                    make_metrics()
                model.reset_metrics()
                iterator = iter(strategy.distribute_datasets_from_function(lambda _: without_autotune(dataset)))
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
        """Return `shares` split by device, shape ``(batches * devices here, pictures, …)``: each takes one in turn."""
        devices_here = self.replicas // self.processes
        return [
            share.reshape(len(share) * devices_here, share.shape[1] // devices_here, *share.shape[2:])
            for share in self.shares(array, batch_size)
        ]

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        # As float32, which all collectives take, on GPUs as well.
        value = self._strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant(array[np.newaxis], tf.float32)
        )
        rows = self._strategy.gather(value, axis=0).numpy()
        return np.asarray(rows[:: self.replicas // self.processes]).astype(array.dtype)
