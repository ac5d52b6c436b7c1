"""Stands for a service that uses dtpyfw's redis_streamer.

dtpyfw.py send <channel>
dtpyfw.py consume <channel> <listener> <count> [leave]

With `leave` the service ends like a process that is killed: its last message is in the ledger and its handler has
begun, and one more message was read.
"""

import json
import time

import program


def send(client, channel):
    for message in program.lines():
        client.xadd(channel, {"name": message["name"], "body": json.dumps(message["body"])})


def consume(client, channel, listener, count, leave=None):
    group = f"{channel}:{listener}:cg"
    ledger = f"stream:{channel}:group:{group}:processed"
    program.create_group(client, channel, group)
    left = int(count)
    while left > 0:
        more = left + 1 if leave else left
        for entry_id, fields in program.read_new(client, channel, group, f"{listener}.1", more):
            if left == 0:
                return
            left -= 1
            # At most once: the ledger is written before the handler runs.
            if client.zadd(ledger, {entry_id: int(time.time() * 1000)}, nx=True) == 1:
                body = json.loads(fields[b"body"])
                program.write({"name": fields[b"name"].decode(), "body": body})
            if left > 0 or not leave:
                client.xack(channel, group, entry_id)


program.run({"send": send, "consume": consume})
