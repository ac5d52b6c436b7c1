import { withRedis, type BenchRedis } from '../measure/bench-redis.js';
import { Contender } from '../measure/contender.js';
import { column, inTurn, type Side } from '../measure/in-turn.js';
import { fillLedger } from '../messages/filled-ledger.js';
import { replaceMessages, startOver } from '../messages/waiting-messages.js';
import { LEDGER } from '../bench-stream.js';
import { figure, ratio } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** How much of the time is spent on creating the long ledger. */
const FILLING = 0.5;

/** Whether a group with a week of history is slower than a new one. */
export const ledger: Scenario = {
  key: 'ledger',
  seconds: 330,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis((empty) =>
      withRedis(async (full) => {
        await startOver(full.client);
        const before = await usedMemory(full);
        await withMaintenance(full, (maintain) =>
          fillLedger(full.client, LEDGER, size.ledger, maintain, (share) =>
            onProgress(share * FILLING),
          ),
        );
        const bytes = ((await usedMemory(full)) - before) / size.ledger;
        const messages = size.drain;
        const side = ({ url, client }: BenchRedis, begin: () => Promise<unknown>): Side => ({
          worker: 'drain-ours',
          task: { redisUrl: url, messages },
          prepare: async () => {
            await begin();
            await replaceMessages(client, messages);
          },
        });
        const measured = await inTurn({
          sides: {
            empty: side(empty, () => startOver(empty.client)),
            full: side(full, () => Promise.resolve()),
          },
          size,
          ...size.long,
          onProgress: (share) => onProgress(FILLING + share * (1 - FILLING)),
        });
        const [inEmpty, inFull] = [column(measured.empty, 0), column(measured.full, 0)];
        return {
          title: `Drain of ${messages} with a ledger of ${size.ledger} messages`,
          figures: [
            figure('empty ledger', 'per second', inEmpty),
            figure('full ledger', 'per second', inFull),
            ratio('full / empty', inFull, inEmpty, { atLeast: 0.85 }),
            figure('bytes in Redis for each', 'count', [bytes], { atMost: 40 }),
          ],
        };
      }),
    ),
};

/** Lets `action` bring the ledger into the form in which the library keeps it. */
async function withMaintenance(
  { url }: BenchRedis,
  action: (maintain: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const maintenance = Contender.start('ledger-maintenance');
  try {
    await action(async () => void (await maintenance.run({ redisUrl: url, messages: 0 })));
  } finally {
    await maintenance.end();
  }
}

async function usedMemory({ client }: BenchRedis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
}
