import { withRedis } from '../measure/bench-redis.js';
import { roundsOf } from '../measure/rounds-of.js';
import { Team } from '../measure/team.js';
import { startOver, writeMessages } from '../messages/waiting-messages.js';
import { figure, ratio } from '../report/figure.js';
import type { Scenario } from './scenario.js';

const MANY = 4;
const WORK_MS = 0.2;

/** What more processes gain if the handlers' work is the limit, and Redis is not. */
export const processes: Scenario = {
  key: 'processes',
  seconds: 45,
  quickSeconds: 5,
  run: ({ size, onProgress }) =>
    withRedis(async ({ url, client }) => {
      const messages = size.working;
      await writeMessages(client, messages);
      const task = { redisUrl: url, messages, rounds: roundsOf(WORK_MS) };
      const teams = [Team.start('working-ours', 1), Team.start('working-ours', MANY)] as const;
      const rates: [number[], number[]] = [[], []];
      const rounds = size.warmUps + size.runs;
      try {
        for (let round = 0; round < rounds; round++) {
          for (const [n, team] of teams.entries()) {
            onProgress((round + n / teams.length) / rounds);
            await startOver(client);
            const rate = messages / (await team.run(task));
            if (round >= size.warmUps) rates[n]?.push(rate);
          }
        }
      } finally {
        await Promise.all(teams.map((team) => team.end()));
      }
      return {
        title: `Handler of ${WORK_MS} ms of work: ${MANY} processes compared with 1, ${messages} messages`,
        figures: [
          figure('1 process', 'per second', rates[0]),
          figure(`${MANY} processes`, 'per second', rates[1]),
          ratio('ratio', rates[1], rates[0]),
        ],
      };
    }),
};
