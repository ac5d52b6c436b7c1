import type { MessageHandler } from '@nestjs/microservices';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isObservable, lastValueFrom } from 'rxjs';
import { validate, type Validated } from '../../wire/payload-schema.js';
import { MessageValidationError } from '../../errors/message.errors.js';
import type { HandlersMode } from '../../options/subscription-options.js';
import { answer } from './answer.js';
import { answererByName, handlersByName, type NamedHandler } from './handlers-by-name.js';
import { takeOriginal, watchOriginalErrors } from './original-errors.js';
import { betweenHooks, type ProcessingHooks } from './processing-hooks.js';
import { RedisStreamsContext } from './redis-streams.context.js';
import type { Invoke } from '../consumed-stream.js';
import { type Verdict, worse } from './run.js';

/** Where the handlers run: what their context tells them. */
interface HandledWhere {
  readonly stream: string;
  readonly group: string;
  readonly consumer: string;
}

export interface InvokerParts {
  readonly handlers: readonly NamedHandler[];
  readonly where: HandledWhere;
  readonly mode: HandlersMode;
  /** What payloads have to fit before a handler gets them. */
  readonly schema: StandardSchemaV1 | undefined;
  /** Asked for each message, since hooks can be set at any time; nothing where none are set. */
  readonly hooks: () => ProcessingHooks | undefined;
}

/**
 * Validated as part of its run, not when it was read: what the ledger knows is not looked at again, and a schema that takes
 * long, hangs or ends the process is dealt with as a handler that does.
 */
function runValid(
  validated: Validated | Promise<Validated>,
  runAll: (payload: unknown) => Promise<Verdict>,
): Promise<Verdict> {
  if (validated instanceof Promise) return validated.then((its) => runValid(its, runAll));
  return validated instanceof MessageValidationError
    ? Promise.resolve({ kind: 'invalid', error: validated })
    : runAll(validated.payload);
}

type Run = () => Promise<Verdict>;

/**
 * Runs the handlers of one stream: all that want a message get it, whatever becomes of the others, and the message's
 * verdict is the worst of theirs. Of several that are as bad it is that of the one registered first.
 */
export function invoker({ handlers, where, mode, schema, hooks }: InvokerParts): Invoke {
  watchOriginalErrors();
  const wanting = handlersByName(handlers);
  const answerer = answererByName(handlers);
  const inMode = mode === 'in-order' ? inOrder : allAtOnce;
  const valid = (payload: unknown, runAll: (its: unknown) => Promise<Verdict>): Promise<Verdict> =>
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
      return valid(payload, (its) => {
        const runAnswer = (): Promise<Verdict> => answer(handler, its, context, replies);
        const set = hooks();
        return set === undefined ? runAnswer() : betweenHooks(set, context, runAnswer);
      });
    }
    const wanted = wanting(name);
    const [first, second] = wanted;
    if (first === undefined) return Promise.resolve({ kind: 'unhandled' });
    const newContext = (): RedisStreamsContext => new RedisStreamsContext([message, where, signal]);
    const runAll = (its: unknown): Promise<Verdict> => {
      const set = hooks();
      // Most often there is no other, and nothing around it: this is done for every message.
      if (set === undefined && second === undefined) return run(first, its, newContext());
      // Each has a context of its own, to settle by hand; hooks are told with what the first handler gets.
      const shown = newContext();
      const runs = wanted.map((handler, index) => {
        const context = index === 0 ? shown : newContext();
        return () => run(handler, its, context);
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
    return context.verdict ?? { kind: 'failed', error: takeOriginal(context, error) };
  }
}
