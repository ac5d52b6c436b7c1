import { startRedis } from '../../lib/testing/index.js';

/**
 * How this machine can give a test a separate Redis: as a process, which can be killed and started again; as
 * a container; or not at all, if there is only a `REDIS_URL`. For `describe.skip` at the top of a file.
 *
 * @example
 * const withProcess = (await ownRedis()) === 'process' ? describe : describe.skip;
 */
export async function ownRedis(): Promise<'process' | 'container' | 'none'> {
  try {
    const redis = await startRedis({ args: [] });
    await redis.stop();
    return redis.process === undefined ? 'container' : 'process';
  } catch (error) {
    if (process.env['REDIS_URL'] !== undefined) {
      return 'none';
    }
    throw error;
  }
}
