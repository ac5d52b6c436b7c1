import { z } from 'zod';
import { object, timerMs } from '../../options/value.schemas.js';

const oneOf = (names: readonly [string, ...string[]]) =>
  z.enum(names, { error: `'${names.join("' or '")}'` }).optional();
const attempt = z.number({ error: 'a number, 1 or more' }).int().min(1).optional();
const waitError = 'an object with timeoutMs';

/** What is no business of this kit is checked by the module and by Nest. */
export const schemas = {
  create: object(
    {
      connection: z.unknown().optional(),
      options: z.record(z.string(), z.unknown(), { error: 'options of the module' }).optional(),
      timeoutMs: timerMs(1),
      logger: z.unknown().optional(),
    },
    'an object with the options of RedisStreamsTesting.create()',
  ),
  outcome: object({ timeoutMs: timerMs(1), attempt }, waitError),
  drained: object({ timeoutMs: timerMs(1), retries: oneOf(['wait', 'leave']) }, waitError),
};
