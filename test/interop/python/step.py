"""Stands for a service that uses STEP's Redis module: the message is the text of one field.

step.py publish <stream> <field> <maximum length> <ttl in seconds>
step.py receive <stream> <field> <group> <count> <ttl in seconds>
"""

import program


def publish(client, stream, field, length, ttl):
    for text in program.lines():
        client.xadd(stream, {field: text}, maxlen=int(length), approximate=True)
        client.expire(stream, int(ttl))


def receive(client, stream, field, group, count, ttl):
    program.create_group(client, stream, group)
    left = int(count)
    while left > 0:
        for entry_id, fields in program.read_new(client, stream, group, "step-1", left):
            program.write(fields[field.encode()].decode())
            client.xack(stream, group, entry_id)
            left -= 1
        client.expire(stream, int(ttl))


program.run({"publish": publish, "receive": receive})
