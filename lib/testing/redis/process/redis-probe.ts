import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { RedisStartError } from '../started-redis.js';

/** Where a Redis listens. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls?: boolean | undefined;
}

/** What an answering Redis reports about itself; both are unknown if it needs a password. */
interface RedisAnswer {
  readonly processId: number | undefined;
  readonly version: string | undefined;
}

const POLL_MS = 20;
const ANSWER_WITHIN_MS = 1_000;
const MINIMUM = { major: 6, minor: 2 };

/**
 * Asks a Redis again and again until it answers `PING`. While it loads its files, it is asked again.
 *
 * @returns undefined if there is no answer in time
 */
export async function answerOf(
  address: RedisAddress,
  timeoutMs: number,
  {
    giveUp = () => false,
    accept = () => true,
  }: {
    /** Whether it is useless to ask again. */
    readonly giveUp?: () => boolean;
    /** Whether the right server answered. */
    readonly accept?: (answer: RedisAnswer) => boolean;
  } = {},
): Promise<RedisAnswer | undefined> {
  const deadline = performance.now() + timeoutMs;
  while (!giveUp() && performance.now() < deadline) {
    const answer = parseAnswer(await ask(address));
    if (answer !== undefined && accept(answer)) return answer;
    await delay(POLL_MS);
  }
  return undefined;
}

/**
 * Refuses a server that is too old for the transport. Valkey reports a Redis version too: the one that it is compatible with.
 * A server that reports none is accepted.
 *
 * @throws {@link RedisStartError} if it is too old
 */
export function requireUsable(version: string | undefined): void {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '')?.map(Number) ?? [];
  if (major === undefined || minor === undefined) return;
  if (major < MINIMUM.major || (major === MINIMUM.major && minor < MINIMUM.minor)) {
    throw new RedisStartError(
      `the server is version ${version}, and ${MINIMUM.major}.${MINIMUM.minor} or newer is needed`,
    );
  }
}

/** The raw replies to `PING` and `INFO server`; `''` if nothing listens. */
async function ask(address: RedisAddress): Promise<string> {
  const socket = open(address);
  let replies = '';
  socket.setEncoding('utf8').setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
  socket.on('data', (chunk: string) => (replies += chunk));
  // If it is refused or reset, `close` follows, and what was received before counts.
  socket.on('error', () => undefined);
  // `QUIT` makes the server close the connection after its replies.
  socket.write('PING\r\nINFO server\r\nQUIT\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  return replies;
}

function open({ host, port, tls }: RedisAddress): Socket {
  // Nothing secret is sent; whether the certificate can be trusted is checked by the client that connects later.
  return tls ? connectTls({ host, port, rejectUnauthorized: false }) : connectPlain({ host, port });
}

function parseAnswer(replies: string): RedisAnswer | undefined {
  if (!replies.startsWith('+PONG') && !replies.startsWith('-NOAUTH')) return undefined;
  const processId = /^process_id:(\d+)/m.exec(replies)?.[1];
  return {
    processId: processId === undefined ? undefined : Number(processId),
    version: /^redis_version:(\S+)/m.exec(replies)?.[1],
  };
}
