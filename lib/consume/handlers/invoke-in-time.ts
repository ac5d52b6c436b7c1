import { HandlerTimeoutError } from '../../errors/handler.errors.js';
import type { ResolvedSubscription } from '../../options/resolved-options.js';
import type { RunSignal } from './run-signal.js';
import type { Invoke, StreamMessage } from '../stream-message.js';
import type { Verdict } from '../verdict.js';

/** What runs, and how long it may take. */
export interface InTimeParts {
  readonly stream: string;
  readonly options: Pick<ResolvedSubscription, 'handlerTimeoutMs'>;
  readonly invoke: Invoke;
}

/** Runs a message's handlers. One that ignores its signal does not hold its slot for ever: it is left to itself. */
export function invokeInTime(
  parts: InTimeParts,
  message: StreamMessage,
  signal: RunSignal,
): Promise<Verdict> {
  const { handlerTimeoutMs } = parts.options;
  return handlerTimeoutMs === undefined
    ? parts.invoke(message, signal)
    : invokeFor(handlerTimeoutMs, parts, message, signal);
}

async function invokeFor(
  timeoutMs: number,
  { stream, invoke }: InTimeParts,
  message: StreamMessage,
  signal: RunSignal,
): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => {
      const error = new HandlerTimeoutError(stream, message.originalEntryId, timeoutMs);
      signal.abort(error);
      resolve({ kind: 'failed', error });
    }, timeoutMs);
  });
  try {
    return await Promise.race([invoke(message, signal), timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
