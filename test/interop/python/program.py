"""What the programs share: one JSON value a line, in and out, and the connection to Redis."""

import base64
import json
import os
import sys

import redis


def connect():
    """Bytes stay bytes: payloads and metadata are not text."""
    return redis.Redis.from_url(os.environ["REDIS_URL"])


def lines():
    for line in sys.stdin:
        yield json.loads(line)


def write(value):
    print(json.dumps(value), flush=True)


def from_base64(text):
    return base64.b64decode(text)


def to_base64(data):
    return base64.b64encode(data).decode()


def create_group(client, stream, group):
    """From the beginning of the stream, as all of these libraries do. A group that exists stays as it is."""
    try:
        client.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def read_new(client, stream, group, consumer, count):
    """Entries that no member of the group has been given, at most `count` of them."""
    reply = client.xreadgroup(group, consumer, {stream: ">"}, count=count, block=1000)
    return reply[0][1] if reply else []


def run(commands):
    """Calls the function named by the first argument with the other arguments."""
    name, *words = sys.argv[1:]
    commands[name](connect(), *words)
