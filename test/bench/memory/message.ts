import { randomUUID } from 'node:crypto';
import { JsonCodec } from 'nestjs-redis-streams';

export const STREAM = 'orders';
export const GROUP = 'billing';
export const CONSUMER = 'billing.web-7c9f6d5b8-x2x4l.1.3f9c1a07';

const PAYLOAD_BYTES = 150;
const codec = new JsonCodec();

/** A payload of 150 bytes of JSON. */
export function payloadOf(n: number): { orderId: number; item: string; note: string } {
  const payload = { orderId: 1_000_000_000 + n, item: 'a teapot of stoneware', note: '' };
  return { ...payload, note: 'x'.repeat(PAYLOAD_BYTES - JSON.stringify(payload).length) };
}

/** The fields of an entry, as `emit()` writes them. */
export const fieldsOf = (n: number, messageId: string = randomUUID()): (string | Buffer)[] => [
  ...codec.encode(STREAM, { name: STREAM, payload: payloadOf(n), messageId }),
];
