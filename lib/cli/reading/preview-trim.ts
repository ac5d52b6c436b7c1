import type { Redis } from 'ioredis';
import {
  previewTrimScript,
  type TrimPreview,
} from '../../redis/scripts/admin/preview-trim.script.js';

/** How many entries one script examines: Redis serves nobody else meanwhile. */
const STEP = 1_000;

/** The limits of a trim. */
export interface TrimLimits {
  readonly maxAge?: number;
  readonly maxLength?: number;
  readonly ignoreGroup?: readonly string[];
}

/** What a trim would do. */
export interface TrimPlan {
  /** Entries beyond the limits. */
  readonly beyond: number;
  /** Those among them that stay, because some group has not finished them. */
  readonly unfinished: number;
  readonly held: TrimPreview['held'];
}

/** Counts what a trim would remove, without removing anything. */
export async function previewTrim(
  client: Redis,
  key: string,
  { maxAge, maxLength, ignoreGroup = [] }: TrimLimits,
  onProgress: (looked: number) => void,
): Promise<TrimPlan> {
  let plan: TrimPlan = { beyond: 0, unfinished: 0, held: undefined };
  for (let after: string | undefined = ''; after !== undefined;) {
    const step: TrimPreview = await previewTrimScript.run(
      client,
      [key],
      [maxAge ?? '', maxLength ?? '', STEP, after, plan.beyond, ...ignoreGroup],
    );
    plan = {
      beyond: plan.beyond + step.beyond,
      unfinished: plan.unfinished + step.unfinished,
      held: step.held,
    };
    onProgress(plan.beyond);
    after = step.next;
  }
  return plan;
}

/** The oldest entry of a stream that some group has not finished, if there is one. */
export async function oldestUnfinished(client: Redis, key: string): Promise<TrimPreview['held']> {
  const { held } = await previewTrimScript.run(client, [key], ['', '', 1, '', 0]);
  return held;
}
