"""Several devices or processes under JAX, distributed by Keras' own `keras.distribution.DataParallel`."""

import os
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from edge_digits_runtime.errors import RunError
from numpy.typing import NDArray

from edge_digits_train.engine.cluster import PEERS_VARIABLE, Cluster, Fit
from edge_digits_train.engine.keras_session import keras

_PEERS = PEERS_VARIABLE["jax"]
_COUNT, _INDEX = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"


class JaxCluster(Cluster):
    """All devices of this machine, or of all processes that the environment names."""

    def __init__(self, processes: int, index: int) -> None:
        """Connect this process, number ``index``, with the others and take all their devices."""
        import jax

        if processes > 1:
            keras.distribution.initialize()
        # Each process feeds its own share.
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.processes, self.index = processes, index
        self.replicas = self._distribution.num_model_replicas
        self._lost = (jax.errors.JaxRuntimeError,)
        if self.replicas != self.processes * jax.local_device_count():
            raise RunError("the machines have different numbers of devices; show the same number to each process")

    @staticmethod
    def peers() -> tuple[list[str], int]:
        """Return the addresses of all processes, and which of them this is; none where the environment names none.

        Raises:
            RunError: the variables do not fit together.
        """
        if _PEERS not in os.environ:
            return [], 0
        addresses = os.environ[_PEERS].split(",")
        count, index = (os.environ.get(name, "") for name in (_COUNT, _INDEX))
        if count != str(len(addresses)) or not index.isdecimal() or int(index) >= len(addresses):
            raise RunError(
                f"{_PEERS} names {len(addresses)} processes: set {_COUNT} to that, not "
                f"{count!r}, and {_INDEX} to a number from 0 to {len(addresses) - 1}, not {index!r}"
            )
        return addresses, int(index)

    def scope(self) -> AbstractContextManager[Any]:
        return self._distribution.scope()  # type: ignore[no-any-return]

    def fitter(self, model: Any) -> Fit:
        def fit(x: NDArray[Any], y: NDArray[Any], batch_size: int, callbacks: list[Any]) -> None:
            x, y = (
                np.concatenate([share.reshape(-1, *array.shape[1:]) for share in self.shares(array, batch_size)])
                for array in (x, y)
            )
            with self._detect_lost_process(), self.scope():
                model.fit(x, y, batch_size=batch_size // self.processes, shuffle=False, verbose=0, callbacks=callbacks)

        return fit

    def _gather(self, array: NDArray[Any]) -> NDArray[Any]:
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(array)).reshape(self.processes, *array.shape)
