import { compareEntryIds } from '../../wire/ids.js';
import { ledgerSize } from '../../redis/read/own-records.js';
import { resetGroupScript } from '../../redis/scripts/admin/reset-group.script.js';
import { streamKeys } from '../../wire/stream-keys.js';
import { confirm } from '../output/terminal.js';
import { visible } from '../output/text.js';
import { groupOf, knownLag } from '../reading/group-rows.js';
import { streamOf } from '../reading/streams.js';
import { onGroup } from '../session.js';

interface Flags {
  readonly to: string;
  readonly forgetLedger?: boolean;
}

interface Reset {
  readonly stream: string;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly pending: number;
  readonly ledger: number;
  readonly forget: boolean;
  readonly isForward: boolean;
  /** How many undelivered entries the group will never get, if that is known. */
  readonly skipped: number | undefined;
}

export const resetGroup = onGroup(
  async (session, stream, group, { to, forgetLedger = false }: Flags) => {
    const { client, prefix } = session;
    const keys = streamKeys(prefix, stream, group);
    const info = await streamOf(session, stream);
    const found = await groupOf(session, stream, group);
    const { lastDeliveredId: from, pending } = found;
    const { all: ledger } = await ledgerSize(client, keys);
    const reset: Reset = {
      stream,
      group,
      from,
      to: to === '$' ? info.lastGeneratedId : to,
      pending,
      ledger,
      forget: forgetLedger,
      isForward: to === '$' || (to !== '0' && compareEntryIds(to, from) > 0),
      skipped: to === '$' ? knownLag(info, found) : undefined,
    };
    await confirm(questionOf(reset), session.yes);
    const after = await resetGroupScript.run(
      client,
      [keys.stream, keys.position, keys.madeBlindly, keys.ledger, keys.packedLedger],
      [group, to, forgetLedger ? 1 : 0],
    );
    session.answer(
      { stream, group, from, after, pending, ledger: forgetLedger ? 0 : ledger },
      () => `Group "${visible(group)}" continues after ${after}.`,
    );
  },
);

function questionOf(reset: Reset): string {
  const { stream, group, from, to, pending, ledger, forget, isForward, skipped } = reset;
  const sentences = [`Group "${group}" of stream "${stream}" is at ${from} and is moved to ${to}.`];
  if (isForward && skipped !== 0) {
    const count = skipped === undefined ? '' : `: ${skipped} entries`;
    sentences.push(`It never gets the entries between${count}.`);
  }
  if (ledger === 0) {
    sentences.push('Its ledger is empty: entries that it meets again are run again.');
  } else if (forget) {
    sentences.push(
      `Its ledger of ${ledger} message IDs is emptied: entries that it meets again are run again.`,
    );
  } else {
    sentences.push(`Its ledger has ${ledger} message IDs: those are not run again.`);
  }
  if (pending > 0) sentences.push(`${pending} entries stay pending.`);
  return [...sentences, 'Continue?'].join(' ');
}
