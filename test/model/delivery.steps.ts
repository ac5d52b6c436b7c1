import { redisTimeMs } from '../../lib/redis/server/clocks.js';
import { takeDueEntriesScript } from '../../lib/redis/scripts/reserve/take-due-entries.script.js';
import { recoverScript } from '../../lib/redis/scripts/reserve/recover.script.js';
import { resumeScript } from '../../lib/redis/scripts/reserve/resume.script.js';
import type { Reservation } from '../../lib/redis/scripts/reserve/reserve.script.js';
import type { RawEntry } from '../../lib/redis/read/replies.js';
import { readGroup } from '../../lib/redis/read/streams.js';
import type { Call } from './call.js';
import type { Group } from './group.js';
import type { InHand, Member } from './member.js';
import type { Model } from './model.js';
import { LONG_MS, MIN_IDLE_MS } from './state.js';
import type { Draw, Step } from './step.js';
import { deliveryRules } from './delivery.rules.js';
import { postpone } from './time.steps.js';

const PAGE = 100;

/** Few, so that some are published under several entries. */
const messageIdOf = (pick: number): string => `message-${pick % 4}`;

/** What delivers entries to a consumer. */
export const deliverySteps = {
  publish: (group, _member, { pick, many }) => {
    const messageIds = many ? [pick, pick, pick + 1].map(messageIdOf) : [messageIdOf(pick)];
    return group.change(`publish ${messageIds.join(' ')}`, async () => {
      for (const messageId of messageIds) {
        const fields = ['name', 'test', 'body', '1', 'id', messageId];
        // Long ago, by the clock of the test: so all of it may have been taken over.
        const rowId = `${group.model.published.size + 1}-0`;
        await group.client.xadd(group.keys.stream, rowId, ...fields);
        group.model.published.set(rowId, messageId);
        group.model.state.unread.push(rowId);
      }
    });
  },

  read: async (group, member, draw) => {
    const count = draw.many ? PAGE : 1;
    const { client, keys, name } = group;
    const read = { group: name, consumer: member.name, streams: [keys.stream], count };
    await bring(group, member, { ...draw, twice: false }, 'read', {
      send: async () => (await readGroup(client, read))[0]?.entries ?? [],
      rule: (model) => deliveryRules.read(model, member, count),
    });
  },

  takeDue: (group, member, draw) => {
    const { stream, retries, attempts, deadLetters } = group.keys;
    return bring(group, member, draw, 'take due', {
      send: async () => {
        const keys = [stream, retries, attempts, deadLetters];
        const args = [group.name, member.name, LONG_MS, PAGE, draw.many ? '0' : '-inf'];
        return (await takeDueEntriesScript.run(group.client, keys, args)).streams[0]?.entries ?? [];
      },
      rule: (model) => deliveryRules.due(model, member, draw.many),
    });
  },

  recover: (group, member, draw) => {
    const { stream, leases, retries, attempts } = group.keys;
    // An entry that has been idle longer than its consumer has run was left by an earlier one of its name.
    const isYoung = draw.many;
    return bring(group, member, draw, 'recover', {
      send: async () => {
        const keys = [stream, leases, retries, attempts];
        const began = await beganAt(group, isYoung ? MIN_IDLE_MS : 2 * LONG_MS);
        const inOrder = draw.pick % 2;
        const args = [group.name, member.name, MIN_IDLE_MS, '-', PAGE, began, inOrder];
        return (await recoverScript.run(group.client, keys, args)).entries;
      },
      rule: (model) => deliveryRules.recover(model, member, isYoung, draw.pick % 2 === 1),
    });
  },

  /** The answer of each page may be lost, and the page is then requested again. */
  resume: (group, member, draw) => {
    const { stream, retries, attempts, leases } = group.keys;
    const keys = [stream, retries, attempts, leases];
    const token = draw.many ? member.token : '';
    return bring(group, member, { ...draw, twice: false }, 'resume', {
      isInOrder: true,
      send: async () => {
        const began = await beganAt(group, MIN_IDLE_MS);
        const all: RawEntry[] = [];
        for (let after: string | undefined = '-'; after !== undefined;) {
          const args = [group.name, member.name, after, draw.pick + 1, began, token];
          if (draw.twice) await resumeScript.run(group.client, keys, args);
          const page = await resumeScript.run(group.client, keys, args);
          all.push(...page.entries);
          after = page.waitsMs === undefined ? page.next : undefined;
        }
        return all;
      },
      rule: (model) => deliveryRules.resume(model, member, draw.many),
      // The pages before the refused one.
      partly: ['pending', 'retries', 'attempts'],
    });
  },

  /** What was delivered and not reserved; if its lease may have ended, also what waits for its slot. */
  reserve: (group, member, { many, twice }) => {
    const again = many && !group.model.atMostOnce;
    return reserve(
      group,
      member,
      ({ reserved, started }) => !reserved || (again && !started),
      twice,
    );
  },
} satisfies Record<string, Step>;

/** When the process of a member began; only needed without a ledger. */
const beganAt = async ({ model, client }: Group, agoMs: number): Promise<number | ''> =>
  model.hasLedger ? '' : (await redisTimeMs(client)) - agoMs;

interface Source {
  /** Whether the order of the entries matters. */
  readonly isInOrder?: boolean;
  readonly partly?: Call<unknown>['partly'];
  readonly send: () => Promise<readonly RawEntry[]>;
  readonly rule: (model: Model) => string[];
}

/** Delivers entries, and usually has them reserved at once. */
async function bring(
  group: Group,
  member: Member,
  { pick, twice }: Draw,
  what: string,
  { send, rule, isInOrder = false, partly = [] }: Source,
): Promise<void> {
  const sendIt = async (): Promise<string[]> => {
    const entries = await send();
    member.accept(entries);
    const ids = entries.map(({ id }) => id);
    return isInOrder ? ids : ids.sort();
  };
  await group.send({ what, by: member, send: sendIt, rule, answersAnew: true, partly }, twice);
  if (pick > 1) await reserve(group, member, ({ reserved }) => !reserved, twice);
}

async function reserve(
  group: Group,
  member: Member,
  which: (inHand: InHand) => boolean,
  twice: boolean,
): Promise<void> {
  const all = [...member.hand.values()].filter(which);
  for (const isRedrive of [false, true]) {
    const some = all.filter(({ message }) => message.isRedrive === isRedrive);
    if (some.length > 0) await reserveAlike(group, member, some, twice);
  }
}

/** Entries, or redrives. */
async function reserveAlike(
  group: Group,
  member: Member,
  some: readonly InHand[],
  twice: boolean,
): Promise<void> {
  // The same list each time it is sent: at-most-once recognizes a batch by that.
  const messages = some.map(({ message }) => message);
  const what = `reserve ${messages.map(({ rowId }) => rowId).join(' ')}`;
  const isOpen = group.model.hasLedger && !group.model.atMostOnce;
  const processed = new Set(
    isOpen
      ? messages.filter(({ messageId }) => group.model.state.ledger[messageId] === 'in window')
      : [],
  );
  const answers = await group.send(
    {
      what,
      by: member,
      send: async () => {
        const given = await member.modeOf(messages[0]!).reserve(messages);
        await postpone(
          group,
          messages.filter((_, n) => given[n]?.kind === 'leased-elsewhere'),
        );
        return given;
      },
      // With at-most-once the answer decides who owns a recorded message, and it is the same the second time.
      rule: (model) => {
        const judge = (): Reservation[] => deliveryRules.reserve(model, member, messages);
        return model.atMostOnce ? model.once(messages, judge) : judge();
      },
      // The reason why another's entry does not run may differ if the first call wrote its message's ID into
      // the ledger.
      essence: (given) => given.map((answer) => (answer.kind === 'new' ? answer : 'not here')),
      // What is leased is found again. At-most-once records nothing that it has not answered.
      partly: group.model.atMostOnce ? [] : ['leases', 'attempts'],
    },
    twice,
  );
  some.forEach((inHand, n) => {
    const { message } = inHand;
    const answer = answers[n]!;
    if (answer.kind !== 'new') return void member.hand.delete(message.rowId);
    if (processed.has(message)) throw new Error(`${message.messageId} is processed, and runs`);
    inHand.reserved = true;
    message.attempt = answer.attempt;
    message.runsAlone = answer.alone;
  });
}
