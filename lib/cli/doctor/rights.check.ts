import type { Redis } from 'ioredis';
import { masterFor } from '../../redis/connect/cluster-client.js';
import { errorText, isNotAllowed, isRedisReply } from '../../redis/server/redis-errors.js';
import * as text from './doctor.messages.js';
import type { Finding } from './finding.js';
import { type Call, type NeededRights, rightsAnywhere, rightsFor } from './needed-rights.js';

/** How many keys are named. */
const NAMED = 3;
/** Where these have their key. Of most others it is the first argument. */
const KEY_AT: Readonly<Record<string, number>> = { XGROUP: 2, XINFO: 2, XREAD: 2, XREADGROUP: 5 };
/** Of these, rights are given for each subcommand. */
const WITH_SUBCOMMANDS = new Set(['CLIENT', 'XGROUP', 'XINFO']);

/** What was refused, of what one thing needs. */
interface Refused {
  readonly use: NeededRights['use'];
  readonly commands: Set<string>;
  readonly keys: Set<string>;
}

/**
 * What this user may not do, for all groups given. Redis checks rights when it queues a command of a transaction, and the transaction
 * is thrown away: nothing of it is ever run.
 *
 * @returns nothing where it cannot be known
 */
export async function checkRights(
  client: Redis,
  prefix: string,
  groups: readonly { readonly stream: string; readonly group: string }[],
): Promise<Finding[] | undefined> {
  const refused = new Map<NeededRights['use'], Refused>();
  for (const { key, needed } of [
    { key: prefix, needed: rightsAnywhere(prefix) },
    ...groups.map(({ stream, group }) => ({
      key: prefix + stream,
      needed: rightsFor(prefix, stream, group),
    })),
  ]) {
    // A cluster would send what follows to other nodes than the one that queues.
    const node = masterFor(client, key);
    // Without it, what follows would be run.
    if (node === undefined || !(await isQueueing(node))) return undefined;
    await Promise.all(needed.map((its) => tryAll(node, its, refused)));
    await node.call('DISCARD');
  }
  const user = await client.call('ACL', 'WHOAMI').then(String, () => 'default');
  return findingsOf(user, refused);
}

async function isQueueing(client: Redis): Promise<boolean> {
  return client.call('MULTI').then(
    (reply) => String(reply) === 'OK',
    () => false,
  );
}

async function tryAll(
  client: Redis,
  { use, calls }: NeededRights,
  refused: Map<NeededRights['use'], Refused>,
): Promise<void> {
  await Promise.all(
    calls.map(async (call) => {
      const why = await refusal(client, call);
      if (why === undefined) return;
      const its = refused.get(use) ?? { use, commands: new Set(), keys: new Set() };
      refused.set(use, its);
      if (/\bkeys?\b/.test(why)) its.keys.add(keyOf(call));
      else its.commands.add(nameOf(call));
    }),
  );
}

const keyOf = (call: Call): string => call[KEY_AT[call[0]] ?? 1] ?? '';

const nameOf = ([command, sub = '']: Call): string =>
  WITH_SUBCOMMANDS.has(command) ? `${command}|${sub}` : command;

async function refusal(client: Redis, [command, ...args]: Call): Promise<string | undefined> {
  try {
    await client.call(command, ...args);
    return undefined;
  } catch (error) {
    if (!isRedisReply(error)) throw error;
    return isNotAllowed(error) ? errorText(error) : undefined;
  }
}

// What every service needs comes first, and is not said again of the others.
function findingsOf(user: string, refused: ReadonlyMap<NeededRights['use'], Refused>): Finding[] {
  const findings: Finding[] = [];
  const said = refused.get(undefined);
  for (const use of [undefined, 'later', 'requests', 'wildcards'] as const) {
    const its = refused.get(use);
    if (its === undefined) continue;
    const isNew = (what: string): boolean =>
      its === said || !(said?.commands.has(what) === true || said?.keys.has(what) === true);
    const [commands, keys] = [its.commands, its.keys].map((all) => [...all].filter(isNew));
    const rights = { level: use === undefined ? 'error' : 'warning', check: 'rights' } as const;
    if (commands !== undefined && commands.length > 0) {
      const what = text.noRights(user, commands, use);
      findings.push({ ...rights, what, todo: text.rightsTodo(user, commands) });
    }
    if (keys !== undefined && keys.length > 0) {
      const what = text.noKeys(user, keys.slice(0, NAMED), Math.max(0, keys.length - NAMED), use);
      findings.push({ ...rights, what, todo: text.keysTodo(user) });
    }
  }
  return findings;
}
