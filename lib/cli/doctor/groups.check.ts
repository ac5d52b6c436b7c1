import type { Redis } from 'ioredis';
import { streamKey } from '../../wire/stream-keys.js';
import { livingMembers } from '../../redis/read/group-members.js';
import type { Member } from '../../redis/scripts/admin/read-members.script.js';
import { type ConsumerInfo, readConsumers } from '../../redis/read/xinfo.js';
import type { GroupRow } from '../reading/group-rows.js';
import * as text from './doctor.messages.js';
import type { DoctorLimits, Finding } from './finding.js';

/** Twice what the job that removes idle consumers waits, unless it is set. */
const JOB_IS_LATE_MS = 7_200_000;

/**
 * Groups without consumers, and consumers that are gone. One that says nothing of itself may belong to another program, or run
 * an older version of this one: it is judged by when it last asked.
 *
 * @param members what the group's members say of themselves
 */
export async function checkGroup(
  client: Redis,
  prefix: string,
  { stream, group = '', lag, pending = 0 }: GroupRow,
  members: readonly Member[],
  { goneAfter }: DoctorLimits,
): Promise<Finding[]> {
  const key = streamKey(prefix, stream);
  const consumers = await readConsumers(client, key, group);
  const gone = consumers.filter(({ name, idleMs }) => {
    const its = members.find(({ consumer }) => consumer === name);
    return its === undefined ? idleMs > goneAfter : !its.isAlive;
  });
  const findings = gone.flatMap((consumer) => findingOf(stream, group, consumer));
  if (livingMembers(members).length > 0 || gone.length < consumers.length) return findings;
  const isKnown = members.length > 0;
  const isIdle = lag === 0 && pending === 0;
  return [
    {
      level: isIdle ? 'warning' : 'error',
      check: 'no-consumers',
      stream,
      group,
      what: text.noConsumers(group, text.waiting(lag, pending), consumers.length > 0, isKnown),
      todo: text.noConsumersTodo(key, group, isKnown),
    },
    ...findings,
  ];
}

function findingOf(
  stream: string,
  group: string,
  { name, idleMs, pending }: ConsumerInfo,
): Finding[] {
  if (pending === 0 && idleMs < JOB_IS_LATE_MS) return [];
  return [
    {
      level: 'warning',
      check: 'consumer-gone',
      stream,
      group,
      what: text.gone(name, idleMs, pending),
      todo: pending === 0 ? text.GONE_IDLE_TODO : text.GONE_PENDING_TODO,
    },
  ];
}
