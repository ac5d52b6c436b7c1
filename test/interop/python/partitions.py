"""Writes to the partitions of a stream, and reads them.

partitions.py publish <stream> <partitions>
partitions.py read <stream> <partitions>
"""

import json
import zlib

import program


def names(stream, partitions):
    return ["{%s:%d}" % (stream, number) for number in range(int(partitions))]


def publish(client, stream, partitions):
    for message in program.lines():
        place = message["key"] if message["key"] is not None else message["id"]
        partition = zlib.crc32(place.encode()) % int(partitions)
        fields = {"name": stream, "body": json.dumps(message["body"]), "id": message["id"]}
        if message["key"] is not None:
            fields["key"] = message["key"]
        client.xadd(names(stream, partitions)[partition], fields)


def read(client, stream, partitions):
    for number, name in enumerate(names(stream, partitions)):
        for _, fields in client.xrange(name):
            key = fields.get(b"key")
            program.write({
                "partition": number,
                "id": fields[b"id"].decode(),
                "key": None if key is None else key.decode(),
                "body": json.loads(fields[b"body"]),
            })


program.run({"publish": publish, "read": read})
