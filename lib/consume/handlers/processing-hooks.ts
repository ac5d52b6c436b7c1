import type { RedisStreamsContext } from './redis-streams.context.js';
import type { Verdict } from './run.js';

/** What is called around the handlers of a message: Nest's hooks, which instrumentation sets. */
export interface ProcessingHooks {
  /** `done` runs the handlers, and resolves once they have ended, even if they failed. */
  readonly start: (context: RedisStreamsContext, done: () => Promise<void>) => unknown;
  readonly end: (context: RedisStreamsContext) => unknown;
  /** Called with the error of a hook that does not change the message's outcome. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Runs a message's handlers between the hooks, each of which is called once. If a start hook fails before it calls `done`, the
 * handlers do not run, and the message has failed. Nothing else that hooks do changes its outcome.
 */
export function betweenHooks(
  { start, end, onFault }: ProcessingHooks,
  context: RedisStreamsContext,
  run: () => Promise<Verdict>,
): Promise<Verdict> {
  return new Promise((resolve) => {
    let running: Promise<void> | undefined;
    let keptOff = false;
    const runAndEnd = async (): Promise<void> => {
      if (keptOff) return;
      const verdict = await run();
      void called(() => end(context), onFault);
      resolve(verdict);
    };
    const done = (): Promise<void> => (running ??= runAndEnd());
    void called(
      () => start(context, done),
      (error) => {
        if (running !== undefined) return onFault(error);
        // If it calls done() later all the same, the message may be running again by then.
        keptOff = true;
        resolve({ kind: 'failed', error });
      },
    );
  });
}

/** A hook may be an async function: what it rejects with must not end the process. */
async function called(hook: () => unknown, onFault: (error: unknown) => void): Promise<void> {
  try {
    await hook();
  } catch (error) {
    onFault(error);
  }
}
