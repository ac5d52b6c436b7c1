import { sharedSymbol, sharedSymbolName } from '../errors/copies.js';
import { checkOptions } from '../options/check-options.js';
import { schemas } from '../options/options.schema.js';
import { REDIS_STREAMS } from './subscription.js';

/** @throws InvalidOptionsError if it is no name for an instance of the module */
export function requireInstanceName(name: unknown, called: string): void {
  checkOptions(schemas.instance, { name }, called);
}

const TRANSPORT = 'transport of ';

/**
 * The transport's ID of an instance: `@EventPattern('orders', streamsTransport('audit'), subscription())` is for its server alone.
 * That of the instance without a name is `REDIS_STREAMS`.
 *
 * @throws InvalidOptionsError if the name is invalid
 */
export function streamsTransport(name?: string): symbol {
  if (name === undefined) return REDIS_STREAMS;
  requireInstanceName(name, 'streamsTransport()');
  return sharedSymbol(TRANSPORT + name);
}

/** The name in a transport's ID; `null` if it is that of the instance without a name, `undefined` if it is of another transport. */
export function instanceOfTransport(transport: unknown): string | null | undefined {
  if (transport === REDIS_STREAMS) return null;
  const name = sharedSymbolName(transport);
  return name?.startsWith(TRANSPORT) === true ? name.slice(TRANSPORT.length) : undefined;
}

/** A name in the log and in the names of jobs: `ServerRedisStreams:audit`. */
export const withInstanceName = (text: string, name: string | undefined): string =>
  name === undefined ? text : `${text}:${name}`;
