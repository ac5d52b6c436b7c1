"""Stands for a service that uses natricine.

natricine.py publish <stream>
natricine.py subscribe <stream> <group> <count> [uuid key]
natricine.py send <topic prefix>
natricine.py handle <topic prefix> <command> <group> <count>
"""

import json
from dataclasses import asdict, dataclass
from uuid import UUID, uuid4

import msgpack
import program

UUID_KEY = "_natricine_message_uuid"


@dataclass
class CreateUser:
    id: str
    name: str


COMMANDS = {each.__name__: each for each in [CreateUser]}


def fields_of(uuid, payload, metadata):
    """The fields of an entry. Without metadata there is no field for it."""
    fields = {UUID_KEY: str(uuid), "payload": payload}
    if metadata:
        fields["metadata"] = msgpack.packb(metadata)
    return fields


def message_of(fields, uuid_key=UUID_KEY):
    """What a handler of natricine gets: a UUID, bytes, and metadata in which everything is text."""
    uuid = fields.get(uuid_key.encode(), b"").decode()
    metadata = fields.get(b"metadata")
    unpacked = msgpack.unpackb(metadata, raw=False) if metadata else {}
    return {
        # An ID that is not a UUID is an error. Without the field, the message has none.
        "uuid": str(UUID(uuid)) if uuid else None,
        "payload": program.to_base64(fields.get(b"payload", b"")),
        "metadata": {str(key): str(value) for key, value in unpacked.items()},
    }


def messages(client, stream, group, count, uuid_key=UUID_KEY):
    """Yields messages, and acknowledges each after its handler."""
    program.create_group(client, stream, group)
    left = int(count)
    while left > 0:
        for entry_id, fields in program.read_new(client, stream, group, "py-1", left):
            yield message_of(fields, uuid_key)
            client.xack(stream, group, entry_id)
            left -= 1


def publish(client, stream):
    for message in program.lines():
        payload = program.from_base64(message["payload"])
        client.xadd(stream, fields_of(UUID(message["uuid"]), payload, message["metadata"]))


def subscribe(client, stream, group, count, uuid_key=UUID_KEY):
    for message in messages(client, stream, group, count, uuid_key):
        program.write(message)


def topic_of(prefix, command):
    """The command bus has one topic for each command: the prefix, `command.` by default, and the class's name."""
    return prefix + command.__name__


def send(client, prefix):
    """The command bus writes the model as JSON, gives the message a new UUID, and no metadata."""
    for values in program.lines():
        command = CreateUser(**values)
        payload = json.dumps(asdict(command), separators=(",", ":"), ensure_ascii=False).encode()
        uuid = uuid4()
        client.xadd(topic_of(prefix, CreateUser), fields_of(uuid, payload, {}))
        program.write({"uuid": str(uuid)})


def handle(client, prefix, name, group, count):
    """The command bus makes a model of the payload. Here a field that the model does not know is an error too."""
    command = COMMANDS[name]
    for message in messages(client, topic_of(prefix, command), group, count):
        values = json.loads(program.from_base64(message["payload"]))
        program.write({"uuid": message["uuid"], "command": asdict(command(**values))})


program.run({"publish": publish, "subscribe": subscribe, "send": send, "handle": handle})
