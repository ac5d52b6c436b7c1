import { backlog } from './backlog.js';
import type { Behaviour } from './behaviour.js';
import { closesBesideAnother, restartsOften } from './closing.js';
import { killed } from './deaths.js';
import { deleted, secondEntry, undecodable } from './entries.js';
import { destroysGroup, dropsConnections, flushesAll, flushesScripts } from './faults.js';
import { fullRedis } from './full-redis.js';
import {
  acksByHand,
  deadLettersByHand,
  retriesByHand,
  throwsAlways,
  throwsAnything,
  throwsDeadLetter,
  throwsOnce,
  throwsRetry,
  timesOut,
} from './outcomes.js';
import { ownContext } from './own-context.js';
import { refusedStream } from './refused-stream.js';
import { slowHandler } from './slow-handler.js';
import { tellsTruth } from './truth.js';

/** The table of behaviours. Those that take long are first. */
export const BEHAVIOURS: readonly Behaviour[] = [
  slowHandler,
  killed,
  restartsOften,
  closesBesideAnother,
  tellsTruth,
  throwsOnce,
  throwsAlways,
  throwsAnything,
  throwsRetry,
  throwsDeadLetter,
  acksByHand,
  retriesByHand,
  deadLettersByHand,
  timesOut,
  ownContext,
  secondEntry,
  undecodable,
  deleted,
  dropsConnections,
  flushesScripts,
  destroysGroup,
  flushesAll,
  fullRedis,
  refusedStream,
  backlog,
];
