import { answerOf } from '../process/redis-probe.js';
import { RedisStartError } from '../redis-start.error.js';
import * as messages from '../testing.messages.js';
import type { Way } from './way.js';

const IMAGE = 'redis:7-alpine';
const PORT = 6379;
const READY_WITHIN_MS = 20_000;

/** A container, through testcontainers: it sees to it that the container goes when this process dies. */
export const dockerWay: Way = {
  name: 'Docker',
  async start({ args = [], port, dir, binary }) {
    if (dir !== undefined || binary !== undefined) {
      throw new RedisStartError(messages.dockerNotWanted());
    }
    const { GenericContainer, getContainerRuntimeClient } = await loadTestcontainers();
    await getContainerRuntimeClient().catch((error: unknown) => {
      throw new RedisStartError(messages.noDockerEngine(textOf(error)), { cause: error });
    });
    const container = await new GenericContainer(IMAGE)
      .withCommand(['redis-server', '--save', '', '--appendonly', 'no', ...args])
      .withExposedPorts(port === undefined ? PORT : { container: PORT, host: port })
      .start()
      .catch((error: unknown) => {
        throw new RedisStartError(messages.containerFailed(IMAGE, textOf(error)), { cause: error });
      });
    const address = { host: container.getHost(), port: container.getMappedPort(PORT) };
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopping ??= container.stop().then(() => undefined));
    if ((await answerOf(address, READY_WITHIN_MS)) === undefined) {
      await stop();
      throw new RedisStartError(messages.noAnswer(IMAGE, READY_WITHIN_MS, ''));
    }
    return { ...address, url: `redis://${address.host}:${address.port}`, source: 'docker', stop };
  },
};

async function loadTestcontainers(): Promise<typeof import('testcontainers')> {
  try {
    return await import('testcontainers');
  } catch (error) {
    throw new RedisStartError(messages.testcontainersMissing(textOf(error)), { cause: error });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
