import type { LoggerService } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { UnsupportedServerError } from '../../errors/redis.errors.js';
import { mastersOf } from '../connect/cluster-client.js';
import { reconnectDelayMs } from '../connect/retry-until-done.js';
import {
  askServerFacts,
  IS_PRIMARY_NOW,
  IS_REPLICA,
  type ServerVerdict,
  verdictOn,
} from './server-facts.js';

/**
 * Looks at the server and logs what matters about it, now and after each reconnect, since another server may answer then.
 * Each thing is logged once, until it changes.
 *
 * A replica may be a failover that is under way, so this waits until the server is a primary.
 *
 * @param signal ends the watch
 * @throws UnsupportedServerError if the server lacks what is needed; the signal's reason if it aborts first
 */
export async function watchServer(
  client: Redis,
  logger: LoggerService,
  signal: AbortSignal,
): Promise<void> {
  const logged = new Map<keyof ServerVerdict, string | undefined>();
  const log = (
    about: keyof ServerVerdict,
    level: 'log' | 'warn' | 'error' | 'debug',
    text: string | undefined,
  ): void => {
    if (text !== undefined && logged.get(about) !== text) logger[level]?.(text);
    logged.set(about, text);
  };
  const look = async (): Promise<ServerVerdict> => {
    const verdict = await worstVerdict(client);
    log('is', 'log', verdict.is);
    log('notKnown', 'debug', verdict.notKnown);
    log('unfit', 'error', verdict.unfit);
    log('warning', 'warn', verdict.warning);
    if (!verdict.isReplica && logged.get('isReplica') !== undefined) logger.log(IS_PRIMARY_NOW);
    log('isReplica', 'error', verdict.isReplica ? IS_REPLICA : undefined);
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
    // If the connection breaks meanwhile, the next reconnect looks again.
    watching ??= untilPrimary()
      .catch(() => undefined)
      .finally(() => {
        watching = undefined;
      });
  };
  client.on('ready', onReady);
  signal.addEventListener('abort', () => client.off('ready', onReady), { once: true });
}

/** The verdict on the server; in a cluster, on the master with the most serious one. */
async function worstVerdict(client: Redis): Promise<ServerVerdict> {
  const facts = await Promise.all(mastersOf(client).map((node) => askServerFacts(node)));
  const verdicts = facts.map((each) => verdictOn(each));
  const [first] = verdicts;
  if (first === undefined) throw new Error('no master of the cluster is known');
  if (!client.isCluster) return first;
  const worst =
    verdicts.find(({ unfit }) => unfit !== undefined) ??
    verdicts.find(({ warning }) => warning !== undefined) ??
    first;
  // A master that has just become a replica redirects us, so there is nothing to wait for.
  return { ...worst, isReplica: false };
}
