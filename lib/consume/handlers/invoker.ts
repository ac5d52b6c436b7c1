import type { MessageHandler } from '@nestjs/microservices';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isObservable, lastValueFrom } from 'rxjs';
import { RequestAbandonedError } from '../../errors/handler.errors.js';
import { MessageValidationError } from '../../errors/message.errors.js';
import { isA } from '../../errors/thrown.js';
import type { HandlersMode } from '../../options/subscription-options.js';
import type { RunReplies } from '../../requests/run-replies.js';
import { validate, type Validated } from '../../wire/payload-schema.js';
import type { Invoke } from '../stream-place.js';
import {
  betweenHooks,
  type ProcessingHooks,
  takeDeciding,
  watchOriginalErrors,
} from './nest-layer.js';
import { RedisStreamsContext } from './redis-streams.context.js';
import { eachValue, valuesOf } from './reply-values.js';
import { failedWith, type Verdict, worse } from './run.js';

/** What handlers learn from their context about where they run. */
interface HandledWhere {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

/**
 * Validation is part of the run: what the ledger knows is not validated again, and a schema that takes long, hangs or ends the
 * process is treated like a handler that does.
 */
function runValid(
  validated: Validated | Promise<Validated>,
  runAll: (payload: unknown) => Promise<Verdict>,
): Promise<Verdict> {
  if (validated instanceof Promise) return validated.then((result) => runValid(result, runAll));
  return validated instanceof MessageValidationError
    ? Promise.resolve({ kind: 'invalid', error: validated })
    : runAll(validated.payload);
}

type Run = () => Promise<Verdict>;

/**
 * Runs the handlers of one stream: all that want a message get it, even if others fail, and the message has the worst of their
 * verdicts. Of several that are equally bad, it has that of the handler that was registered first.
 *
 * @param schema what payloads must fit before a handler gets them
 * @param hooks asked for each message, since hooks can be set at any time; undefined if none are set
 */
export function invoker(
  handlers: readonly NamedHandler[],
  where: HandledWhere,
  mode: HandlersMode,
  schema: StandardSchemaV1 | undefined,
  hooks: () => ProcessingHooks | undefined,
): Invoke {
  watchOriginalErrors();
  const wanting = handlersByName(handlers);
  const answerer = answererByName(handlers);
  const inMode = mode === 'in-order' ? inOrder : allAtOnce;
  const valid = (
    payload: unknown,
    runAll: (valid: unknown) => Promise<Verdict>,
  ): Promise<Verdict> =>
    schema === undefined
      ? runAll(payload)
      : runValid(validate(schema, where.stream, payload), runAll);
  return (message, signal) => {
    const { name, payload } = message.envelope;
    const { replies } = message;
    if (replies !== undefined) {
      const handler = answerer(name);
      if (handler === undefined) return Promise.resolve({ kind: 'unhandled' });
      const context = new RedisStreamsContext([message, where, signal]);
      return valid(payload, (validPayload) => {
        const runAnswer = (): Promise<Verdict> => answer(handler, validPayload, context, replies);
        const set = hooks();
        return set === undefined ? runAnswer() : betweenHooks(set, context, runAnswer);
      });
    }
    const wanted = wanting(name);
    const [first, second] = wanted;
    if (first === undefined) return Promise.resolve({ kind: 'unhandled' });
    const newContext = (): RedisStreamsContext => new RedisStreamsContext([message, where, signal]);
    const runAll = (validPayload: unknown): Promise<Verdict> => {
      const set = hooks();
      // Most often there is one handler and no hook: this is done for every message.
      if (set === undefined && second === undefined) return run(first, validPayload, newContext());
      // Each handler settles by hand in a context of its own; hooks get that of the first handler.
      const shown = newContext();
      const runs = wanted.map((handler, index) => {
        const context = index === 0 ? shown : newContext();
        return () => run(handler, validPayload, context);
      });
      return set === undefined ? inMode(runs) : betweenHooks(set, shown, () => inMode(runs));
    };
    return valid(payload, runAll);
  };
}

const HANDLED: Verdict = { kind: 'handled' };

async function inOrder(runs: readonly Run[]): Promise<Verdict> {
  let verdict = HANDLED;
  for (const each of runs) verdict = worse(verdict, await each());
  return verdict;
}

async function allAtOnce(runs: readonly Run[]): Promise<Verdict> {
  const verdicts = await Promise.all(runs.map((each) => each()));
  return verdicts.reduce(worse);
}

async function run(
  handler: MessageHandler,
  payload: unknown,
  context: RedisStreamsContext,
): Promise<Verdict> {
  try {
    const result: unknown = await handler(payload, context);
    if (isObservable(result)) await lastValueFrom(result, { defaultValue: undefined });
    return context.verdict ?? HANDLED;
  } catch (error) {
    return context.verdict ?? failedWith(takeDeciding(context, error));
  }
}

/** A handler, and which messages of its stream it wants. */
export interface NamedHandler {
  readonly handler: MessageHandler;
  /** It wants only messages of this name; undefined if it wants all of the stream. */
  readonly name: string | undefined;
  /** Whether it is for requests; otherwise it is for events. */
  readonly answers: boolean;
}

/**
 * @returns finds the handler that answers requests of a name: one for the name before one for the whole stream. Of several that
 *   are alike, it is the last one registered, as with Nest's own transports
 */
function answererByName(
  handlers: readonly NamedHandler[],
): (name: string) => MessageHandler | undefined {
  const byName = new Map(
    handlers.filter(({ answers }) => answers).map(({ handler, name }) => [name, handler]),
  );
  return (name) => byName.get(name) ?? byName.get(undefined);
}

/** @returns finds the handlers that want events of a name, in the order of registration */
function handlersByName(all: readonly NamedHandler[]): (name: string) => readonly MessageHandler[] {
  const handlers = all.filter(({ answers }) => !answers);
  const wanting = (name: string | undefined): MessageHandler[] =>
    handlers
      .filter((its) => its.name === undefined || its.name === name)
      .map(({ handler }) => handler);
  // There can be any number of names that no handler asks for: they come from outside, and all have the same handlers.
  const ofAnyName = wanting(undefined);
  const byName = new Map(
    handlers.flatMap(({ name }) => (name === undefined ? [] : [[name, wanting(name)]])),
  );
  return (name) => byName.get(name) ?? ofAnyName;
}

/** Runs a request's handler, and replies with each value that it gives. The outcome decides how the replies end. */
async function answer(
  handler: MessageHandler,
  payload: unknown,
  context: RedisStreamsContext,
  replies: RunReplies,
): Promise<Verdict> {
  try {
    const result: unknown = await handler(payload, context);
    const values = valuesOf(result, replies);
    if (values === undefined) replies.next(result);
    else await eachValue(values, replies, context.getSignal());
    return context.verdict ?? { kind: 'handled' };
  } catch (error) {
    const byHand = context.verdict;
    const deciding = takeDeciding(context, error);
    if (byHand !== undefined) return byHand;
    if (isA(deciding, RequestAbandonedError)) return { kind: 'abandoned' };
    // The caller gets what filters made of the error, as with Nest's own transports.
    return { ...failedWith(deciding), reply: error };
  }
}
