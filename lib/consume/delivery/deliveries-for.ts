import type { LoggerService } from '@nestjs/common';
import { ledgerWindowMs, type ResolvedSubscription } from '../../options/resolved-options.js';
import { StepFaults } from '../report.js';
import { Leased, PendingOnly, Redrives } from './at-least-once.js';
import { RecordedFirst, RedrivesOnce } from './at-most-once.js';
import type { ScriptRunner } from '../../redis/scripts/script.js';
import { Deliveries, type SharedWrite } from './deliveries.js';
import { type ClaimPlace, DeliveryScripts } from './delivery-scripts.js';
import type { DeliveryMode } from './mode.js';
import type { Standing } from './steps.js';

/** Makes the deliveries of a stream. */
export function deliveriesFor(
  place: ClaimPlace,
  options: ResolvedSubscription,
  runner: ScriptRunner,
  sharedWrite: SharedWrite,
  standing: Standing,
  logger: LoggerService,
  signal: AbortSignal,
): Deliveries {
  const modes = modesFor(new DeliveryScripts(runner, place), options);
  const faults = new StepFaults(logger, place.stream);
  return new Deliveries(modes, place, options.batchSize, faults, standing, signal, sharedWrite);
}

interface Modes {
  readonly entries: DeliveryMode;
  readonly redrives: DeliveryMode;
}

/** Chooses how the messages of a stream are delivered: the only place that asks for the mode. */
export function modesFor(scripts: DeliveryScripts, options: ResolvedSubscription): Modes {
  const windowMs = ledgerWindowMs(options);
  const { maxLength } = options.deadLetter;
  if (options.delivery === 'at-most-once') {
    return {
      entries: new RecordedFirst(scripts, windowMs, maxLength),
      redrives: new RedrivesOnce(scripts, windowMs, maxLength),
    };
  }
  return {
    entries:
      windowMs > 0 ? new Leased(scripts, windowMs, maxLength) : new PendingOnly(scripts, maxLength),
    redrives: new Redrives(scripts, windowMs, maxLength),
  };
}

/** Whether what is pending for a member that is gone may have been started, as the next owner of a partition has to count it. */
export const startsBeforeAcknowledging = ({ delivery }: ResolvedSubscription): boolean =>
  delivery === 'at-least-once';
