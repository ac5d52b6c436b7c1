import { inboxKeys, callKey, DELAYED_STREAMS_KEY, delayedKeys, type JobName, jobKey, lastBatchKey, publishedKeys, streamKeys, wildcardsKey } from '../../wire/stream-keys.js';

/** A command with the fewest arguments that Redis lets pass. */
export type Call = readonly [command: string, ...args: string[]];

/** What not every service does. */
export type RightsUse = 'later' | 'requests' | 'wildcards';

/** What services call for one thing that they do. */
export interface NeededRights {
  /** Nothing for what every service does; else what they are for, since that may not be done at all. */
  readonly use?: RightsUse;
  readonly calls: readonly Call[];
}

const JOBS: readonly JobName[] = ['ledger', 'retention', 'consumers'];
const NOBODY = 'doctor';

/** What is called without a stream, or with the keys that all streams share. */
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
      use: 'later',
      calls: [
        ['HGETALL', DELAYED_STREAMS_KEY],
        ['HSETNX', DELAYED_STREAMS_KEY, 'a', 'b'],
        ['HSET', DELAYED_STREAMS_KEY, 'a', 'b'],
        ['HDEL', DELAYED_STREAMS_KEY, 'a'],
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

/** What is called for a stream and one of its groups. */
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
        ['ZADD', keys.members, '1', 'a'],
        ['HSET', keys.versions, 'a', 'b'],
        ['PEXPIRE', keys.versions, '1'],
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
