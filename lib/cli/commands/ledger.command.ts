import type { Command } from 'commander';
import { importLedgerOver } from '../../jobs/import-ledger.js';
import { ledgerSize } from '../../redis/read/own-records.js';
import { forgetMessagesScript } from '../../redis/scripts/ledger/forget-messages.script.js';
import { streamKeys } from '../../wire/stream-keys.js';
import { timeText } from '../output/text.js';
import { confirm, openBar } from '../output/terminal.js';
import type { Column } from '../output/table.js';
import { groupOf } from '../reading/group-rows.js';
import { onGroup, Session } from '../session.js';

interface LedgerRow {
  readonly size: number;
  readonly packed: number;
  readonly oldest: string | undefined;
  readonly newest: string | undefined;
  readonly leases: number;
}

const COLUMNS: readonly Column<LedgerRow>[] = [
  { head: 'message IDs', cell: ({ size }) => size, right: true },
  { head: 'packed', cell: ({ packed }) => packed, right: true },
  { head: 'oldest', cell: ({ oldest }) => oldest },
  { head: 'newest', cell: ({ newest }) => newest },
  { head: 'leases', cell: ({ leases }) => leases, right: true },
];

/** How many message IDs one script removes: Redis serves nobody else meanwhile. */
const STEP = 200;

export const size = onGroup(async (session, stream, group) => {
  const { client, prefix } = session;
  const keys = streamKeys(prefix, stream, group);
  const [{ all, packed }, [, oldest], [, newest], leases] = await Promise.all([
    ledgerSize(client, keys),
    client.zrange(keys.ledger, 0, '0', 'WITHSCORES'),
    client.zrange(keys.ledger, -1, '-1', 'WITHSCORES'),
    client.hlen(keys.leases),
  ]);
  // A ledger outlives its stream. If there is neither, the name is probably misspelt.
  if (all === 0) await groupOf(session, stream, group);
  const row: LedgerRow = {
    size: all,
    packed,
    // The age of packed IDs is unknown without reading them all.
    oldest: packed > 0 || oldest === undefined ? undefined : timeText(Number(oldest)),
    newest: newest === undefined ? undefined : timeText(Number(newest)),
    leases,
  };
  await session.rows([row], COLUMNS, '');
});

export const forget = (
  stream: string,
  group: string,
  ids: string[],
  _flags: unknown,
  command: Command,
): Promise<void> =>
  Session.with(command, async (session) => {
    const { client, prefix } = session;
    const { ledger, packedLedger } = streamKeys(prefix, stream, group);
    if ((await client.exists(ledger, packedLedger)) === 0) await groupOf(session, stream, group);
    const which = ids.length === 1 ? 'this message' : `these ${ids.length} messages`;
    await confirm(
      `Forget that group "${group}" of stream "${stream}" has processed ${which}?`,
      session.yes,
    );
    const bar = await openBar('Forgetting', ids.length);
    let forgotten = 0;
    for (let at = 0; at < ids.length; at += STEP) {
      const some = ids.slice(at, at + STEP);
      forgotten += await forgetMessagesScript.run(client, [ledger, packedLedger], some);
      bar.to(at + some.length);
    }
    bar.end();
    session.answer(
      { forgotten, asked: ids.length },
      () => `${forgotten} of ${ids.length} message IDs removed from the ledger.`,
    );
  });

interface ImportFlags {
  readonly from?: string;
  readonly window: number;
}

export const importFrom = onGroup<ImportFlags>(async (session, stream, group, flags) => {
  const { client, prefix, codec } = session;
  const bar = await openBar('Importing', 0);
  const result = await importLedgerOver(client, {
    stream,
    group,
    keyPrefix: prefix,
    codec,
    windowMs: flags.window,
    ...(flags.from === undefined ? {} : { from: flags.from }),
    onProgress: ({ done, total }) => bar.to(done, total),
  }).finally(() => bar.end());
  session.answer(result, () => {
    const { imported, known, outside } = result;
    return `${imported} message IDs imported into the ledger. It had ${known} of them already, and ${outside} are older than the window.`;
  });
});
