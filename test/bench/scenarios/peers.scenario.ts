import { withRedis } from '../measure/bench-redis.js';
import { column, inTurn, type Side } from '../measure/in-turn.js';
import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { installedPeer, pinnedVersion } from '../measure/installed-peers.js';
import { figure, ratio } from '../report/figure.js';
import type { Scenario } from './scenario.js';

/** Waiting messages in a stream, compared with waiting jobs in a queue. */
const drain: Scenario = {
  key: 'peers-drain',
  seconds: 180,
  quickSeconds: 20,
  run: async ({ size, onProgress }) => {
    const worker = await installedPeer('bullmq');
    const version = await pinnedVersion('bullmq', 'bullmq');
    return withRedis((streams) =>
      withRedis(async (jobs) => {
        const messages = size.drain;
        await writeMessages(streams.client, messages);
        const measured = await inTurn({
          sides: {
            bullmq: {
              worker,
              task: { redisUrl: jobs.url, messages: size.peerDrain, what: 'drain' },
              prepare: () => jobs.client.flushall(),
            },
            ours: {
              worker: 'drain-ours',
              task: { redisUrl: streams.url, messages },
              prepare: () => startOver(streams.client),
            },
          },
          size,
          ...size.long,
          onProgress,
        });
        const [bullmq, ours] = [column(measured.bullmq, 0), column(measured.ours, 0)];
        return {
          title: `Drain of ${messages} compared with a BullMQ ${version} worker, concurrency 100, with ${size.peerDrain} jobs`,
          figures: [
            figure(`BullMQ ${version}`, 'per second', bullmq),
            figure('nestjs-redis-streams', 'per second', ours),
            ratio('ratio', ours, bullmq, { atLeast: 8 }),
          ],
        };
      }),
    );
  },
};

/** One process that publishes and handles its own messages, with each package that a Nest user could take instead. */
const publishAndConsume: Scenario = {
  key: 'peers-publish',
  seconds: 150,
  quickSeconds: 30,
  run: async ({ size, onProgress }) => {
    const [bullmq, deNovo, moleculer] = [
      await installedPeer('bullmq'),
      await installedPeer('de-novo'),
      await installedPeer('moleculer'),
    ];
    const versions = {
      bullmq: `BullMQ ${await pinnedVersion('bullmq', 'bullmq')}, Nest`,
      deNovo: `@de-novo/… ${await pinnedVersion('de-novo', '@de-novo/nestjs-redis-streams')}`,
      moleculer: `@moleculer/channels ${await pinnedVersion('moleculer', '@moleculer/channels')}`,
    };
    return withRedis(async ({ url, client }) => {
      const messages = size.publishAndConsume;
      const side = (worker: string | URL): Side => ({
        worker,
        task: { redisUrl: url, messages, what: 'publish' },
        prepare: () => client.flushall(),
      });
      const measured = await inTurn({
        sides: {
          ours: side('publish-ours'),
          nest: side('publish-nest'),
          deNovo: side(deNovo),
          bullmq: side(bullmq),
          moleculer: side(moleculer),
        },
        size,
        onProgress,
      });
      const ours = measured.ours.flat();
      return {
        title: `Publish ${messages}, 50 at a time, and consume, compared with others`,
        figures: [
          figure('nestjs-redis-streams', 'per second', ours),
          figure("Nest's Redis pub/sub", 'per second', measured.nest.flat()),
          figure(versions.deNovo, 'per second', measured.deNovo.flat()),
          figure(versions.bullmq, 'per second', measured.bullmq.flat()),
          figure(versions.moleculer, 'per second', measured.moleculer.flat()),
          ratio("ours / Nest's pub/sub", ours, measured.nest.flat(), { atLeast: 1.4 }),
          ratio('ours / @de-novo', ours, measured.deNovo.flat()),
          ratio('ours / BullMQ', ours, measured.bullmq.flat()),
          ratio('ours / @moleculer', ours, measured.moleculer.flat()),
        ],
      };
    });
  },
};

/** The scenarios with packages that are installed for them. */
export const PEERS: readonly Scenario[] = [drain, publishAndConsume];
