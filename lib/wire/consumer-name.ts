import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';

/** A name for one running instance of `group`: `group.host.pid.random`, in characters that every tool can show. */
export function consumerName(group: string): string {
  const name = `${group}.${hostname()}.${process.pid}.${randomBytes(4).toString('hex')}`;
  return name.replace(/[^A-Za-z0-9._-]/g, '_');
}
