import { setTimeout as delay } from 'node:timers/promises';
import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { UnsupportedServerError } from '../../errors/redis.errors.js';
import { mastersOf } from '../connect/cluster-client.js';
import { reconnectDelayMs } from '../connect/reconnect-delay.js';
import { askServerFacts } from './server-facts.js';
import * as text from './server-facts.messages.js';
import { type ServerVerdict, verdictOn } from './server-facts.verdict.js';

/**
 * Finds out what the server is, says in the log what matters of it, and looks again after each reconnect: another server
 * may answer then. Each thing is said once, until it changes.
 *
 * A replica is an error that may pass, since a failover may be under way: it is waited for until it is a primary.
 *
 * @param signal ends the watch
 * @throws UnsupportedServerError where it lacks what is needed; the signal's reason where that comes first
 */
export async function watchServer(
  client: Redis,
  logger: LoggerService,
  signal: AbortSignal,
): Promise<void> {
  const said = new Map<keyof ServerVerdict, string | undefined>();
  const say = (
    about: keyof ServerVerdict,
    level: 'log' | 'warn' | 'error' | 'debug',
    words: string | undefined,
  ): void => {
    if (words !== undefined && said.get(about) !== words) logger[level]?.(words);
    said.set(about, words);
  };
  const look = async (): Promise<ServerVerdict> => {
    const verdict = await worstVerdict(client);
    say('is', 'log', verdict.is);
    say('notKnown', 'debug', verdict.notKnown);
    say('unfit', 'error', verdict.unfit);
    say('warning', 'warn', verdict.warning);
    if (!verdict.isReplica && said.get('isReplica') !== undefined) logger.log(text.IS_PRIMARY_NOW);
    say('isReplica', 'error', verdict.isReplica ? text.IS_REPLICA : undefined);
    return verdict;
  };
  const untilPrimary = async (): Promise<ServerVerdict> => {
    for (let attempt = 1; ; attempt++) {
      const verdict = await look();
      if (!verdict.isReplica) return verdict;
      await delay(reconnectDelayMs(attempt), undefined, { signal });
    }
  };

  try {
    const { unfit } = await untilPrimary();
    if (unfit !== undefined) throw new UnsupportedServerError(unfit);
    signal.throwIfAborted();
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
  let watching: Promise<unknown> | undefined;
  const onReady = (): void => {
    // Where the connection breaks again, the next one asks again.
    watching ??= untilPrimary()
      .catch(() => undefined)
      .finally(() => {
        watching = undefined;
      });
  };
  client.on('ready', onReady);
  signal.addEventListener('abort', () => client.off('ready', onReady), { once: true });
}

/** On a server, or of all masters of a cluster on the one of which there is most to say. */
async function worstVerdict(client: Redis): Promise<ServerVerdict> {
  const facts = await Promise.all(mastersOf(client).map((node) => askServerFacts(node)));
  const verdicts = facts.map((its) => verdictOn(its));
  const [first] = verdicts;
  if (first === undefined) throw new Error(text.NO_MASTER);
  if (!client.isCluster) return first;
  const worst =
    verdicts.find(({ unfit }) => unfit !== undefined) ??
    verdicts.find(({ warning }) => warning !== undefined) ??
    first;
  // One that has just become a replica sends us on.
  return { ...worst, isReplica: false };
}
