import type { ClientProxy, ReadPacket } from '@nestjs/microservices';

/** What Nest makes of a call of `emit()` or `send()`. Nest 11 has no hook for it, and makes the packet inline. */
export function packetOf(
  client: Pick<ClientProxy, 'emit'>,
  pattern: unknown,
  data: unknown,
): ReadPacket {
  const make: unknown = Reflect.get(client, 'createPacket');
  return typeof make === 'function' ? make.call(client, pattern, data) : { pattern, data };
}
