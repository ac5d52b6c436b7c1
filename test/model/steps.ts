import { array, boolean, constant, nat, oneof, record } from 'fast-check';

import type { Group } from './group.js';
import { keySteps } from './key.steps.js';
import { outcomeSteps } from './outcome.steps.js';
import { Refused } from './refusal.js';
import type { Draw, Step } from './step.js';
import { deliverySteps } from './delivery.steps.js';
import { timeSteps } from './time.steps.js';

const STEPS = { ...deliverySteps, ...outcomeSteps, ...timeSteps, ...keySteps } satisfies Record<
  string,
  Step
>;
type StepName = keyof typeof STEPS;

/** How often each is drawn: steps that put messages into several hands more often. */
const WEIGHTS: Record<StepName, number> = {
  publish: 4,
  read: 5,
  takeDue: 4,
  recover: 4,
  resume: 3,
  reserve: 3,
  start: 2,
  commit: 3,
  retry: 4,
  countAttempt: 2,
  deadLetter: 3,
  giveBack: 2,
  renew: 4,
  meddle: 3,
  sendAgain: 3,
  redrive: 3,
  stall: 5,
  wait: 4,
  die: 2,
  leaveWindow: 1,
  pack: 3,
  maintain: 1,
  breakKey: 1,
  mendKey: 3,
};

const NAMES = Object.keys(STEPS) as StepName[];

export const anySteps = array(
  record({
    step: oneof(...NAMES.map((name) => ({ weight: WEIGHTS[name], arbitrary: constant(name) }))),
    by: nat(2),
    pick: nat(5),
    many: boolean(),
    twice: boolean(),
  }),
  { minLength: 1, maxLength: 100, size: 'max' },
);

export async function take(
  group: Group,
  { step, ...draw }: Draw & { readonly step: StepName },
): Promise<void> {
  try {
    await STEPS[step](group, group.members[draw.by]!, draw);
  } catch (error) {
    // The call has been compared with the model, and whoever sent it goes on.
    if (!(error instanceof Refused)) throw error;
  }
}
