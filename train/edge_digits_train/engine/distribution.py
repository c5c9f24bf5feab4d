"""Join the devices and processes that are to train together.

Over machines, each process learns of the others from the environment variables that its backend itself reads:
``TF_CONFIG`` under TensorFlow, ``KERAS_DISTRIBUTION_JOB_ADDRESSES``, ``_NUM_PROCESSES`` and ``_PROCESS_ID`` under JAX.
"""

import os

from edge_digits_runtime.errors import RunError
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.native_stderr import quiet

from edge_digits_train.engine.cluster import PEERS_VARIABLE, Cluster
from edge_digits_train.engine.jax_cluster import JaxCluster
from edge_digits_train.engine.keras_session import keras
from edge_digits_train.engine.rendezvous import meet

WAIT_S = 300.0
"""Seconds that a process waits for the others to be started."""


def join() -> Cluster:
    """Join all devices of this machine, or of all processes that the environment names.

    Call it before Keras computes anything.

    Raises:
        RunError: there is one device only; the backend cannot distribute; the environment is not what the backend
            reads; a process does not come within `WAIT_S` seconds.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        # Only here: a machine that trains under JAX need not have TensorFlow.
        from edge_digits_train.engine.tensorflow_cluster import TensorFlowCluster

        kind: type[JaxCluster] | type[TensorFlowCluster] = TensorFlowCluster
    elif backend == "jax":
        kind = JaxCluster
    else:
        raise RunError(f"Keras does not distribute under {backend}: set KERAS_BACKEND to tensorflow or jax")
    variable = PEERS_VARIABLE[backend]
    for other in PEERS_VARIABLE.values():
        if other in os.environ and variable not in os.environ:
            raise RunError(f"{other} is set, but Keras on {backend} reads {variable}; set that")
    addresses, index = kind.peers()
    meet(addresses, index, WAIT_S)
    try:
        with quiet():
            cluster = kind(len(addresses) or 1, index)
    except RuntimeError as error:
        raise RunError(f"the processes cannot be connected: {first_line(error)}") from error
    if cluster.replicas < 2:
        raise RunError(
            f"there is nothing to distribute over: this machine has one device, and {variable} names no other "
            "process; leave out --distribute, or see 'edge-digits train --help'"
        )
    return cluster
