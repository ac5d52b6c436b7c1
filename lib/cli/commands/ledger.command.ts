import type { Command } from 'commander';
import { streamKeys } from '../../wire/stream-keys.js';
import { ledgerSize } from '../../redis/read/ledger-size.js';
import { forgetMessagesScript } from '../../redis/scripts/ledger/forget-messages.script.js';
import { timeText } from '../output/age.js';
import { openBar } from '../output/bar.js';
import { confirm } from '../output/confirm.js';
import { groupOf } from '../reading/group-rows.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

/** How many message IDs one command removes: Redis serves nobody else meanwhile. */
const STEP = 200;

export function ledgerCommand(program: Command): void {
  const ledger = program
    .command('ledger')
    .summary('the message IDs that a group has processed: size, forget')
    .description(text.LEDGER);
  const command = (name: string, summary: string): Command =>
    ledger
      .command(name)
      .summary(summary)
      .argument('<stream>', "the stream's name, without --prefix")
      .argument('<group>', 'the consumer group');
  sizeCommand(command('size', 'how many there are'));
  forgetCommand(command('forget', 'take some out'));
}

function sizeCommand(command: Command): void {
  command
    .description(text.LEDGER_SIZE)
    .addHelpText('after', text.example('ledger size orders billing'))
    .action((stream: string, group: string, _flags: unknown, self: Command) =>
      Session.with(self, async (session) => {
        const { client, prefix } = session;
        const keys = streamKeys(prefix, stream, group);
        const { ledger, leases } = keys;
        const [{ all: size, packed }, oldest, newest, leased] = await Promise.all([
          ledgerSize(client, keys),
          client.zrange(ledger, 0, '0', 'WITHSCORES'),
          client.zrange(ledger, -1, '-1', 'WITHSCORES'),
          client.hlen(leases),
        ]);
        // It outlives its stream; what has neither is most often misspelt.
        if (size === 0) await groupOf(session, stream, group);
        const its = {
          size,
          packed,
          // When those are from that are packed, nobody knows without a look at all of them.
          oldest: packed > 0 || oldest[1] === undefined ? undefined : timeText(Number(oldest[1])),
          newest: newest[1] === undefined ? undefined : timeText(Number(newest[1])),
          leases: leased,
        };
        session.rows(
          [its],
          [
            { head: 'message IDs', cell: (row) => row.size, right: true },
            { head: 'packed', cell: (row) => row.packed, right: true },
            { head: 'oldest', cell: (row) => row.oldest },
            { head: 'newest', cell: (row) => row.newest },
            { head: 'leases', cell: (row) => row.leases, right: true },
          ],
          '',
        );
      }),
    );
}

function forgetCommand(command: Command): void {
  command
    .description(text.LEDGER_FORGET)
    .argument('<messageIds...>', 'the IDs of messages')
    .addHelpText('after', text.example('ledger forget orders billing order-7 order-8'))
    .action((stream: string, group: string, ids: string[], _flags: unknown, self: Command) =>
      Session.with(self, async (session) => {
        const { client, prefix } = session;
        const { ledger, packedLedger } = streamKeys(prefix, stream, group);
        if ((await client.exists(ledger, packedLedger)) === 0)
          await groupOf(session, stream, group);
        await confirm(text.forgetQuestion(ids.length, stream, group), session.yes);
        const bar = openBar('Forgetting', ids.length);
        let forgotten = 0;
        for (let at = 0; at < ids.length; at += STEP) {
          const some = ids.slice(at, at + STEP);
          forgotten += await forgetMessagesScript.run(client, [ledger, packedLedger], some);
          bar.to(at + some.length);
        }
        bar.end();
        session.answer({ forgotten, asked: ids.length }, () =>
          text.forgotten(forgotten, ids.length),
        );
      }),
    );
}
