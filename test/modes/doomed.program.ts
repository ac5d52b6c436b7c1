import type { Doomed } from './doomed-members.js';
import { startMember } from './member.js';
import { modeNamed } from './modes.js';

// Members whose handler never ends for message number 0: for the tests that kill it there.
const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const all = JSON.parse(process.env['DOOMED'] ?? '[]') as Doomed[];

await Promise.all(
  all.map(({ mode, ...place }) =>
    startMember(modeNamed(mode), place, {
      on: async ({ n }) => {
        if (n === 0) {
          say(`${place.group} runs`);
          await new Promise(() => undefined);
        }
        say(`${place.group} handled ${n}`);
        return { n };
      },
    }),
  ),
);
