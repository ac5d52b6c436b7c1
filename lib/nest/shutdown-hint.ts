import type { LoggerService } from '@nestjs/common';
import { isMainThread } from 'node:worker_threads';
import * as text from './nest.messages.js';

/** Programs may start to listen to signals after they have started their servers. */
export const HINT_AFTER_MS = 3_000;

let isSaid = false;

/**
 * Says once in a process that SIGTERM would end it without closing the app, if nothing listens to that signal some time after a
 * server has started.
 *
 * @returns a function that ends the wait
 */
export function hintAtShutdownHooks(logger: LoggerService): () => void {
  const timer = setTimeout(() => {
    // Only the main thread gets signals, and Windows has no SIGTERM.
    if (isSaid || !isMainThread || process.platform === 'win32') return;
    if (process.listenerCount('SIGTERM') > 0) return;
    isSaid = true;
    logger.log(text.NO_SHUTDOWN_HOOKS);
  }, HINT_AFTER_MS).unref();
  return () => clearTimeout(timer);
}
