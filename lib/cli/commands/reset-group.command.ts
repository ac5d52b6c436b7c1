import type { Command } from 'commander';
import { streamKeys } from '../../wire/stream-keys.js';
import { compareEntryIds } from '../../wire/ids.js';
import { ledgerSize } from '../../redis/read/ledger-size.js';
import { resetGroupScript } from '../../redis/scripts/admin/reset-group.script.js';
import { parseEntryId } from '../arguments.js';
import { confirm } from '../output/confirm.js';
import { visible } from '../output/visible.js';
import { groupOf } from '../reading/group-rows.js';
import { knownLag } from '../reading/known-lag.js';
import { streamOf } from '../reading/streams-of.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

interface Flags {
  readonly to: string;
  readonly forgetLedger?: boolean;
}

const ENDS: Record<string, string> = { beginning: '0', latest: '$' };

export function resetGroupCommand(program: Command): void {
  program
    .command('reset-group')
    .summary('set a group back, or have it skip')
    .description(text.RESET)
    .argument('<stream>', "the stream's name, without --prefix")
    .argument('<group>', 'the consumer group')
    .requiredOption(
      '--to <place>',
      'beginning, latest, or the ID of the entry after which it goes on',
      (given: string) => ENDS[given] ?? parseEntryId(given),
    )
    .option('--forget-ledger', 'empty the ledger, so that what it meets again is run again')
    .addHelpText('after', text.example('reset-group orders billing --to 1729768245123-0'))
    .action((stream: string, group: string, flags: Flags, command: Command) =>
      Session.with(command, (session) => resetGroup(session, stream, group, flags)),
    );
}

async function resetGroup(
  session: Session,
  stream: string,
  group: string,
  { to, forgetLedger = false }: Flags,
): Promise<void> {
  const { client, prefix } = session;
  const keys = streamKeys(prefix, stream, group);
  const info = await streamOf(session, stream);
  const its = await groupOf(session, stream, group);
  const { all: ledger } = await ledgerSize(client, keys);
  const isForward = to === '$' || (to !== '0' && compareEntryIds(to, its.lastDeliveredId) > 0);
  await confirm(
    text.resetQuestion({
      stream,
      group,
      from: its.lastDeliveredId,
      to: to === '$' ? info.lastGeneratedId : to,
      pending: its.pending,
      ledger,
      forget: forgetLedger,
      isForward,
      skipped: to === '$' ? knownLag(info, its) : undefined,
    }),
    session.yes,
  );
  const after = await resetGroupScript.run(
    client,
    [keys.stream, keys.position, keys.madeBlindly, keys.ledger, keys.packedLedger],
    [group, to, forgetLedger ? 1 : 0],
  );
  session.answer(
    {
      stream,
      group,
      from: its.lastDeliveredId,
      after,
      pending: its.pending,
      ledger: forgetLedger ? 0 : ledger,
    },
    () => text.reset(visible(group), after),
  );
}
