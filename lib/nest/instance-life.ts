import type { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import { SafeLogger } from '../errors/safe-logger.js';
import { requireTransports, warnOfUnknownInstances } from './handler-transports.js';
import { instancesIn } from './instances.js';
import type { RedisStreamsPull } from './pull/redis-streams-pull.js';
import type { ScheduledJobs } from './scheduled-jobs.js';
import { HINT_AFTER_MS } from './shutdown-hint.js';
import { whyUnserved } from './unserved-handlers.js';
import { ServerRedisStreams } from './server-redis-streams.js';

/** What an instance does by itself while its app starts and closes. */
export class InstanceLife {
  private readonly logger = new SafeLogger('RedisStreamsModule');
  private listening: Subscription | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly server: ServerRedisStreams,
    private readonly pull: RedisStreamsPull,
    readonly jobs: ScheduledJobs,
  ) {}

  start(modules: ModulesContainer): void {
    const { server, pull, jobs } = this;
    const [first] = instancesIn(modules);
    if (first?.name === server.options.name) {
      warnOfUnknownInstances(modules, this.logger);
    }
    server.beforeListening = () => requireTransports(modules);
    // startAllMicroservices() alone runs no hooks.
    server.whenListening(() => jobs.start());
    server.whenListening(() => pull.warnOfHandlers());
  }

  /** Says why handlers get nothing, some time after the app has begun to serve HTTP. Only then was its start meant to be over. */
  watchHandlers(modules: ModulesContainer, { listen$ }: HttpAdapterHost): void {
    this.listening = listen$.subscribe(() => {
      this.timer = setTimeout(() => {
        const reason = whyUnserved(modules, this.server);
        if (reason !== undefined) this.logger.warn(reason);
      }, HINT_AFTER_MS).unref();
    });
  }

  /** @param closes resolves to the signal that ends the process, if there is one */
  async end(closes: Promise<string | undefined>): Promise<void> {
    this.listening?.unsubscribe();
    clearTimeout(this.timer);
    await Promise.all([this.server.drainWithApp(closes), this.pull.close(), this.jobs.stop()]);
  }
}
