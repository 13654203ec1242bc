"""One connection to the broker at a time, driven by whoever calls :meth:`Link.serve` at least once a second.

paho has no thread here. So nothing of it can die unseen, a broker that hangs costs no memory, and when the main loop
stands still the pings stop too and the broker publishes the will. Each connection is a new client: nothing of an
old one is sent later.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from packbank.config.model import MqttConfig
from packbank.errors import ConfigError
from packbank.mqtt import broker
from packbank.mqtt.received import Received
from packbank.trouble import Trouble

try:
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
except ImportError as missing:
    raise ConfigError("[mqtt] needs paho-mqtt: pip install 'packbank[mqtt]', or remove that section") from missing

KEEPALIVE = 30  # s; a daemon that stands still is offline after one and a half of these
ANSWER_TIME = 10.0  # s for the broker to answer the connection
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # s between two tries
SOUND_AFTER = 60.0  # s that a connection must last to count as sound
PACKETS_A_TURN = 50  # taken from the broker at once, however many it sends
BYTES_A_TURN = 262_144  # likewise, in payloads
WAITING = 1000  # messages that may wait for the broker's answer
LARGEST = 65536  # bytes of a message that is taken (MQTT 5)

UNSAID = "Unspecified error"  # paho's word when a connection ends without one
Newer, Older = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


class Will(NamedTuple):
    """What the broker says of us, retained, once we are gone."""

    topic: str
    payload: str


class Link:
    """Keeps a connection to the broker whenever there can be one."""

    def __init__(
        self,
        config: MqttConfig,
        will: Will | None = None,
        subscribe: Sequence[str] = (),
        largest: int = LARGEST,
        owner: str = "",
    ) -> None:
        """``subscribe`` to these topics at each connection; a message of more than ``largest`` bytes is not taken.

        ``owner`` stands before each line of the log, where there are several connections.
        """
        self.trouble = Trouble(f"{owner}{': ' if owner else ''}mqtt {config.broker}")
        self.exhausted = False  # more waits to be read than one turn takes
        self._config = config
        self._will = will
        self._subscribe = tuple(subscribe)
        self._largest = largest
        self._received: list[Received] = []
        self._name = f"packbank-{config.bank}-{os.urandom(8).hex()}"
        self._protocol = Newer
        self._client: mqtt.Client | None = None
        self._connected = False
        self._fresh = False
        self._since = 0.0  # when the connection was opened
        self._due = float("-inf")
        self._pause = FIRST_PAUSE
        self._refusal = ""  # what the broker said when it refused or ended the connection
        self._topics: dict[int, str] = {}  # message number -> topic, until the broker has answered
        self._refused: list[str] = []  # topics that it will not have
        self._refused_first: dict[str, str] = {}  # the first of each branch

    def serve(self, now: float) -> bool:
        """Connect when it is time, read, write and ping; whether there is a connection. Never raises."""
        if self._client is None and now >= self._due:
            self._open(now)
        if self._client is not None:
            self._turn(self._client, now)
        return self._connected

    def fresh(self) -> bool:
        """Whether the connection is new since this was asked last."""
        fresh, self._fresh = self._fresh, False
        return fresh

    @property
    def busy(self) -> bool:
        """Whether the broker has not yet taken what it was sent: then newer states would only pile up."""
        return self._client is None or self._client.want_write()

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> Callable[[], bool]:
        """Send a message; what is retained is acknowledged. The answer says later whether the broker has it."""
        if self._client is None:
            return lambda: False
        sent = self._client.publish(topic, payload, qos=int(retain), retain=retain)
        if retain and sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._topics[sent.mid] = topic
        return lambda: sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and sent.is_published()

    def take(self) -> list[Received]:
        """What has come since the last call, in order."""
        received, self._received = self._received, []
        return received

    def wait(self, seconds: float) -> None:
        """Wait until the broker has sent something, ``seconds`` at most."""
        connection = self._client.socket() if self._client else None
        if connection is None:
            time.sleep(seconds)
        elif not _decrypted(connection):
            select.select([connection], [], [], seconds)

    def close(self) -> None:
        """Say goodbye: the broker publishes no will for a client that does."""
        client, self._client = self._client, None
        if client is not None and self._connected:
            self._connected = False
            if self._will:
                client.publish(self._will.topic, self._will.payload, qos=0, retain=True)
            client.disconnect()
            client.loop_write()

    def _open(self, now: float) -> None:
        self._refusal, self._since = "", now
        self._topics.clear()
        self._refused.clear()
        try:
            client = self._new_client()
            client.connect(*broker.address(self._config), keepalive=KEEPALIVE, **self._connect_options())
        except (OSError, ValueError) as error:
            self._failed(now, broker.why_unreachable(error))
        else:
            self._client = client

    def _new_client(self) -> mqtt.Client:
        config = self._config
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, self._name, protocol=self._protocol, reconnect_on_failure=False
        )
        client.max_queued_messages_set(WAITING)
        if self._will:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        if config.username:
            client.username_pw_set(config.username, broker.password(config))
        if (context := broker.tls(config)) is not None:
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _connect_options(self) -> dict[str, Any]:
        if self._protocol is not Newer:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = self._largest
        return {"clean_start": True, "properties": properties}

    def _turn(self, client: mqtt.Client, now: float) -> None:
        """Let what is under way pass."""
        try:
            sound = self._pass_packets(client)
        except Exception as error:  # noqa: BLE001 -- whatever the broker sent, it cost the connection and no more
            self._failed(now, f"it sends what is not MQTT ({type(error).__name__})")
            return
        for topic in self._refused:  # one line for all of a branch: there may be two for each pack
            branch = "/".join(topic.split("/")[:2])
            first = self._refused_first.setdefault(branch, topic)
            text = f"it refuses the topic {first}: allow it to this user in the broker's ACL, like all below {branch}"
            self.trouble.say(now, text)
        self._refused.clear()
        if not sound:
            self._ended(now)
        elif not self._connected:
            if now - self._since > ANSWER_TIME:
                self._failed(now, "it accepts the connection and does not answer: check the port in BROKER")
        elif self._pause and now - self._since > SOUND_AFTER:
            self._pause = 0.0
            self.trouble.over()

    def _ended(self, now: float) -> None:
        """The broker has closed the connection, or it is lost."""
        if self._connected:
            self._failed(now, f"connection lost ({self._refusal or 'closed by the broker'})")
            return
        if not self._refusal or self._refusal == "Unsupported protocol version":
            self._protocol = Older if self._protocol is Newer else Newer
        if self._refusal:
            self._failed(now, broker.why_refused(self._refusal))
        else:
            self._failed(now, "it closes the connection without an answer: check BROKER and the broker's log")

    def _failed(self, now: float, text: str) -> None:
        """Drop the connection and try again later."""
        client, self._client = self._client, None
        self._connected = self._fresh = False
        if client is not None and (connection := client.socket()) is not None:
            connection.close()
        self.trouble.say(now, f"{text}; it is tried again")
        self._due = now + (self._pause or FIRST_PAUSE)
        self._pause = min(2.0 * (self._pause or FIRST_PAUSE), LONGEST_PAUSE)

    def _on_connect(self, client: mqtt.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            return
        self._connected = self._fresh = True
        self.trouble.say(self._since, "connected", logging.INFO)
        if self._subscribe:
            client.subscribe([(topic, 0) for topic in self._subscribe])

    def _on_disconnect(self, _: mqtt.Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if self._connected and str(reason) != UNSAID:
            self._refusal = str(reason)

    def _on_message(self, _: mqtt.Client, __: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._received.append(Received(topic, bytes(message.payload), message.retain, time.monotonic()))

    def _on_publish(self, _: mqtt.Client, __: Any, number: int, reason: Any, ___: Any) -> None:
        topic = self._topics.pop(number, "")
        if topic and reason.is_failure:
            self._refused.append(topic)

    def _on_subscribe(self, _: mqtt.Client, __: Any, ___: int, reasons: list[Any], ____: Any) -> None:
        self._refused += [topic for topic, reason in zip(self._subscribe, reasons, strict=False) if reason.is_failure]

    def _pass_packets(self, client: mqtt.Client) -> bool:
        """Write, ping, and read what has come, within limits; whether the connection is still there."""
        rc = client.loop_misc()
        if not rc and client.want_write():
            rc = client.loop_write()
        size, first = 0, len(self._received)
        self.exhausted = True
        for _ in range(PACKETS_A_TURN):
            connection = client.socket()
            if rc or connection is None or not _readable(connection):
                self.exhausted = False
                break
            rc = client.loop_read()
            size += sum(len(message.payload) for message in self._received[first:])
            first = len(self._received)
            if size > BYTES_A_TURN:
                break
        return not rc and client.socket() is not None


def _readable(connection: Any) -> bool:
    return _decrypted(connection) or bool(select.select([connection], [], [], 0.0)[0])


def _decrypted(connection: Any) -> bool:
    """Whether TLS has read something already."""
    pending = getattr(connection, "pending", None)
    return bool(pending and pending())
