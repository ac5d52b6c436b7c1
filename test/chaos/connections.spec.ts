import { setTimeout as delay } from 'node:timers/promises';
import { describe } from '@jest/globals';
import { jobKey } from '../../lib/wire/stream-keys.js';
import { commitScript } from '../../lib/redis/scripts/settle/commit.script.js';
import { deadLetterScript } from '../../lib/redis/scripts/settle/dead-letter.script.js';
import { takeDueEntriesScript } from '../../lib/redis/scripts/reserve/take-due-entries.script.js';
import { ensureGroupScript } from '../../lib/redis/scripts/reserve/ensure-group.script.js';
import { handOverScript } from '../../lib/redis/scripts/settle/hand-over.script.js';
import { purgeLedgerScript } from '../../lib/redis/scripts/ledger/purge.script.js';
import { putBackScript } from '../../lib/redis/scripts/settle/put-back.script.js';
import { recoverScript } from '../../lib/redis/scripts/reserve/recover.script.js';
import { releaseJobScript } from '../../lib/redis/scripts/admin/job-right.script.js';
import { removeConsumerScript } from '../../lib/redis/scripts/admin/remove-consumer.script.js';
import { renewScript } from '../../lib/redis/scripts/reserve/renew.script.js';
import { reserveWithoutLedgerScript } from '../../lib/redis/scripts/reserve/reserve-without-ledger.script.js';
import { reserveScript } from '../../lib/redis/scripts/reserve/reserve.script.js';
import { resumeScript } from '../../lib/redis/scripts/reserve/resume.script.js';
import { scheduleRetryScript } from '../../lib/redis/scripts/settle/schedule-retry.script.js';
import { trimStreamScript } from '../../lib/redis/scripts/admin/trim-stream.script.js';
import { ownRedis } from '../support/own-redis.js';
import { redisForTests } from '../support/redis-for-tests.js';
import { waitFor } from '../support/wait-for.js';
import type { ChaosRun } from './support/chaos-run.js';
import {
  type Caught,
  type CaughtAt,
  type Match,
  named,
  runsScript,
} from './support/command-proxy.js';
import type { Bound } from './support/counts.js';
import { inTime } from './support/in-time.js';
import { scenarios } from './support/scenario.js';
import type { Work } from './support/work.js';

const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;

const SIDES: readonly CaughtAt[] = ['request', 'reply'];
const MAX_ATTEMPTS = 2;

withProcess('a connection that is reset', () => {
  const scenario = scenarios(redisForTests({ args: [] }));
  const promises =
    '2: a connection that is back within a lease is no exception. 3: any script may be sent twice';

  /** One message of each kind: handled at once, after a failure, after long, never. */
  const works = (chaos: ChaosRun): Work[] => [
    { workMs: chaos.random.whole(0, 5) },
    { fails: 1 },
    { workMs: chaos.random.whole(350, 700) },
    { fails: MAX_ATTEMPTS },
  ];

  const options = {
    concurrency: 20,
    retry: { maxAttempts: MAX_ATTEMPTS, backoff: { type: 'fixed', delayMs: 50, jitter: 0 } },
  } as const;

  const SCRIPTS: Record<string, Match> = {
    XREADGROUP: named('xreadgroup'),
    reserve: runsScript(reserveScript),
    commit: runsScript(commitScript),
    'schedule-retry': runsScript(scheduleRetryScript),
    'due-entries': runsScript(takeDueEntriesScript),
    'dead-letter': runsScript(deadLetterScript),
    renew: runsScript(renewScript),
    resume: runsScript(resumeScript),
    recover: runsScript(recoverScript),
  };
  const { reserve: _, ...WITHOUT_RESERVE } = SCRIPTS;

  async function resetAtEach(
    chaos: ChaosRun,
    at: CaughtAt,
    commands: Record<string, Match>,
    subscription: { dedup?: false } = {},
  ): Promise<Bound> {
    const [consumer] = await chaos.readyConsumers(1, { options: { ...options, ...subscription } });
    const resets = async (): Promise<void> => {
      for (const [name, matches] of chaos.random.shuffled(Object.entries(commands))) {
        const caught = inTime(consumer!.proxy.catchOnce(at, matches), name);
        // These look for what a lost connection has left.
        if (['resume', 'recover'].includes(name)) consumer!.proxy.resetAll();
        (await caught).reset();
      }
    };
    await chaos.addDuring(resets(), () => works(chaos));
    await chaos.drain({ fresh: 0 });
    return { dead: chaos.failing(MAX_ATTEMPTS) };
  }

  for (const [at, when] of [
    ['request', 'before'],
    ['reply', 'after'],
  ] as const) {
    scenario(
      `${when} Redis has each read and each script of a running consumer`,
      { promises },
      (chaos) => resetAtEach(chaos, at, SCRIPTS),
    );

    scenario(
      `${when} Redis has each of them, without a ledger`,
      { promises: `${promises}. Without a ledger pending ownership alone fences` },
      (chaos) => resetAtEach(chaos, at, WITHOUT_RESERVE, { dedup: false }),
    );
  }

  scenario('while a consumer starts, and while it closes', { promises }, async (chaos) => {
    await chaos.add(200, () => ({ workMs: 20 }));
    for (const at of SIDES) {
      const consumer = await chaos.consumer();
      const { proxy } = consumer;
      for (const script of [ensureGroupScript, resumeScript, recoverScript]) {
        (await inTime(proxy.catchOnce(at, runsScript(script)), `start, ${at}`)).reset();
      }
      await consumer.ready();
      await waitFor(async () => (await consumer.runs()).length > 10, { timeoutMs: 15_000 });
      const caught: Promise<Caught>[] = [handOverScript, removeConsumerScript].map((script) =>
        inTime(proxy.catchOnce(at, runsScript(script)), `close, ${at}`),
      );
      const closed = consumer.close();
      for (const each of caught) (await each).reset();
      await closed;
    }
    await chaos.drain();
    return {};
  });

  for (const [suffix, dedup] of [
    ['', {}],
    [', without a ledger', { dedup: false }],
  ] as const) {
    const script = suffix === '' ? reserveScript : reserveWithoutLedgerScript;
    scenario(
      `around the reserve and the dead letters of at-most-once${suffix}`,
      { promises },
      async (chaos) => {
        const [consumer] = await chaos.readyConsumers(1, {
          options: { delivery: 'at-most-once', concurrency: 5, ...dedup },
        });
        const resets = async (): Promise<void> => {
          for (const at of SIDES) {
            for (const each of [script, deadLetterScript, script]) {
              (await inTime(consumer!.proxy.catchOnce(at, runsScript(each)), at)).reset();
            }
          }
        };
        await chaos.addDuring(resets(), () => [{ workMs: 5 }, { fails: 1 }, { workMs: 5 }]);
        // All of it is acknowledged long before it is handled.
        await waitFor(async () => {
          const [handled, dead] = await Promise.all([chaos.handled(), chaos.deadLetters()]);
          return handled.size + dead.length >= chaos.published.size;
        });
        await chaos.drain({ fresh: 0 });
        return { dead: chaos.failing(1) };
      },
    );
  }

  scenario('around what at-most-once puts back as it closes', { promises }, async (chaos) => {
    const atMostOnce = { options: { delivery: 'at-most-once', concurrency: 5 } } as const;
    for (const at of SIDES) {
      await chaos.add(200, () => ({ workMs: 40 }));
      const [consumer] = await chaos.readyConsumers(1, atMostOnce);
      await waitFor(async () => (await consumer!.runs()).length > 10, { timeoutMs: 15_000 });
      // What is put back goes to another member at once, and is not taken from it when the call comes again.
      const [other] = await chaos.readyConsumers(1, atMostOnce);
      const caught = inTime(consumer!.proxy.catchOnce(at, runsScript(putBackScript)), at);
      const closed = consumer!.close();
      (await caught).reset();
      await closed;
      await other!.close();
    }
    await chaos.readyConsumers(1, atMostOnce);
    await waitFor(async () => (await chaos.handled()).size === chaos.published.size, {
      timeoutMs: 15_000,
    });
    await chaos.drain({ fresh: 0 });
    return {};
  });

  scenario(
    'around the jobs that keep ledgers and streams small',
    { promises: `${promises}. 10: retention never eats what is unread` },
    async (chaos) => {
      const ledgerJob = jobKey('', chaos.stream, 'ledger', chaos.group);
      const retentionJob = jobKey('', chaos.stream, 'retention');
      const [consumer] = await chaos.readyConsumers(1, {
        options: {
          ...options,
          maintenance: { ledgerIntervalMs: 1_000, retentionIntervalMs: 1_000 },
          streams: { [chaos.stream]: { retention: { maxLength: 10 } } },
        },
      });
      const resets = async (): Promise<void> => {
        for (const at of SIDES) {
          for (const script of [purgeLedgerScript, trimStreamScript, releaseJobScript]) {
            (await inTime(consumer!.proxy.catchOnce(at, runsScript(script)), at)).reset();
            // Otherwise no other run could start before the lock of the interrupted one expires.
            await chaos.redis.del(ledgerJob, retentionJob);
          }
        }
      };
      await chaos.addDuring(resets(), () => works(chaos));
      await chaos.drain({ fresh: 0 });
      return { dead: chaos.failing(MAX_ATTEMPTS) };
    },
  );

  scenario(
    'before and after Redis has what a client publishes',
    {
      promises: '12: an error says that it may have arrived, and the same ID makes it one message',
    },
    async (chaos) => {
      await chaos.readyConsumers(1);
      const proxy = await chaos.proxy();
      const publisher = chaos.publisher(proxy.url);
      const publishes: Match = (command) => command.includes(chaos.stream);
      publisher.begin(2);
      for (let round = 0; round < 10; round++) {
        const skipped = chaos.random.whole(0, 20);
        let seen = 0;
        const caught = proxy.catchOnce(
          SIDES[round % 2] ?? 'reply',
          (command) => publishes(command) && ++seen > skipped,
        );
        (await inTime(caught, 'publish')).reset();
      }
      await publisher.stop();
      await chaos.drain({ fresh: 0 });
      return {};
    },
  );

  scenario(
    'by CLIENT KILL, or all of them at once, again and again',
    { promises },
    async (chaos) => {
      const { random } = chaos;
      const consumers = await chaos.readyConsumers(3, { options });
      const breaks = async (): Promise<void> => {
        for (let round = 0; round < 12; round++) {
          await delay(random.whole(0, 150));
          if (round % 3 === 0) await chaos.redis.call('CLIENT', 'KILL', 'TYPE', 'normal');
          else random.pick(consumers).proxy.resetAll();
        }
      };
      await chaos.addDuring(breaks(), () => works(chaos));
      await chaos.drain({ fresh: 0 });
      return { dead: chaos.failing(MAX_ATTEMPTS) };
    },
  );
});
