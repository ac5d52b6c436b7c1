import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

/** Where a Redis listens. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly tls?: boolean | undefined;
}

/** What a Redis that answers tells of itself; both are unknown where it wants a password first. */
export interface RedisAnswer {
  readonly processId: number | undefined;
  readonly version: string | undefined;
}

const POLL_MS = 20;
const ANSWER_WITHIN_MS = 1_000;

/** Which answer is waited for. */
export interface AnswerWanted {
  /** Whether there is no use in asking on. */
  readonly giveUp?: () => boolean;
  /** Whether it is the right server that answered. */
  readonly accept?: (answer: RedisAnswer) => boolean;
}

/**
 * Asks again and again until a Redis answers `PING`; `undefined` when the time is over before. One that is loading its
 * files is asked again.
 */
export async function answerOf(
  address: RedisAddress,
  timeoutMs: number,
  { giveUp = () => false, accept = () => true }: AnswerWanted = {},
): Promise<RedisAnswer | undefined> {
  const deadline = performance.now() + timeoutMs;
  while (!giveUp() && performance.now() < deadline) {
    const answer = parseAnswer(await ask(address));
    if (answer !== undefined && accept(answer)) {
      return answer;
    }
    await delay(POLL_MS);
  }
  return undefined;
}

/** The replies to `PING` and `INFO server` as they come over the wire; `''` where nothing listens. */
async function ask(address: RedisAddress): Promise<string> {
  const socket = open(address);
  let replies = '';
  socket.setEncoding('utf8').setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
  socket.on('data', (chunk: string) => (replies += chunk));
  // Refused or reset: `close` follows, and what came before counts.
  socket.on('error', () => undefined);
  // `QUIT` makes the server close the connection, which is where the replies end.
  socket.write('PING\r\nINFO server\r\nQUIT\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  return replies;
}

function open({ host, port, tls }: RedisAddress): Socket {
  // Nothing secret is sent, and whether the certificate can be trusted is for the client to say that comes later.
  return tls ? connectTls({ host, port, rejectUnauthorized: false }) : connectPlain({ host, port });
}

function parseAnswer(replies: string): RedisAnswer | undefined {
  if (!replies.startsWith('+PONG') && !replies.startsWith('-NOAUTH')) {
    return undefined;
  }
  const processId = /^process_id:(\d+)/m.exec(replies)?.[1];
  return {
    processId: processId === undefined ? undefined : Number(processId),
    version: /^redis_version:(\S+)/m.exec(replies)?.[1],
  };
}
