import type { DeliveryMode } from '../../lib/consume/delivery/mode.js';
import { isRedrive } from '../../lib/wire/ids.js';
import { isLeased, leaseIdOf } from './lease-id.js';
import { renewScript } from '../../lib/redis/scripts/reserve/renew.script.js';
import { redriveScript } from '../../lib/redis/scripts/admin/redrive.script.js';
import type { Message } from '../../lib/consume/message.js';
import type { Call } from './call.js';
import type { Group } from './group.js';
import type { InHand, Member } from './member.js';
import type { Model } from './model.js';
import { outcomeRules } from './outcome.rules.js';
import { LONG_MS } from './state.js';
import type { Draw, Step } from './step.js';

const idsOf = (messages: readonly Message[]): string =>
  messages.map(({ rowId, attempt }) => `${rowId} (attempt ${attempt})`).join(' ');

/** What consumers do with their messages, even if another consumer has them meanwhile. */
export const outcomeSteps = {
  start: async (group, member, draw) => {
    for (const inHand of chosen(member, draw)) await start(group, member, inHand, draw.twice);
  },

  commit: async (group, member, draw) => {
    const messages = await ended(group, member, draw);
    for (const some of apart(messages)) {
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
          send: async () => [await member.modeOf(before).countAttempt(before)] as const,
          rule: (model) => outcomeRules.putOff(model, member, [before], 'kept'),
          partly: ['attempts'],
        },
        draw.twice,
      );
      if (kept !== true) member.hand.delete(message.rowId);
      message.attempt++;
      inHand.started = false;
    }
  },

  deadLetter: async (group, member, draw) => {
    for (const message of await ended(group, member, draw)) {
      await settle(group, member, draw, [message], deadLetterCall(member, message));
    }
  },

  /** The consumer closes: what did not start goes back to the group. */
  giveBack: async (group, member, draw) => {
    const messages = chosen(member, draw).map(({ message }) => message);
    if (!group.model.atMostOnce) {
      const waits = draw.pick % 2 === 1;
      for (const some of apart(messages))
        await settle(group, member, draw, some, handOverCall(member, some, waits));
      return;
    }
    const [entries, redrives] = apart(messages);
    await settle(group, member, draw, entries, putBackCall(member, entries));
    // Those that have started run to their end.
    const waiting = redrives.filter(({ rowId }) => member.hand.get(rowId)?.started === false);
    await settle(group, member, draw, waiting, handOverCall(member, waiting, false));
  },

  renew: async (group, member, draw) => {
    const messages = chosen(member, draw)
      .map(({ message }) => message)
      .filter((message) => !group.model.atMostOnce || isLeased(message, group.options));
    const kept = await renew(group, member, messages, draw.twice);
    messages.forEach(({ rowId }, n) => kept[n] === true || member.hand.delete(rowId));
  },

  /** A consumer sends something to which it has no right. */
  meddle: async (group, member, draw) => {
    const others = group.members.filter((other) => other !== member);
    const foreign = others
      .flatMap(({ hand }) => Array.from(hand.values()))
      .filter(({ reserved }) => reserved);
    const found = foreign[draw.pick % Math.max(1, foreign.length)];
    if (found === undefined || group.model.atMostOnce || member.hand.has(found.message.rowId))
      return;
    const { message } = found;
    // What is pending for it by now is its own.
    if (group.model.isOf(member, message)) return;
    const calls: Omit<Call<unknown>, 'by'>[] = [
      putOffCall(member, [message], 'due'),
      deadLetterCall(member, message),
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
      const { rowId = '' } = model.state.letters[id] ?? {};
      return model.atMostOnce ? (model.published.get(rowId) ?? '') : '';
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
async function ended(group: Group, member: Member, draw: Draw): Promise<Message[]> {
  const messages: Message[] = [];
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
  if (
    message.runsAlone &&
    !(await group.send({ ...startCall(member, message), by: member }, twice))
  ) {
    member.hand.delete(message.rowId);
    return false;
  }
  const isOnce = group.model.atMostOnce && isRedrive(message.rowId);
  if (isOnce && !(await group.send({ ...startRedriveCall(member, message), by: member }, twice))) {
    member.hand.delete(message.rowId);
    return false;
  }
  if (isOnce) message.hasLeftDeadLetters = true;
  inHand.started = true;
  const { starts } = group.model;
  starts.set(message.rowId, (starts.get(message.rowId) ?? 0) + 1);
  return true;
}

/** Sends a call that settles messages: the member drops them, whatever the answer. */
async function settle<Answer>(
  group: Group,
  member: Member,
  { twice }: Draw,
  messages: readonly Message[],
  call: Omit<Call<Answer>, 'by' | 'essence'>,
): Promise<void> {
  if (messages.length === 0) return;
  const entryIds = messages.map(({ rowId }) => rowId);
  // If Redis refuses it, it is sent again later, or the process ends before that.
  for (const rowId of entryIds) member.hand.delete(rowId);
  member.sent.push({ call: { ...call, by: member }, entryIds });
  await group.send({ ...call, by: member }, twice);
}

function commitCall(group: Group, member: Member, messages: readonly Message[]) {
  const rule = group.model.atMostOnce ? outcomeRules.release : outcomeRules.commit;
  return {
    what: `commit ${idsOf(messages)}`,
    send: async (): Promise<void> => void (await modeOf(member, messages)?.commit(messages)),
    rule: (model: Model) => rule(model, member, messages),
    // That it was handled is written first, and what keeps others from running it is removed last.
    partly: ['ledger', 'letters', 'leases', 'retries'] as const,
  };
}

function putOffCall(member: Member, messages: readonly Message[], until: 'due' | 'later') {
  const delayMs = until === 'due' ? 0 : LONG_MS;
  const retries = messages.map((message) => ({ message: { ...message }, delayMs }));
  const putOff = retries.map(({ message }) => message);
  return {
    what: `schedule a retry of ${idsOf(putOff)}, ${until}`,
    send: async () => [...((await modeOf(member, messages)?.putOff(retries)) ?? [])],
    rule: (model: Model) => outcomeRules.putOff(model, member, putOff, until),
    // The attempt is counted first.
    partly: ['attempts'] as const,
  };
}

function deadLetterCall(member: Member, held: Message) {
  const message = { ...held };
  const { attempt: attempts } = message;
  const dead = { message, reason: 'test', error: undefined, attempts };
  const call = {};
  return {
    what: `dead letter of ${idsOf([message])}`,
    send: async () => (await member.modeOf(message).deadLetter(dead)) === true,
    rule: (model: Model) => {
      if (model.answers.has(call)) return false;
      if (model.atMostOnce) model.answers.set(call, true);
      return outcomeRules.deadLetter(model, member, message);
    },
    answersAnew: true,
  };
}

function putBackCall(member: Member, messages: readonly Message[]) {
  const call = {};
  return {
    what: `put back ${idsOf(messages)}`,
    send: async () => [...((await modeOf(member, messages)?.giveBack(messages)) ?? [])],
    rule: (model: Model) => model.once(call, () => outcomeRules.putBack(model, member, messages)),
  };
}

function handOverCall(member: Member, held: readonly Message[], waits: boolean) {
  const dueAt = performance.now() + LONG_MS;
  const messages = held.map((message) => (waits ? { ...message, dueAt } : message));
  return {
    what: `hand over ${idsOf(messages)}${waits ? ', later' : ''}`,
    send: async (): Promise<void> => void (await modeOf(member, messages)?.giveBack(messages)),
    rule: (model: Model) => outcomeRules.handOver(model, member, messages, waits),
  };
}

function startCall(member: Member, message: Message) {
  return {
    what: `start ${idsOf([message])} alone`,
    send: () => member.modeOf(message).recordStart(message),
    rule: (model: Model) => outcomeRules.startAlone(model, member, message),
  };
}

function startRedriveCall(member: Member, message: Message) {
  const call = {};
  return {
    what: `start ${idsOf([message])}`,
    send: () => member.modeOf(message).recordStart(message),
    rule: (model: Model) => {
      if (model.answers.has(call)) return true;
      const isStarted = outcomeRules.startRedrive(model, member, message);
      if (isStarted) model.answers.set(call, true);
      return isStarted;
    },
  };
}

/** The delivery mode of messages of one kind; undefined if there are none. */
const modeOf = (member: Member, messages: readonly Message[]): DeliveryMode | undefined =>
  messages[0] === undefined ? undefined : member.modeOf(messages[0]);

async function renew(
  group: Group,
  member: Member,
  messages: readonly Message[],
  twice: boolean,
): Promise<boolean[]> {
  if (messages.length === 0) return [];
  const { client, keys, name, options, model } = group;
  const ids = messages.flatMap((message) => [message.rowId, leaseIdOf(message, options)]);
  const args = [name, member.name, member.token, LONG_MS, model.hasLedger ? 1 : 0, ...ids];
  return group.send(
    {
      what: `renew ${idsOf(messages)}`,
      by: member,
      send: () => renewScript.run(client, [keys.stream, keys.leases, keys.retries], args),
      rule: (current) => outcomeRules.renew(current, member, messages),
      // Each by itself: those that come before a refused one are renewed.
      partly: ['leases', 'pending', 'retries'],
    },
    twice,
  );
}

function apart(messages: readonly Message[]): readonly [Message[], Message[]] {
  const [entries, redrives]: [Message[], Message[]] = [[], []];
  for (const message of messages) (isRedrive(message.rowId) ? redrives : entries).push(message);
  return [entries, redrives];
}
