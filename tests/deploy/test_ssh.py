"""Hosts and folders, as a file name, a shell and scp take them."""

import re

import pytest
from board import Deploy, error
from edge_digits_runtime.errors import UsageError

from edge_digits.deploy.ssh import Target

ADDRESSES = [
    ("pi", "pi", "pi:edge-digits/x.zip"),
    ("me@raspberrypi.local", "raspberrypi.local", "me@raspberrypi.local:edge-digits/x.zip"),
    ("me@fe80::1%eth0", "fe80-1-eth0", "me@[fe80::1%eth0]:edge-digits/x.zip"),
    ("[::1]", "1", "[::1]:edge-digits/x.zip"),
]


@pytest.mark.parametrize(("host", "label", "path"), ADDRESSES, ids=[host for host, *_ in ADDRESSES])
def test_a_host_in_file_names_and_in_paths_for_scp(host: str, label: str, path: str) -> None:
    target = Target(host)
    assert (target.label, target.path("x.zip")) == (label, path)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "-x", "me@-x", "a b", "ssh://pi", "pi:/etc", "", "a@b@c"])
def test_hosts_that_ssh_could_take_for_something_else_are_refused(host: str, deploy: Deploy) -> None:
    assert "host " in error(deploy(host=host))


@pytest.mark.parametrize("folder", ["a b", "$(reboot)", "-x", "a;b", "~/x", "", "ä"])
def test_folders_that_a_shell_could_take_for_something_else_are_refused(folder: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"remote folder {folder!r}: allowed are ")):
        Target("pi", folder)
