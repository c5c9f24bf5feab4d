"""How the processes of one training find each other before their backend connects them."""

import contextlib
import socket
import time
from collections.abc import Sequence

from edge_digits_runtime.errors import RunError


def meet(addresses: Sequence[str], index: int, wait_s: float) -> None:
    """Wait until every process is there.

    The backends wait in native code, TensorFlow for ever and without reacting to Ctrl-C, so this wait comes first. A
    process stops waiting when it has reached all others and all others have reached it.

    Args:
        addresses: ``host:port`` of every process.
        index: which of them this process is, from 0.
        wait_s: seconds to wait at most.

    Raises:
        RunError: an address is not ``host:port``, this process cannot listen at its own, or a process did not come
            in time; the message names it.
    """
    if len(addresses) < 2:
        return
    hosts = [_host_and_port(address) for address in addresses]
    unreached = {peer for peer in range(len(hosts)) if peer != index}
    heard: set[int] = set()
    deadline = time.monotonic() + wait_s
    try:
        listener = socket.create_server(("", hosts[index][1]), backlog=len(hosts))
    except OSError as error:
        raise RunError(f"{addresses[index]}: cannot listen there: {error.strerror}") from error
    with listener:
        listener.settimeout(0.1)
        while unreached or len(heard) < len(hosts) - 1:
            for peer in sorted(unreached):
                with contextlib.suppress(OSError), socket.create_connection(hosts[peer], timeout=1) as connection:
                    connection.sendall(bytes([index]))
                    unreached.remove(peer)
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(1)
                    heard.update(connection.recv(1))
            if time.monotonic() > deadline:
                unheard = [peer for peer in range(len(hosts)) if peer != index and peer not in heard]
                missing = [addresses[peer] for peer in unheard or sorted(unreached)]
                raise RunError(
                    f"process {index} of {len(hosts)} waited {wait_s:g} s for {', '.join(missing)}, which did not "
                    "come: start the same command there"
                )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise RunError(f"{address!r} is not the address of a process; allowed is host:port, such as 10.0.0.1:2222")
    return host.strip("[]"), int(port)
