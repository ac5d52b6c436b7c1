import type { ModulesContainer } from '@nestjs/core';
import { SafeLogger } from '../errors/safe-logger.js';
import { requireTransports, warnOfUnknownInstances } from './handler-transports.js';
import { instancesIn } from './instances.js';
import type { RedisStreamsPull } from './pull/redis-streams-pull.js';
import type { ScheduledJobs } from './scheduled-jobs.js';
import { ServerRedisStreams } from './server-redis-streams.js';

/** What an instance does by itself while its app starts and closes. */
export class InstanceLife {
  constructor(
    private readonly server: ServerRedisStreams,
    private readonly pull: RedisStreamsPull,
    readonly jobs: ScheduledJobs,
  ) {}

  start(modules: ModulesContainer): void {
    const { server, pull, jobs } = this;
    const [first] = instancesIn(modules);
    if (first?.name === server.options.name) {
      warnOfUnknownInstances(modules, new SafeLogger('RedisStreamsModule'));
    }
    server.beforeListening = () => requireTransports(modules);
    // startAllMicroservices() alone runs no hooks.
    server.whenListening(() => jobs.start());
    server.whenListening(() => pull.warnOfHandlers());
  }

  /** @param closes resolves to the signal that ends the process, if there is one */
  async end(closes: Promise<string | undefined>): Promise<void> {
    await Promise.all([this.server.drainWithApp(closes), this.pull.close(), this.jobs.stop()]);
  }
}
