"""A consumer that acknowledges like the backend: commit first, highest contiguous number, retained.

What it has committed survives in the object, also when its connection is torn down and made again.
"""

from __future__ import annotations

import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge import messages
from edge.messages import Ack, AgentStatus, Command, Event, EventBatch


class Consumer:
    def __init__(self, port: int, site: str = "hq", agent: str = "agent-1") -> None:
        self.port, self.site, self.agent = port, site, agent
        self.acks = True
        self.committed: dict[tuple[str, int], Event] = {}
        self.received = 0
        self.statuses: list[AgentStatus] = []
        self.largest = 0
        self._cursor: dict[str, int] = {}
        self._lock = threading.Lock()
        self._client: mqtt.Client | None = None
        self._subscribed = threading.Event()

    def start(self) -> None:
        self._subscribed.clear()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, clean_session=True)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", self.port, 30)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(60)

    def stop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def send(self, command: Command, *, retain: bool = False) -> None:
        assert self._client is not None
        topic = messages.topic(self.site, self.agent, "commands")
        self._client.publish(topic, messages.encode(command), qos=1, retain=retain).wait_for_publish(60)

    def events(self) -> list[Event]:
        with self._lock:
            return list(self.committed.values())

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        channels = ("events", "status")
        client.subscribe([(messages.topic(self.site, self.agent, c), 1) for c in channels])  # type: ignore[arg-type]

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        if message.topic.endswith("/status"):
            self.statuses.append(messages.decode(AgentStatus, payload))
            return
        if not message.topic.endswith("/events"):
            return  # amqtt can deliver what another session had subscribed
        batch = messages.decode(EventBatch, payload)
        acks = self.acks  # before anybody can see that this one was received
        with self._lock:
            self.received += len(batch.events)
            self.largest = max(self.largest, len(payload))
            cursor = self._cursor.get(batch.epoch, 0)
            for event in batch.events:
                if event.seq == cursor + 1:
                    messages.decode_data(event)
                    self.committed[batch.epoch, event.seq] = event
                    cursor = event.seq
            self._cursor[batch.epoch] = cursor
        if acks:
            ack = Ack(v=messages.VERSION, epoch=batch.epoch, seq=cursor)
            topic = messages.topic(self.site, self.agent, "ack")
            client.publish(topic, messages.encode(ack), qos=1, retain=True)
