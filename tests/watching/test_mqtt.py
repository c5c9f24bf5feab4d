"""Readings to a real broker, mosquitto on loopback, that is killed and started again under way."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edge_digits_runtime.errors import UsageError, WatchError
from stand_ins import profile, record

from edge_digits.watching.mqtt_output import PASSWORD, MqttBroker, discovery

pytest.importorskip("paho.mqtt.client")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")


class Broker:
    """A mosquitto of our own that keeps its state in a folder."""

    def __init__(self, folder: Path, password: bool = False) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {folder}/"]
        lines.append("max_queued_messages 0")
        if password:
            tool = shutil.which("mosquitto_passwd")
            assert tool
            subprocess.run([tool, "-b", "-c", folder / "users", "meter", "secret word"], check=True)
            lines += ["allow_anonymous false", f"password_file {folder}/users"]
        else:
            lines.append("allow_anonymous true")
        import getpass

        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join([*lines, f"user {getpass.getuser()}"]) + "\n")
        self.start()

    def start(self) -> None:
        assert MOSQUITTO
        self._process = subprocess.Popen([MOSQUITTO, "-c", self._file], stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("mosquitto does not start")

    def save(self) -> None:
        """Let it write down what it knows."""
        time.sleep(0.3)
        self._process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)

    def stop(self, kill: bool = False) -> None:
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(10)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    assert MOSQUITTO, "install mosquitto: ./check does"
    started = Broker(tmp_path)
    yield started
    started.stop(kill=True)


class Listener:
    """Keeps all messages of a broker, in a session that survives its restarts."""

    def __init__(self, port: int, name: str = "listener", **login: str) -> None:
        from paho.mqtt import client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, str, bool]] = []
        self._more = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        if login:
            self._client.username_pw_set(login["user"], login["password"])
        self._client.reconnect_delay_set(1, 1)
        # Once: with each subscription come the messages that the broker retains.
        self._client.on_connect = lambda client, *_: self._more.is_set() or client.subscribe("#", 2)
        self._client.on_subscribe = lambda *_: self._more.set()
        self._client.on_message = self._arrived
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._more.wait(10)

    def _arrived(self, _client: Any, _data: Any, message: Any) -> None:
        self.messages.append((message.topic, message.payload.decode(), message.retain))

    def of(self, topic: str) -> list[str]:
        return [content for place, content, _ in self.messages if place == topic]

    def wait(self, enough: Any) -> None:
        end = time.monotonic() + 30
        while not enough() and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def written(output: MqttBroker, one: Any) -> None:
    """Write a record, whether or not the broker is there."""
    with contextlib.suppress(OSError):
        output.write(one)


def test_home_assistant_learns_of_the_meter_and_gets_its_readings(broker: Broker) -> None:
    listener = Listener(broker.port)
    output = MqttBroker(f"mqtt://127.0.0.1:{broker.port}/cellar", profile(highest_per_hour=2.0))
    written(output, record(123.4))
    written(output, record(None))
    listener.wait(lambda: listener.of("cellar/water/doubt"))
    output.available(False)
    output.available(False)
    output.available(True)
    output.close()
    listener.wait(lambda: len(listener.of("cellar/water/availability")) >= 4)
    assert listener.of("cellar/water/availability") == ["online", "offline", "online", "offline"]
    assert [json.loads(one)["value"] for one in listener.of("cellar/water/reading")] == [123.4]
    assert [json.loads(one)["reason"] for one in listener.of("cellar/water/doubt")] == ["doubtful: character 2"]
    (config,) = listener.of("homeassistant/sensor/edge-digits-water/config")
    found = json.loads(config)
    assert (found["device_class"], found["unit_of_measurement"], found["state_class"]) == (
        "water",
        "m³",
        "total_increasing",
    )
    assert found["state_topic"] == "cellar/water/reading"
    listener.close()
    # Who comes later finds the last reading, the meter, and that nobody watches it now.
    late = Listener(broker.port, "late")
    late.wait(lambda: len(late.messages) >= 3)
    kept = {topic for topic, _, retained in late.messages if retained}
    assert kept == {
        "cellar/water/availability", "cellar/water/reading", "homeassistant/sensor/edge-digits-water/config",
    }  # fmt: skip
    late.close()


def test_a_process_that_is_killed_is_offline(broker: Broker) -> None:
    import sys

    listener = Listener(broker.port)
    code = (
        f"import sys; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "import os, time\nfrom stand_ins import profile, record\n"
        "from edge_digits.watching.mqtt_output import MqttBroker\n"
        f"output = MqttBroker('mqtt://127.0.0.1:{broker.port}', profile())\n"
        "time.sleep(1)\noutput.write(record(1.0))\ntime.sleep(0.5)\nos.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    topic = "edge-digits/water/availability"
    listener.wait(lambda: len(listener.of(topic)) >= 2)
    assert listener.of(topic) == ["online", "offline"]
    listener.close()


def test_no_reading_is_lost_or_doubled_where_the_broker_is_killed_and_started_again(broker: Broker) -> None:
    listener = Listener(broker.port)
    output = MqttBroker(f"mqtt://127.0.0.1:{broker.port}", profile())
    output._client.reconnect_delay_set(1, 1)
    listener.wait(lambda: not output._connection)
    count = 300
    for number in range(count):
        written(output, record(float(number), at=number))
        time.sleep(0.004)
        if number == 60:
            # A broker that is killed forgets what it has not written down: here it has.
            listener.wait(lambda: len(listener.of("edge-digits/water/reading")) > 60)
            broker.save()
            broker.stop(kill=True)
        if number == 200:
            broker.stop()
        if number in (120, 260):
            broker.start()
    topic = "edge-digits/water/reading"
    listener.wait(lambda: len(listener.of(topic)) >= count)
    time.sleep(0.5)
    values = [json.loads(one)["value"] for one in listener.of(topic)]
    assert sorted(values) == [float(number) for number in range(count)]
    output.close()
    listener.close()


def test_a_broker_that_is_away_is_said_and_holds_nothing_up(broker: Broker) -> None:
    broker.stop()
    output = MqttBroker(f"mqtt://127.0.0.1:{broker.port}", profile())
    begun = time.monotonic()
    with pytest.raises(OSError, match="is not reached yet; readings wait"):
        output.write(record(1.0))
    with pytest.raises(OSError, match="did not take the last readings"):
        output.close()
    assert time.monotonic() - begun < 1
    broker.start()


def test_the_password_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = Broker(tmp_path, password=True)
    try:
        (tmp_path / "password").write_text("secret word\n")
        listener = Listener(started.port, user="meter", password="secret word")
        address = f"mqtt://meter@127.0.0.1:{started.port}"
        for number, file in enumerate([tmp_path / "password", None]):
            monkeypatch.setenv(PASSWORD, "secret word")
            output = MqttBroker(address, profile(), file)
            written(output, record(float(number)))
            listener.wait(lambda n=number: len(listener.of("edge-digits/water/reading")) > n)  # type: ignore[misc]
            output.close()
        assert len(listener.of("edge-digits/water/reading")) == 2
        monkeypatch.setenv(PASSWORD, "wrong")
        output = MqttBroker(address, profile())
        time.sleep(1)
        with pytest.raises(OSError, match="refuses"):
            output.write(record(1.0))
        with pytest.raises(OSError, match="did not take"):
            output.close()
        listener.close()
    finally:
        started.stop(kill=True)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mqtt://me:secret@host", "can be seen by every user"),
        ("http://host", "is no address"),
        ("mqtt://", "is no address"),
        ("mqtt://host:99999", "[Pp]ort"),
        ("mqtt://host/a/#", "is no address"),
        ("mqtt://host?x=1", "is no address"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MqttBroker(address, profile())


def test_a_password_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(WatchError, match="cannot be read: No such file"):
        MqttBroker("mqtt://me@127.0.0.1:9", profile(), tmp_path / "none")


def test_units_have_their_class_and_others_none() -> None:
    import dataclasses

    def found(unit: str, given: str | None = None) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(
            discovery(dataclasses.replace(profile(), unit=unit, name="Küche 1"), "id", "p", given)
        )
        return values

    assert found("kWh")["device_class"] == "energy"
    assert found("m³", "gas")["device_class"] == "gas"
    assert "device_class" not in found("bar")
    assert "unit_of_measurement" not in found("")
    assert found("")["name"] is None
