import type { Redis } from 'ioredis';
import { type JobName, jobKey, publishedKeys, streamKeys } from '../../keys/stream-keys.js';
import { masterFor } from '../../redis/cluster-client.js';
import { errorText, isRedisReply } from '../../redis/redis-errors.js';
import * as text from './doctor.messages.js';
import type { Finding } from './finding.js';

type Call = readonly [command: string, ...args: string[]];

const ANYWHERE: readonly Call[] = [
  ['TIME'],
  ['EVAL', 'return 1', '0'],
  ['EVALSHA', '0'.repeat(40), '0'],
  ['CLIENT', 'UNBLOCK', '0'],
];
const JOBS: readonly JobName[] = ['ledger', 'retention', 'consumers'];
/** How many keys are named. */
const NAMED = 3;

/** What services of a group call, with the fewest arguments that Redis lets pass. */
function callsOf(prefix: string, stream: string, group: string): readonly Call[] {
  const keys = streamKeys(prefix, stream, group);
  const { published } = publishedKeys(keys.stream, 'doctor');
  const sets = [keys.ledger, keys.retries, published];
  return [
    ['XADD', keys.stream, '*', 'a', 'b'],
    ['XREADGROUP', 'GROUP', group, 'doctor', 'STREAMS', keys.stream, '>'],
    ['XACK', keys.stream, group, '0-0'],
    ['XCLAIM', keys.stream, group, 'doctor', '0', '0-0'],
    ['XPENDING', keys.stream, group],
    ['XGROUP', 'CREATE', keys.stream, group, '$'],
    ['XINFO', 'GROUPS', keys.stream],
    ['XRANGE', keys.stream, '-', '+'],
    ['XLEN', keys.stream],
    ['XTRIM', keys.stream, 'MAXLEN', '1000000000'],
    ...sets.flatMap((key): Call[] => [
      ['ZADD', key, '1', 'a'],
      ['ZSCORE', key, 'a'],
      ['ZMSCORE', key, 'a'],
      ['ZRANGE', key, '0', '0'],
      ['ZRANGEBYSCORE', key, '0', '0'],
      ['ZCOUNT', key, '0', '0'],
      ['ZREM', key, 'a'],
      ['ZREMRANGEBYRANK', key, '0', '0'],
    ]),
    ...[keys.leases, keys.attempts].flatMap((key): Call[] => [
      ['HSET', key, 'a', 'b'],
      ['HGET', key, 'a'],
      ['HMGET', key, 'a'],
      ['HDEL', key, 'a'],
      ['HSCAN', key, '0'],
      ['HVALS', key],
      ['HINCRBY', key, 'a', '1'],
    ]),
    ['SET', keys.position, '0-0'],
    ['GET', keys.position],
    ['EXISTS', keys.position],
    ['DEL', keys.madeBlindly],
    ['XADD', keys.deadLetters, '*', 'a', 'b'],
    ['XDEL', keys.deadLetters, '0-0'],
    ['PEXPIRE', published, '1'],
    ['PTTL', published],
    ...JOBS.map((job): Call => ['SET', jobKey(prefix, stream, job), 'a', 'NX']),
  ];
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
  const commands = new Set<string>();
  const keys = new Set<string>();
  const asked = [
    { key: prefix, calls: ANYWHERE },
    ...groups.map(({ stream, group }) => ({
      key: prefix + stream,
      calls: callsOf(prefix, stream, group),
    })),
  ];
  for (const { key: where, calls } of asked) {
    // A cluster would send what follows to other nodes than the one that queues.
    const node = masterFor(client, where);
    // Without it, what follows would be run.
    if (node === undefined || !(await isQueueing(node))) return undefined;
    const refused = await Promise.all(calls.map((call) => refusal(node, call)));
    await node.call('DISCARD');
    for (const [at, why] of refused.entries()) {
      const [command = '', key = ''] = calls[at] ?? [];
      if (why === undefined) continue;
      if (/\bkeys?\b/.test(why)) keys.add(command === 'XREADGROUP' ? '' : key);
      else commands.add(command);
    }
  }
  keys.delete('');
  const user = await client.call('ACL', 'WHOAMI').then(String, () => 'default');
  return findingsOf(user, [...commands], [...keys]);
}

async function isQueueing(client: Redis): Promise<boolean> {
  return client.call('MULTI').then(
    (reply) => String(reply) === 'OK',
    () => false,
  );
}

async function refusal(client: Redis, [command, ...args]: Call): Promise<string | undefined> {
  try {
    await client.call(command, ...args);
    return undefined;
  } catch (error) {
    if (!isRedisReply(error)) throw error;
    return error.message.startsWith('NOPERM') ? errorText(error) : undefined;
  }
}

function findingsOf(user: string, commands: string[], keys: string[]): Finding[] {
  const findings: Finding[] = [];
  const rights = { level: 'error', check: 'rights' } as const;
  if (commands.length > 0) {
    const [what, todo] = [text.noRights(user, commands), text.rightsTodo(user, commands)];
    findings.push({ ...rights, what, todo });
  }
  if (keys.length > 0) {
    const what = text.noKeys(user, keys.slice(0, NAMED), Math.max(0, keys.length - NAMED));
    findings.push({ ...rights, what, todo: text.keysTodo(user) });
  }
  return findings;
}
