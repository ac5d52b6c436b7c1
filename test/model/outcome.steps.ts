import { deadLetterFields } from '../../lib/wire/dead-letter-fields.js';
import { isRedrive } from '../../lib/wire/redrive-member.js';
import { isLeased, leaseIdOf } from '../../lib/consume/lease-id.js';
import { renewScript } from '../../lib/redis/scripts/reserve/renew.script.js';
import { redriveScript } from '../../lib/redis/scripts/admin/redrive.script.js';
import type { StreamMessage } from '../../lib/consume/stream-message.js';
import type { Call } from './call.js';
import type { Group } from './group.js';
import type { InHand, Member } from './member.js';
import type { Model } from './model.js';
import { outcomeRules } from './outcome.rules.js';
import { LONG_MS } from './state.js';
import type { Draw, Step } from './step.js';

const idsOf = (messages: readonly StreamMessage[]): string =>
  messages.map(({ entryId, attempt }) => `${entryId} (attempt ${attempt})`).join(' ');

/** What consumers do with their messages, even if another consumer has them meanwhile. */
export const outcomeSteps = {
  start: async (group, member, draw) => {
    for (const inHand of chosen(member, draw)) await start(group, member, inHand, draw.twice);
  },

  commit: async (group, member, draw) => {
    const messages = await ended(group, member, draw);
    for (const some of apart(messages)) {
      for (const { originalEntryId } of some) group.model.handled.add(originalEntryId);
      await settle(group, member, draw, some, commitCall(group, member, some));
    }
  },

  retry: async (group, member, draw) => {
    if (group.model.atMostOnce) return;
    const until = draw.pick % 2 === 0 ? 'due' : 'later';
    for (const some of apart(await ended(group, member, draw))) {
      await settle(group, member, draw, some, putOffCall(member, some, until));
    }
  },

  countAttempt: async (group, member, draw) => {
    if (group.model.atMostOnce) return;
    for (const inHand of chosen(member, { ...draw, many: false })) {
      if (!(await start(group, member, inHand, false))) continue;
      const { message } = inHand;
      const before = { ...message };
      const [kept] = await group.send(
        {
          what: `count an attempt of ${idsOf([before])}`,
          by: member,
          send: async () => [await member.scripts.countAttempt(before)],
          rule: (model) => outcomeRules.putOff(model, member, [before], 'kept'),
        },
        draw.twice,
      );
      if (kept !== true) member.hand.delete(message.entryId);
      message.attempt++;
      inHand.started = false;
    }
  },

  deadLetter: async (group, member, draw) => {
    for (const message of await ended(group, member, draw)) {
      await settle(group, member, draw, [message], deadLetterCall(group, member, message));
    }
  },

  /** The consumer closes: what did not start goes back to the group. */
  giveBack: async (group, member, draw) => {
    const messages = chosen(member, draw).map(({ message }) => message);
    if (!group.model.atMostOnce) {
      return settle(
        group,
        member,
        draw,
        messages,
        handOverCall(member, messages, draw.pick % 2 === 1),
      );
    }
    const [entries, redrives] = apart(messages);
    await settle(group, member, draw, entries, putBackCall(member, entries));
    // Those that have started run to their end.
    const waiting = redrives.filter(({ entryId }) => member.hand.get(entryId)?.started === false);
    await settle(group, member, draw, waiting, handOverCall(member, waiting, false));
  },

  renew: async (group, member, draw) => {
    const messages = chosen(member, draw)
      .map(({ message }) => message)
      .filter((message) => !group.model.atMostOnce || isLeased(message, group.options));
    const kept = await renew(group, member, messages, draw.twice);
    messages.forEach(({ entryId }, n) => kept[n] === true || member.hand.delete(entryId));
  },

  /** A consumer sends something to which it has no right. */
  meddle: async (group, member, draw) => {
    const others = group.members.filter((other) => other !== member);
    const foreign = others
      .flatMap(({ hand }) => Array.from(hand.values()))
      .filter(({ reserved }) => reserved);
    const found = foreign[draw.pick % Math.max(1, foreign.length)];
    if (found === undefined || group.model.atMostOnce || member.hand.has(found.message.entryId))
      return;
    const { message } = found;
    // What is pending for it by now is its own.
    if (group.model.isOf(member, message)) return;
    const calls: Pick<Call<unknown>, 'what' | 'send' | 'rule'>[] = [
      putOffCall(member, [message], 'due'),
      deadLetterCall(group, member, message),
      handOverCall(member, [message], false),
      startCall(member, message),
    ];
    if (draw.many) await renew(group, member, [message], draw.twice);
    else
      await group.send(
        { ...calls[draw.pick % calls.length]!, by: member, answersAnew: true },
        draw.twice,
      );
  },

  /** The answer to a call was lost, and the client library sends it again. */
  sendAgain: async (group, member, { pick }) => {
    const sent = member.sent[pick % Math.max(1, member.sent.length)];
    if (sent !== undefined) await group.send({ ...sent.call, what: `again: ${sent.call.what}` });
  },

  redrive: async (group, _member, { pick, many, twice }) => {
    const all = Object.keys(group.model.state.letters);
    const ids = many ? all : all.slice(pick % Math.max(1, all.length)).slice(0, 1);
    if (ids.length === 0) return;
    const { model, keys, client } = group;
    const inLedger = (id: string): string => {
      const { entryId = '' } = model.state.letters[id] ?? {};
      return model.atMostOnce ? (model.published.get(entryId) ?? '') : '';
    };
    const letters = ids.map((id) => [id, inLedger(id)] as const);
    await group.send(
      {
        what: `redrive ${ids.join(' ')}`,
        send: () =>
          redriveScript.run(
            client,
            [keys.deadLetters, keys.retries, keys.attempts, keys.ledger, keys.packedLedger],
            letters.flat(),
          ),
        rule: (current) => outcomeRules.redrive(current, letters),
        answersAnew: true,
      },
      twice,
    );
  },
} satisfies Record<string, Step>;

/** Some of the messages that a member may run. */
function chosen({ hand }: Member, { pick, many }: Pick<Draw, 'pick' | 'many'>): InHand[] {
  const all = [...hand.values()].filter(({ reserved }) => reserved);
  const at = pick % Math.max(1, all.length);
  return many ? all.slice(at) : all.slice(at, at + 1);
}

/** Runs some to their end. */
async function ended(group: Group, member: Member, draw: Draw): Promise<StreamMessage[]> {
  const messages: StreamMessage[] = [];
  for (const inHand of chosen(member, draw)) {
    if (await start(group, member, inHand, false)) messages.push(inHand.message);
  }
  return messages;
}

/** @returns whether it runs */
async function start(
  group: Group,
  member: Member,
  inHand: InHand,
  twice: boolean,
): Promise<boolean> {
  const { message, started } = inHand;
  if (started) return true;
  if (message.alone && !(await group.send({ ...startCall(member, message), by: member }, twice))) {
    member.hand.delete(message.entryId);
    return false;
  }
  const isOnce = group.model.atMostOnce && isRedrive(message.entryId);
  if (isOnce && !(await group.send({ ...startRedriveCall(member, message), by: member }, twice))) {
    member.hand.delete(message.entryId);
    return false;
  }
  if (isOnce) message.startedOnce = true;
  inHand.started = true;
  const { starts } = group.model;
  starts.set(message.entryId, (starts.get(message.entryId) ?? 0) + 1);
  return true;
}

/** Sends a call that settles messages: the member drops them, whatever the answer. */
async function settle<Answer>(
  group: Group,
  member: Member,
  { twice }: Draw,
  messages: readonly StreamMessage[],
  call: Pick<Call<Answer>, 'what' | 'send' | 'rule' | 'answersAnew'>,
): Promise<void> {
  if (messages.length === 0) return;
  await group.send({ ...call, by: member }, twice);
  const entryIds = messages.map(({ entryId }) => entryId);
  for (const entryId of entryIds) member.hand.delete(entryId);
  member.sent.push({ call: { ...call, by: member }, entryIds });
}

function commitCall(group: Group, member: Member, messages: readonly StreamMessage[]) {
  const { scripts } = member;
  const rule = group.model.atMostOnce ? outcomeRules.release : outcomeRules.commit;
  return {
    what: `commit ${idsOf(messages)}`,
    send: async (): Promise<void> => {
      if (group.model.atMostOnce) await scripts.release(messages);
      else if (messages.some(({ entryId }) => isRedrive(entryId)))
        await scripts.commitRedrives(messages);
      else await scripts.commit(messages);
    },
    rule: (model: Model) => rule(model, member, messages),
  };
}

function putOffCall(member: Member, messages: readonly StreamMessage[], until: 'due' | 'later') {
  const { scripts } = member;
  const delayMs = until === 'due' ? 0 : LONG_MS;
  const retries = messages.map((message) => ({ message: { ...message }, delayMs }));
  const ids = retries.map(({ message }) => message);
  return {
    what: `schedule a retry of ${idsOf(ids)}, ${until}`,
    send: () => scripts.putOff(retries),
    rule: (model: Model) => outcomeRules.putOff(model, member, ids, until),
  };
}

function deadLetterCall(group: Group, member: Member, held: StreamMessage) {
  const { scripts } = member;
  const message = { ...held };
  const { entryId, originalEntryId, messageId, fields, attempt: attempts } = message;
  const written = deadLetterFields(fields, {
    entryId: originalEntryId,
    stream: 'stream',
    group: 'group',
    consumer: member.name,
    reason: 'test',
    error: undefined,
    attempts,
    inLedger: group.model.atMostOnce,
  });
  const entry = { entryId, messageId, reserved: true, fields: written };
  let isKnown = false;
  return {
    what: `dead letter of ${idsOf([message])}`,
    send: async () => (await scripts.deadLetter(entry)) === true,
    rule: (model: Model) => {
      if (isKnown) return false;
      isKnown = model.atMostOnce;
      return outcomeRules.deadLetter(model, member, message);
    },
    answersAnew: true,
  };
}

function putBackCall(member: Member, messages: readonly StreamMessage[]) {
  const { scripts } = member;
  let kept: boolean[] | undefined;
  return {
    what: `put back ${idsOf(messages)}`,
    send: () => scripts.putBack(messages),
    rule: (model: Model) => (kept ??= outcomeRules.putBack(model, member, messages)),
  };
}

function handOverCall(member: Member, held: readonly StreamMessage[], waits: boolean) {
  const { scripts } = member;
  const dueAt = performance.now() + LONG_MS;
  const messages = held.map((message) => (waits ? { ...message, dueAt } : message));
  return {
    what: `hand over ${idsOf(messages)}${waits ? ', later' : ''}`,
    send: async (): Promise<void> => void (await scripts.handOver(messages)),
    rule: (model: Model) => outcomeRules.handOver(model, member, messages, waits),
  };
}

function startCall(member: Member, message: StreamMessage) {
  const { scripts } = member;
  return {
    what: `start ${idsOf([message])} alone`,
    send: () => scripts.startAlone(message),
    rule: (model: Model) => outcomeRules.startAlone(model, member, message),
  };
}

function startRedriveCall(member: Member, message: StreamMessage) {
  const { scripts } = member;
  let isKnown = false;
  return {
    what: `start ${idsOf([message])}`,
    send: () => scripts.startRedrive(message),
    rule: (model: Model) => (isKnown ||= outcomeRules.startRedrive(model, member, message)),
  };
}

async function renew(
  group: Group,
  member: Member,
  messages: readonly StreamMessage[],
  twice: boolean,
): Promise<boolean[]> {
  if (messages.length === 0) return [];
  const { client, keys, name, options, model } = group;
  const ids = messages.flatMap((message) => [message.entryId, leaseIdOf(message, options)]);
  const args = [name, member.name, member.token, LONG_MS, model.hasLedger ? 1 : 0, ...ids];
  return group.send(
    {
      what: `renew ${idsOf(messages)}`,
      by: member,
      send: () => renewScript.run(client, [keys.stream, keys.leases, keys.retries], args),
      rule: (current) => outcomeRules.renew(current, member, messages),
    },
    twice,
  );
}

function apart(messages: readonly StreamMessage[]): readonly [StreamMessage[], StreamMessage[]] {
  const [entries, redrives]: [StreamMessage[], StreamMessage[]] = [[], []];
  for (const message of messages) (isRedrive(message.entryId) ? redrives : entries).push(message);
  return [entries, redrives];
}
