import type { Redis } from 'ioredis';
import { masterFor } from '../../redis/connect/cluster-client.js';
import { errorText, isNotAllowed, isRedisReply } from '../../redis/server/redis-errors.js';
import type { Finding } from './finding.js';
import {
  type Call,
  type NeededRights,
  rightsAnywhere,
  rightsFor,
  type RightsUse,
} from './needed-rights.js';

/** How many keys a finding names. */
const NAMED = 3;
/** Which argument of a command is its key. For all others it is the first. */
const KEY_AT: Readonly<Record<string, number>> = { XGROUP: 2, XINFO: 2, XREAD: 2, XREADGROUP: 5 };
/** Commands whose rights are given for each subcommand. */
const WITH_SUBCOMMANDS = new Set(['CLIENT', 'XGROUP', 'XINFO']);

const USES: Readonly<Record<RightsUse, string>> = {
  later: 'Only services that publish for later need that',
  requests: 'Only services that ask and answer (send()) need that',
  wildcards: 'Only services with wildcards need that',
};

/** What Redis refused of the rights that one use needs. */
interface Refused {
  readonly use: NeededRights['use'];
  readonly commands: Set<string>;
  readonly keys: Set<string>;
}

/**
 * Finds what this user may not do, for all given groups. Redis checks rights when a transaction queues a command, and the
 * transaction is discarded: no command is ever run.
 *
 * @returns undefined if this user may not begin a transaction
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
    // On a cluster, ioredis would send the commands to other nodes than the one with the transaction.
    const node = masterFor(client, key);
    // Without a transaction the commands would be run.
    if (node === undefined || !(await beginTransaction(node))) return undefined;
    await Promise.all(needed.map((rights) => tryAll(node, rights, refused)));
    await node.call('DISCARD');
  }
  const user = await client.call('ACL', 'WHOAMI').then(String, () => 'default');
  return findingsOf(user, refused);
}

const beginTransaction = (client: Redis): Promise<boolean> =>
  client.call('MULTI').then(
    (reply) => String(reply) === 'OK',
    () => false,
  );

async function tryAll(
  client: Redis,
  { use, calls }: NeededRights,
  refused: Map<NeededRights['use'], Refused>,
): Promise<void> {
  await Promise.all(
    calls.map(async (call) => {
      const why = await refusal(client, call);
      if (why === undefined) return;
      const known = refused.get(use) ?? { use, commands: new Set(), keys: new Set() };
      refused.set(use, known);
      if (/\bkeys?\b/.test(why)) known.keys.add(keyOf(call));
      else known.commands.add(nameOf(call));
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

/** What every service needs comes first, and is not repeated for the other uses. */
function findingsOf(user: string, refused: ReadonlyMap<NeededRights['use'], Refused>): Finding[] {
  const findings: Finding[] = [];
  const everywhere = refused.get(undefined);
  for (const use of [undefined, 'later', 'requests', 'wildcards'] as const) {
    const found = refused.get(use);
    if (found === undefined) continue;
    const isNew = (what: string): boolean =>
      found === everywhere ||
      !(everywhere?.commands.has(what) === true || everywhere?.keys.has(what) === true);
    const commands = [...found.commands].filter(isNew);
    const keys = [...found.keys].filter(isNew);
    const rights = { level: use === undefined ? 'error' : 'warning', check: 'rights' } as const;
    const usedFor = use === undefined ? '' : `. ${USES[use]}`;
    if (commands.length > 0) {
      findings.push({
        ...rights,
        what: `User "${user}" may not run: ${commands.join(', ')}${usedFor}`,
        todo: `ACL SETUSER ${user} ${commands.map((command) => `+${command.toLowerCase()}`).join(' ')}`,
      });
    }
    if (keys.length > 0) {
      const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more keys` : '';
      findings.push({
        ...rights,
        what: `User "${user}" may not use ${keys.slice(0, NAMED).join(', ')}${more}${usedFor}`,
        todo: `ACL SETUSER ${user} with "~" for the streams and for "stream:*"`,
      });
    }
  }
  return findings;
}
