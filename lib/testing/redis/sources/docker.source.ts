import { answerOf } from '../process/redis-probe.js';
import { messageOf, RedisStartError } from '../start-redis.errors.js';
import type { Source } from '../started-redis.js';

const IMAGE = 'redis:7-alpine';
const PORT = 6379;
const READY_WITHIN_MS = 20_000;

/** A container of testcontainers, which removes it if this process dies. */
export const dockerSource: Source = {
  name: 'Docker',
  async start({ args = [], port, dir, binary }) {
    if (dir !== undefined || binary !== undefined) {
      throw new RedisStartError(
        'not used, since the options name a dir or a binary of this machine',
      );
    }
    const { GenericContainer, getContainerRuntimeClient } = await loadTestcontainers();
    await getContainerRuntimeClient().catch(failed('no Docker engine answers'));
    const container = await new GenericContainer(IMAGE)
      .withCommand(['redis-server', '--save', '', '--appendonly', 'no', ...args])
      .withExposedPorts(port === undefined ? PORT : { container: PORT, host: port })
      .start()
      .catch(failed(`the container of ${IMAGE} did not start`));
    const address = { host: container.getHost(), port: container.getMappedPort(PORT) };
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= container.stop().then(() => undefined));
    if ((await answerOf(address, READY_WITHIN_MS)) === undefined) {
      await stop();
      throw new RedisStartError(`${IMAGE} did not answer within ${READY_WITHIN_MS} ms`);
    }
    return { ...address, url: `redis://${address.host}:${address.port}`, source: 'docker', stop };
  },
};

const loadTestcontainers = (): Promise<typeof import('testcontainers')> =>
  import('testcontainers').catch(
    failed('the package testcontainers cannot be loaded, and may not be installed'),
  );

const failed =
  (what: string) =>
  (cause: unknown): never => {
    throw new RedisStartError(`${what} (${messageOf(cause)})`, { cause });
  };
