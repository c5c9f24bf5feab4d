"""How processes find each other, tried with threads in place of processes."""

import socket
import threading

import pytest
from edge_digits_runtime.errors import RunError
from edge_digits_train.engine.rendezvous import meet


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens at."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def test_processes_meet_in_any_order() -> None:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    threads = [threading.Thread(target=meet, args=(addresses, index, 30)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_a_process_that_does_not_come_is_named() -> None:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with pytest.raises(RunError, match=rf"^process 0 of 2 waited 0.2 s for {addresses[1]}, which did not come: start"):
        meet(addresses, 0, 0.2)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RunError, match=f"^{address}: cannot listen there"):
            meet([address, "127.0.0.1:1"], 0, 0.2)


@pytest.mark.parametrize("address", ["here", "host:port", ":80", "host:0", "host:70000"])
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(RunError, match="is not the address of a process; allowed is host:port"):
        meet([address, "127.0.0.1:1"], 0, 0.2)
