"""Readings to an MQTT broker, as Home Assistant expects them."""

import json
import os
import re
import threading
import urllib.parse
from collections import deque
from pathlib import Path
from typing import Any

from edge_digits_runtime.errors import UsageError, WatchError
from edge_digits_runtime.installation import how_to_get
from edge_digits_runtime.meter.profile import Profile

from edge_digits.watching.record import Record

PASSWORD = "EDGE_DIGITS_MQTT_PASSWORD"
"""Environment variable with the password of the user that the address names."""
MOST_WAITING = 10_000
"""Messages that wait while the broker is away; further ones are given up."""
_EXACTLY_ONCE = 2
"""The broker gets each message once, also where the connection was lost on the way."""
_DEVICE_CLASSES = {
    "m³": ("water", "m³"),
    "m3": ("water", "m³"),
    "l": ("water", "L"),
    "kwh": ("energy", "kWh"),
    "mwh": ("energy", "MWh"),
    "wh": ("energy", "Wh"),
    "gj": ("energy", "GJ"),
    "°c": ("temperature", "°C"),
}
"""Device class and spelling of units in Home Assistant; m³ of gas is said with --device-class gas."""


class MqttBroker:
    """Sends each published reading to ``PREFIX/METER/reading`` and tells Home Assistant about the meter.

    Whether watching goes on is kept at ``PREFIX/METER/availability``: ``online`` or ``offline``, which the broker also
    says when this process is gone. A broker that is away is tried again after 1 to 60 seconds; readings wait meanwhile.
    Doubtful readings go to ``PREFIX/METER/doubt``.

    Raises:
        UsageError: the address is none, holds a password, or paho-mqtt is not installed.
    """

    def __init__(
        self,
        address: str,
        profile: Profile,
        password_file: Path | None = None,
        device_class: str | None = None,
    ) -> None:
        try:
            from paho.mqtt import client as mqtt
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise UsageError(f"--mqtt needs paho-mqtt: {how_to_get(['mqtt'])}") from error
        parts = _parts(address)
        host, port = str(parts.hostname), parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self.name = f"{parts.scheme}://{host}:{port}"
        self._prefix = f"{urllib.parse.unquote(parts.path).strip('/') or 'edge-digits'}/{_topic(profile.name)}"
        self._id = f"edge-digits-{_topic(profile.name)}"
        self._discovery = discovery(profile, self._id, self._prefix, device_class)
        self._online = True
        # One message is on its way at a time: what paho has in its own queue when a broker dies gets stuck there.
        self._waiting: deque[tuple[str, str, bool]] = deque()
        self._on_its_way = False
        self._idle = threading.Condition()
        self._connection = "is not reached yet"
        # A session that the broker keeps: what was on its way when the connection broke is not sent twice.
        self._client: Any = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self._id, clean_session=False)
        if parts.username:
            self._client.username_pw_set(urllib.parse.unquote(parts.username), _password(password_file))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(f"{self._prefix}/availability", "offline", _EXACTLY_ONCE, retain=True)
        self._client.reconnect_delay_set(1, 60)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_publish = self._published
        self._client.connect_async(host, port, keepalive=30)
        self._client.loop_start()

    def write(self, record: Record) -> None:
        """Send a reading, or leave it to wait for the broker.

        Raises:
            OSError: the broker is away; readings wait. Or so many wait that this one was given up.
        """
        kind = "reading" if record.sure else "doubt"
        content = json.dumps(record.to_dict(), ensure_ascii=False)
        # What is retained is what Home Assistant shows after a restart of its own.
        if not self._send(kind, content, retain=record.sure):
            raise OSError(None, f"{MOST_WAITING:,} readings wait for it: further ones are given up", self.name)
        if self._connection:
            raise OSError(None, f"{self._connection}; readings wait", self.name)

    def available(self, online: bool) -> None:
        """Say whether the meter can be seen."""
        if online != self._online:
            self._online = online
            self._send("availability", "online" if online else "offline", retain=True)

    def close(self) -> None:
        """Send what waits, for at most half a second, say that watching has ended, and disconnect.

        Raises:
            OSError: the broker did not take everything.
        """
        self._send("availability", "offline", retain=True)
        with self._idle:
            done = self._idle.wait_for(lambda: self._connection or not self._waiting, 0.5) and not self._waiting
        self._client.disconnect()
        if not self._connection:
            # Otherwise its thread may be waiting for the broker; it ends with this process.
            self._client.loop_stop()
        if not done:
            raise OSError(None, "did not take the last readings", self.name)

    def _send(self, kind: str, content: str, retain: bool) -> bool:
        """Put a message behind those that wait; return whether there was room."""
        with self._idle:
            if len(self._waiting) >= MOST_WAITING:
                return False
            self._waiting.append((f"{self._prefix}/{kind}", content, retain))
            self._next()
        return True

    def _next(self) -> None:
        """Send the first message that waits, unless one is on its way; the caller holds the lock."""
        if self._waiting and not self._on_its_way and not self._connection:
            self._on_its_way = True
            topic, content, retain = self._waiting[0]
            self._last = self._client.publish(topic, content, _EXACTLY_ONCE, retain=retain).mid

    def _published(self, _client: Any, _data: Any, mid: int, _reason: Any, _properties: Any) -> None:
        with self._idle:
            # The messages about the meter itself go beside the queue.
            if self._on_its_way and mid == self._last:
                self._on_its_way = False
                self._waiting.popleft()
                self._next()
                self._idle.notify_all()

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._connection = f"refuses: {reason}"
            return
        self._client.publish(f"homeassistant/sensor/{self._id}/config", self._discovery, 1, retain=True)
        state = "online" if self._online else "offline"
        self._client.publish(f"{self._prefix}/availability", state, 1, retain=True)
        with self._idle:
            self._connection = ""
            # One that was on its way is sent again by paho.
            self._next()

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure and not self._connection:
            self._connection = "is gone"


def discovery(profile: Profile, identity: str, prefix: str, device_class: str | None = None) -> str:
    """Return the message by which Home Assistant learns of a meter."""
    kind, unit = _DEVICE_CLASSES.get(profile.unit.lower(), (None, profile.unit or None))
    content = {
        "name": None,
        "unique_id": identity,
        "state_topic": f"{prefix}/reading",
        "value_template": "{{ value_json.value }}",
        "json_attributes_topic": f"{prefix}/reading",
        "availability_topic": f"{prefix}/availability",
        "state_class": "measurement" if profile.change.may_fall else "total_increasing",
        "device_class": device_class or kind,
        "unit_of_measurement": unit,
        "suggested_display_precision": profile.decimals,
        "device": {"identifiers": [identity], "name": profile.name, "manufacturer": "edge-digits"},
    }
    # Without a class or unit Home Assistant wants no key, but the name of a device is said by null.
    return json.dumps({key: value for key, value in content.items() if value is not None or key == "name"})


def _parts(address: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(address)
        wrong = parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.query or parts.fragment
        parts.port  # noqa: B018
    except ValueError as error:
        raise UsageError(f"--mqtt {address!r:.80}: {error}") from error
    if wrong or re.search(r"[#+\x00-\x1f]", urllib.parse.unquote(parts.path)) or "#" in address:
        raise UsageError(f"--mqtt {address!r:.80} is no address; give one such as mqtt://user@192.168.1.10:1883/meters")
    if parts.password is not None:
        raise UsageError(
            f"a password on the command line can be seen by every user: set {PASSWORD}, or --mqtt-password-file"
        )
    return parts


def _password(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD)
    try:
        return file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise WatchError(f"--mqtt-password-file {file}: cannot be read: {reason}") from error


def _topic(name: str) -> str:
    """Return a name as a part of a topic that Home Assistant takes, too."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "meter"
