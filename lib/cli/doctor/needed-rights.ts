import { partitionIn } from '../../wire/partitions.js';
import {
  callKey,
  delayedKeys,
  inboxKeys,
  type JobName,
  jobKey,
  lastBatchKey,
  memberKeys,
  ownerKey,
  partitionCountKey,
  publishedKeys,
  streamKeys,
  wildcardsKey,
} from '../../wire/stream-keys.js';

/** A command with as few arguments as Redis accepts. */
export type Call = readonly [command: string, ...args: string[]];

/** What only some services do. */
export type RightsUse = 'later' | 'requests' | 'wildcards';

/** The commands for one thing that services do. */
export interface NeededRights {
  /** Undefined if every service does it. */
  readonly use?: RightsUse;
  readonly calls: readonly Call[];
}

const JOBS: readonly JobName[] = ['ledger', 'retention', 'consumers'];
const NOBODY = 'doctor';

/** Commands without a stream, or with keys that all streams share. */
export function rightsAnywhere(prefix: string): readonly NeededRights[] {
  const { replies, left } = inboxKeys(prefix, NOBODY);
  return [
    {
      calls: [
        ['TIME'],
        ['EVAL', 'return 1', '0'],
        ['EVALSHA', '0'.repeat(40), '0'],
        ['CLIENT', 'ID'],
        ['CLIENT', 'UNBLOCK', '0'],
      ],
    },
    {
      use: 'requests',
      calls: [
        ['XREAD', 'STREAMS', replies, '$'],
        ['XADD', replies, '*', 'a', 'b'],
        ['XTRIM', replies, 'MAXLEN', '0'],
        ['XDEL', replies, '0-0'],
        ['TYPE', replies],
        ['PEXPIRE', replies, '1'],
        ['SADD', left, 'a'],
        ['SISMEMBER', left, 'a'],
      ],
    },
    { use: 'wildcards', calls: [['SCAN', '0', 'COUNT', '1']] },
  ];
}

/**
 * Commands for one group of a stream.
 *
 * @param stream as it is named in Redis; it may be a partition
 */
export function rightsFor(prefix: string, stream: string, group: string): readonly NeededRights[] {
  const keys = streamKeys(prefix, stream, group);
  const { published } = publishedKeys(keys.stream, NOBODY);
  const { delayed, messages } = delayedKeys(keys.stream);
  return [
    {
      calls: [
        ...onStream(keys.stream, group),
        ...[keys.ledger, keys.retries, published].flatMap(onSet),
        ...[keys.leases, keys.attempts, keys.packedLedger].flatMap(onHash),
        ['HINCRBY', keys.attempts, 'a', '1'],
        ['HINCRBY', keys.packedLedger, 'a', '1'],
        ['ZREMRANGEBYRANK', keys.ledger, '0', '0'],
        ['ZCOUNT', keys.ledger, '0', '0'],
        ['SET', keys.position, '0-0'],
        ['GET', keys.position],
        ['EXISTS', keys.position],
        ['DEL', keys.madeBlindly],
        ...onMembers(prefix, stream, group),
        ['GET', lastBatchKey(keys, NOBODY)],
        ['SET', callKey(keys, NOBODY, 0), '', 'PX', '1'],
        ['XADD', keys.deadLetters, '*', 'a', 'b'],
        ['XDEL', keys.deadLetters, '0-0'],
        ['XLEN', keys.deadLetters],
        ['XREVRANGE', keys.deadLetters, '+', '-'],
        ['PEXPIRE', published, '1'],
        ['PTTL', published],
        ...JOBS.map((job): Call => ['SET', jobKey(prefix, stream, job), 'a', 'NX']),
      ],
    },
    {
      use: 'later',
      calls: [
        ['ZADD', delayed, '1', 'a'],
        ['ZRANGEBYSCORE', delayed, '0', '0'],
        ['ZREM', delayed, 'a'],
        ...onHash(messages),
        ['HINCRBY', messages, 'a', '1'],
      ],
    },
    {
      use: 'wildcards',
      calls: [
        ['HGET', wildcardsKey(group), 'a'],
        ['HSET', wildcardsKey(group), 'a', 'b'],
      ],
    },
  ];
}

/** The members of a group share the partitions of a stream by keys of the whole stream. */
function onMembers(prefix: string, place: string, group: string): readonly Call[] {
  const { stream, partition } = partitionIn(place) ?? { stream: place };
  const { members, versions, left, holdings } = memberKeys(prefix, stream, group);
  const calls: Call[] = [
    ['ZADD', members, '1', 'a'],
    ['ZSCORE', members, 'a'],
    ['ZRANGEBYSCORE', members, '0', '0'],
    ['ZREM', members, 'a'],
    ['PEXPIRE', members, '1'],
    ['HSET', versions, 'a', 'b'],
    ['HGET', versions, 'a'],
    ['HDEL', versions, 'a'],
    ['PEXPIRE', versions, '1'],
    ['SET', left, '1'],
  ];
  if (partition === undefined) return calls;
  const owner = ownerKey(prefix, stream, partition, group);
  const count = partitionCountKey(prefix, stream);
  return [
    ...calls,
    ['ZRANGE', members, '0', '0'],
    ['HSET', holdings, 'a', 'b'],
    ['HGET', holdings, 'a'],
    ['HGETALL', holdings],
    ['HDEL', holdings, 'a'],
    ['PEXPIRE', holdings, '1'],
    ['HMGET', owner, 'a'],
    ['HSET', owner, 'a', 'b'],
    ['HDEL', owner, 'a'],
    ['GET', count],
    ['SET', count, '1'],
  ];
}

const onStream = (key: string, group: string): readonly Call[] => [
  ['XADD', key, '*', 'a', 'b'],
  ['XREADGROUP', 'GROUP', group, NOBODY, 'STREAMS', key, '>'],
  ['XACK', key, group, '0-0'],
  ['XCLAIM', key, group, NOBODY, '0', '0-0'],
  ['XPENDING', key, group],
  ['XGROUP', 'CREATE', key, group, '$'],
  ['XGROUP', 'SETID', key, group, '$'],
  ['XGROUP', 'DELCONSUMER', key, group, NOBODY],
  ['XINFO', 'STREAM', key],
  ['XINFO', 'GROUPS', key],
  ['XINFO', 'CONSUMERS', key, group],
  ['XRANGE', key, '-', '+'],
  ['XLEN', key],
  ['XTRIM', key, 'MAXLEN', '1000000000'],
  ['TYPE', key],
  ['PEXPIRE', key, '1'],
  ['PERSIST', key],
];

const onSet = (key: string): readonly Call[] => [
  ['ZADD', key, '1', 'a'],
  ['ZSCORE', key, 'a'],
  ['ZMSCORE', key, 'a'],
  ['ZRANGE', key, '0', '0'],
  ['ZRANGEBYSCORE', key, '0', '0'],
  ['ZCOUNT', key, '0', '0'],
  ['ZCARD', key],
  ['ZREM', key, 'a'],
  ['ZREMRANGEBYRANK', key, '0', '0'],
];

const onHash = (key: string): readonly Call[] => [
  ['HSET', key, 'a', 'b'],
  ['HGET', key, 'a'],
  ['HMGET', key, 'a'],
  ['HDEL', key, 'a'],
  ['HSCAN', key, '0'],
  ['HVALS', key],
];
