import { drain } from './drain.scenario.js';
import { emit, emitBatch } from './emit.scenario.js';
import { idleStreams } from './idle-streams.scenario.js';
import { idle } from './idle.scenario.js';
import { ledger } from './ledger.scenario.js';
import { memory } from './memory.scenario.js';
import { processes } from './processes.scenario.js';
import { publishAndConsume } from './publish-and-consume.scenario.js';
import type { Scenario } from './scenario.js';
import { waiting } from './waiting.scenario.js';
import { work } from './work.scenario.js';

/** The scenarios that need no other package, in the order in which they are run. */
export const OURS: readonly Scenario[] = [
  drain,
  work,
  publishAndConsume,
  emit,
  emitBatch,
  idle,
  waiting,
  processes,
  ledger,
  idleStreams,
  memory,
];
