import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { withRedis } from './bench-redis.js';
import { Contender } from './contender.js';

/** How many messages a second the bare loop handles on this machine, now: the second of two runs. */
export const bareRate = (messages: number): Promise<number> =>
  withRedis(async ({ url, client }) => {
    await writeMessages(client, messages);
    const contender = Contender.start('drain-bare');
    let rate = NaN;
    try {
      for (let run = 0; run < 2; run++) {
        await startOver(client);
        [rate = NaN] = await contender.run({ redisUrl: url, messages });
      }
    } finally {
      await contender.end();
    }
    return Math.round(rate);
  });
