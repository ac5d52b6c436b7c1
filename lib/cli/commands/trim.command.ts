import type { Command } from 'commander';
import type { Redis } from 'ioredis';
import { streamKey } from '../../wire/stream-keys.js';
import { trimStreamScript } from '../../redis/scripts/admin/trim-stream.script.js';
import { collect, parseSpan, wholeNumber } from '../arguments.js';
import { UsageError } from '../cli.error.js';
import { openBar } from '../output/bar.js';
import { confirm } from '../output/confirm.js';
import { visible } from '../output/visible.js';
import { wrapped } from '../output/wrapped.js';
import { previewTrim, type TrimLimits, type TrimPlan } from '../reading/preview-trim.js';
import { streamOf } from '../reading/streams-of.js';
import { Session } from '../session.js';
import * as text from './commands.messages.js';

interface Flags extends TrimLimits {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** How many entries one script looks at: Redis serves nobody else meanwhile. */
const STEP = 1_000;

export function trimCommand(program: Command): void {
  program
    .command('trim')
    .summary('remove old entries that all groups have finished')
    .description(text.TRIM)
    .argument('<stream>', "the stream's name, without --prefix")
    .option('--max-age <span>', 'what is older goes', parseSpan)
    .option('--max-length <count>', 'so many entries stay', wholeNumber(1))
    .option('--ignore-group <group>', 'a group that does not hold it up; several times', collect)
    .option('--force', 'remove what is not finished, too: it is LOST')
    .option('--dry-run', 'say what would go, and remove nothing')
    .addHelpText('after', text.example('trim orders --max-age 7d --dry-run'))
    .action((stream: string, flags: Flags, command: Command) => {
      if (flags.maxAge === undefined && flags.maxLength === undefined) {
        throw new UsageError(text.TRIM_LIMIT);
      }
      return Session.with(command, (session) => trim(session, stream, flags));
    });
}

async function trim(session: Session, stream: string, flags: Flags): Promise<void> {
  const { client, prefix } = session;
  const { dryRun = false, force = false } = flags;
  const key = streamKey(prefix, stream);
  const { length } = await streamOf(session, stream);
  const looking = openBar('Looking', length);
  const plan = await previewTrim(client, key, flags, (looked) => looking.to(looked)).finally(() =>
    looking.end(),
  );
  const going = force ? plan.beyond : plan.beyond - plan.unfinished;
  if (dryRun) {
    const { beyond, unfinished, held } = plan;
    const lost = force ? unfinished : 0;
    session.answer({ dryRun, stream, removed: going, lost, beyond, unfinished, held }, () =>
      words(text.wouldTrim(going), plan, force, session.width),
    );
    return;
  }
  const lost = force ? plan.unfinished : 0;
  if (going > 0) await confirm(text.trimQuestion(going, lost, stream), session.yes);
  const done = await remove(client, key, flags, going);
  session.answer({ dryRun, stream, ...done, held: plan.held }, () =>
    words(text.trimmed(done.removed, done.lost), plan, force, session.width),
  );
}

function words(
  first: string,
  { unfinished, held }: TrimPlan,
  force: boolean,
  width: number,
): string {
  if (force || unfinished === 0 || held === undefined) return first;
  const stay = text.heldUp(unfinished, visible(held.group), held.entryId);
  return `${first}\n${wrapped(stay, width)}`;
}

async function remove(
  client: Redis,
  key: string,
  { maxAge, maxLength, force = false, ignoreGroup = [] }: Flags,
  expected: number,
): Promise<{ removed: number; lost: number }> {
  const bar = openBar('Removing', expected);
  const args = [maxAge ?? '', maxLength ?? '', STEP, force ? 1 : 0, ...ignoreGroup];
  let [removed, lost] = [0, 0];
  try {
    for (let more = expected > 0; more;) {
      const step = await trimStreamScript.run(client, [key], args);
      removed += step.removed;
      lost += step.lost;
      more = step.more;
      bar.to(removed);
    }
  } finally {
    bar.end();
  }
  return { removed, lost };
}
