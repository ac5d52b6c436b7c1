import type { Command } from 'commander';
import type { Redis } from 'ioredis';
import { visible } from '../../errors/thrown.js';
import {
  previewTrimScript,
  type TrimPreview,
} from '../../redis/scripts/admin/preview-trim.script.js';
import { trimStreamScript } from '../../redis/scripts/admin/trim-stream.script.js';
import { streamKey } from '../../wire/stream-keys.js';
import { UsageError } from '../cli.error.js';
import { confirm, openBar } from '../output/terminal.js';
import { wrapped } from '../output/text.js';
import { streamOf } from '../reading/streams.js';
import { Session } from '../session.js';

/** The limits of a trim. */
interface TrimLimits {
  readonly maxAge?: number;
  readonly maxLength?: number;
  readonly ignoreGroup?: readonly string[];
}

interface Flags extends TrimLimits {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** What a trim would do. */
interface TrimPlan {
  /** Entries beyond the limits. */
  readonly beyond: number;
  /** Those among them that stay, because some group has not finished them. */
  readonly unfinished: number;
  readonly held: TrimPreview['held'];
}

/** How many entries one script examines: Redis serves nobody else meanwhile. */
const STEP = 1_000;

export function trim(stream: string, flags: Flags, command: Command): Promise<void> {
  if (flags.maxAge === undefined && flags.maxLength === undefined) {
    throw new UsageError('give --max-age or --max-length, or both');
  }
  return Session.with(command, (session) => trimStream(session, stream, flags));
}

async function trimStream(session: Session, stream: string, flags: Flags): Promise<void> {
  const { client, prefix } = session;
  const { dryRun = false, force = false } = flags;
  const key = streamKey(prefix, stream);
  const { length } = await streamOf(session, stream);
  const looking = await openBar('Looking', length);
  const plan = await previewTrim(client, key, flags, (looked) => looking.to(looked)).finally(() =>
    looking.end(),
  );
  const { beyond, unfinished, held } = plan;
  const going = force ? beyond : beyond - unfinished;
  const lost = force ? unfinished : 0;
  if (dryRun) {
    session.answer({ dryRun, stream, removed: going, lost, beyond, unfinished, held }, () =>
      withRest(`Up to ${going} entries would be removed.`, plan, force, session.width),
    );
    return;
  }
  if (going > 0) await confirm(question(going, lost, stream), session.yes);
  const done = await remove(client, key, flags, going);
  const ofThem = done.lost === 0 ? '' : `, ${done.lost} of them unfinished`;
  session.answer({ dryRun, stream, ...done, held }, () =>
    withRest(`${done.removed} entries removed${ofThem}.`, plan, force, session.width),
  );
}

/** Counts what a trim would remove, without removing anything. */
async function previewTrim(
  client: Redis,
  key: string,
  { maxAge, maxLength, ignoreGroup = [] }: TrimLimits,
  onProgress: (looked: number) => void,
): Promise<TrimPlan> {
  let plan: TrimPlan = { beyond: 0, unfinished: 0, held: undefined };
  for (let after: string | undefined = ''; after !== undefined;) {
    const step: TrimPreview = await previewTrimScript.run(
      client,
      [key],
      [maxAge ?? '', maxLength ?? '', STEP, after, plan.beyond, ...ignoreGroup],
    );
    plan = {
      beyond: plan.beyond + step.beyond,
      unfinished: plan.unfinished + step.unfinished,
      held: step.held,
    };
    onProgress(plan.beyond);
    after = step.next;
  }
  return plan;
}

const question = (count: number, lost: number, stream: string): string =>
  `Remove up to ${count} entries of stream "${stream}"${
    lost === 0 ? '' : `, of which ${lost} ARE NOT FINISHED by some group and will be lost`
  }?`;

/** Adds what stays, and why. */
function withRest(
  first: string,
  { unfinished, held }: TrimPlan,
  force: boolean,
  width: number,
): string {
  if (force || unfinished === 0 || held === undefined) return first;
  const group = visible(held.group);
  return `${first}\n${wrapped(
    `${unfinished} more stay: group "${group}" has not finished entry ${held.entryId}. --ignore-group passes over it, --force over all.`,
    width,
  )}`;
}

async function remove(
  client: Redis,
  key: string,
  { maxAge, maxLength, force = false, ignoreGroup = [] }: Flags,
  expected: number,
): Promise<{ removed: number; lost: number }> {
  const bar = await openBar('Removing', expected);
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
