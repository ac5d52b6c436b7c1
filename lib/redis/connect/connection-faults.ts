import type { Redis } from 'ioredis';
import { propertyOf } from '../../errors/thrown.js';
import { cleanCause, errorText, hideSecrets, isRedisReply } from '../server/redis-errors.js';

/** Why a client has no connection. */
export interface ConnectionFault {
  readonly reason: string;
  /** Whether Redis answered, and refused: a wrong password, or a database that does not exist. */
  readonly isRefusal: boolean;
  /** What ioredis reported; undefined if the connection was closed without a word. */
  readonly cause: Error | undefined;
}

const CLOSED: ConnectionFault = {
  reason: 'the connection was closed',
  isRefusal: false,
  cause: undefined,
};

type OnFault = (fault: ConnectionFault) => void;

const latest = new WeakMap<Redis, ConnectionFault>();
/** Who follows a client, and what stops that. */
const followed = new WeakMap<Redis, { readonly by: Set<OnFault>; readonly end: () => void }>();

/** A server that expects TLS says nothing to a client without it, and the other way round. */
const SILENT: ConnectionFault = {
  reason:
    'nothing has answered yet. Is it Redis, and do both sides use TLS (rediss://) or neither?',
  isRefusal: false,
  cause: undefined,
};

/** Why a client has no connection; undefined if it has one, or if nothing is known. */
export const faultOf = (client: Redis): ConnectionFault | undefined =>
  latest.get(client) ?? (isConnecting(client) ? SILENT : undefined);

const isConnecting = ({ status }: Redis): boolean =>
  status === 'connecting' || status === 'connect';

/**
 * Records why a client has no connection, from now on. Without a listener, ioredis would print every error.
 *
 * @param onFault called with each fault that ioredis reports
 * @returns a function that stops that
 */
export function followFaults(client: Redis, onFault: OnFault = () => undefined): () => void {
  let { by, end } = followed.get(client) ?? {};
  if (by === undefined) {
    by = new Set();
    end = listenTo(client, by);
    followed.set(client, { by, end });
  }
  by.add(onFault);
  return () => {
    by.delete(onFault);
    if (by.size > 0) return;
    end?.();
    followed.delete(client);
  };
}

function listenTo(client: Redis, all: ReadonlySet<OnFault>): () => void {
  let sentinelReason: string | undefined;
  const onError = (error: unknown): void => {
    hideSecrets(error);
    ignoreLateErrors(client);
    if (isEcho(error) && latest.has(client)) return;
    const fault = faultFrom(client, error, sentinelReason);
    latest.set(client, fault);
    for (const onFault of all) onFault(fault);
  };
  const listeners = {
    error: onError,
    'node error': onError,
    sentinelError: (error: unknown) => {
      sentinelReason = reasonOfSentinel(client, error);
    },
    close: () => {
      if (!latest.has(client)) latest.set(client, CLOSED);
    },
    ready: () => void latest.delete(client),
  };
  expectListeners(client);
  for (const [event, listener] of Object.entries(listeners)) client.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) client.off(event, listener);
  };
}

/**
 * Keeps a second error of the same socket from ending the process: ioredis listens to the first one only. If a certificate is not
 * trusted, Node closes the socket with that error, and may report what the server answers as another one.
 */
export function ignoreLateErrors({ stream }: Pick<Redis, 'stream'>): void {
  // A cluster has none of its own, and neither has a client that has not connected yet.
  const socket: Redis['stream'] | undefined = stream;
  if (socket?.listeners('error').includes(ignore) === false) socket.on('error', ignore);
}

const ignore = (): void => undefined;

/** The parts of a server listen to the same connection, and your own may have several servers. Node warns beyond ten. */
const MANY = 100;

function expectListeners(client: Redis): void {
  const most = client.getMaxListeners();
  if (most > 0 && most < MANY) client.setMaxListeners(MANY);
}

/** ioredis goes on for a moment with a connection that is being closed: the error before this one has the reason. */
const isEcho = (error: unknown): boolean =>
  /Stream isn't writeable|Connection is closed/.test(errorText(error));

/** ioredis emits this error after each round in which no sentinel helped, and starts the next round. */
const ROUND_FAILED = 'All sentinels are unreachable';
const UNKNOWN_PRIMARY = / sentinel (\S+) .*(?:No such master with that name|invalid reply: null)$/;

/** ioredis keeps asking sentinels within one attempt to connect, without an event that it reconnects. */
export const isAboutSentinels = ({ cause }: ConnectionFault): boolean =>
  cause?.message.startsWith(ROUND_FAILED) === true;

function faultFrom(
  client: Redis,
  error: unknown,
  sentinelReason: string | undefined,
): ConnectionFault {
  const cause = cleanCause(error);
  const isRound = cause.message.startsWith(ROUND_FAILED);
  const reason = isRound && sentinelReason !== undefined ? sentinelReason : errorText(error);
  const database = isRefusedDatabase(error) ? `database ${client.options.db}: ` : '';
  return {
    reason: database + reason.replace(/\.$/, ''),
    isRefusal: isRefusedHandshake(error),
    cause,
  };
}

/** ioredis reports why sentinels gave no answer apart from its errors. */
function reasonOfSentinel(client: Redis, error: unknown): string {
  const [, sentinel] = UNKNOWN_PRIMARY.exec(errorText(error)) ?? [];
  return sentinel === undefined
    ? errorText(error)
    : `sentinel ${sentinel} knows no primary "${client.options.name ?? ''}"`;
}

const isRefusedHandshake = (error: unknown): boolean =>
  isRedisReply(error) || /^Ready check failed: [A-Z]+ /.test(errorText(error));

/** Redis refused to use the database of the `connection` option. ioredis would go on with database 0. */
export const isRefusedDatabase = (error: unknown): boolean =>
  isRedisReply(error) && propertyOf(propertyOf(error, 'command'), 'name') === 'select';
