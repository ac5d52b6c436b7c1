import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { SafeLogger } from '../errors/safe-logger.js';
import { InvalidOptionsError } from '../errors/redis-streams.error.js';
import { checkOptions } from '../options/check-options.js';
import {
  type DeadLettersOptions,
  deadLettersSchemas as schemas,
} from '../options/dead-letters-options.js';
import { resolveCodecs, resolvePartitions } from '../options/resolve-options.js';
import { DEFAULTS, type StreamPartitions } from '../options/resolved-options.js';
import { OpenedConnection } from '../redis/connect/opened-connection.js';
import type { StreamCodecs } from '../wire/stream-codecs.js';
import type { DeadLetter } from './dead-letter.js';
import {
  GroupDeadLetters,
  type RedriveProgress,
  type SomeDeadLetters,
} from './group-dead-letters.js';

/** Whose dead letters. */
export interface DeadLettersOf {
  /** The stream's name, without `keyPrefix`. */
  readonly stream: string;
  /** @default the module's group */
  readonly group?: string;
}

/** The options of `DeadLetters.list()`. */
export interface ListDeadLetters extends DeadLettersOf {
  /**
   * At most this many, 1 to 1 000.
   *
   * @default 100
   */
  readonly limit?: number;
  /** The ID of a dead letter: only older ones. The last ID of a page gives the next page. */
  readonly before?: string;
}

/** The options of `DeadLetters.get()`. */
export interface GetDeadLetter extends DeadLettersOf {
  readonly id: string;
}

/** The options of `DeadLetters.redrive()`. */
export type RedriveDeadLetters = DeadLettersOf &
  SomeDeadLetters & {
    /**
     * How many to redrive, 1 or more, the oldest first.
     *
     * @default all of them
     */
    readonly limit?: number;
    /** Called after each page. */
    readonly onProgress?: (progress: RedriveProgress) => void;
  };

/** The options of `DeadLetters.purge()`. */
export type PurgeDeadLetters = DeadLettersOf & SomeDeadLetters;

/**
 * The messages that a group has given up: list them, run them again, delete them. The module provides it. Without the module,
 * pass the options; it connects with the first call.
 *
 * @example
 * ```ts
 * const [newest] = await this.deadLetters.list({ stream: 'orders', limit: 20 });
 * await this.deadLetters.redrive({ stream: 'orders', filter: ({ error }) => error?.name === 'TimeoutError' });
 * ```
 */
@Injectable()
export class DeadLetters implements OnApplicationShutdown {
  private readonly codecs: StreamCodecs;
  private readonly partitions: StreamPartitions;
  private readonly logger = new SafeLogger(DeadLetters.name);
  private connection: OpenedConnection | undefined;

  /** @throws InvalidOptionsError */
  constructor(
    private readonly options: DeadLettersOptions = {},
    /** @internal The module has them already. */
    resolved?: { readonly codecs: StreamCodecs; readonly partitions: StreamPartitions },
  ) {
    checkOptions(schemas.options, options);
    this.codecs = resolved?.codecs ?? resolveCodecs(options);
    this.partitions = resolved?.partitions ?? resolvePartitions(options.streams);
  }

  /** A page of them, the newest first. */
  async list(options: ListDeadLetters): Promise<DeadLetter[]> {
    checkOptions(schemas.list, options, 'list');
    return this.of(options, 'list').list(options);
  }

  /** How many there are, including those that are being redriven. */
  async count(options: DeadLettersOf): Promise<number> {
    checkOptions(schemas.count, options, 'count');
    return this.of(options, 'count').count();
  }

  /** One of them, or `undefined` if it does not exist (any more). */
  async get(options: GetDeadLetter): Promise<DeadLetter | undefined> {
    checkOptions(schemas.get, options, 'get');
    return this.of(options, 'get').get(options.id);
  }

  /**
   * Runs dead letters again in their group, and in no other, beginning with attempt 1. Each stays a dead letter until its run is
   * settled: then it is removed, or becomes a new one. (At-most-once removes it when its run begins.) A consumer of the
   * group takes them; if none is running, they wait for one. One that already waits or runs is not redriven again.
   *
   * @returns how many this call has redriven
   */
  async redrive(options: RedriveDeadLetters): Promise<{ redriven: number }> {
    checkOptions(schemas.redrive, options, 'redrive');
    return this.of(options, 'redrive').redrive(options);
  }

  /**
   * Deletes dead letters, including those that wait to be redriven. One that is running continues: it is not tried again, and
   * becomes a new dead letter only if this was its last attempt.
   *
   * @returns how many this call has deleted
   */
  async purge(options: PurgeDeadLetters): Promise<{ purged: number }> {
    checkOptions(schemas.purge, options, 'purge');
    return this.of(options, 'purge').purge(options);
  }

  /** Closes the connection, unless the user passed it in. The next call opens it again. */
  close(): void {
    this.connection?.drop();
    this.connection = undefined;
  }

  /** Called by Nest when the app ends. */
  onApplicationShutdown(): void {
    this.close();
  }

  private of(
    { stream, group = this.options.group }: DeadLettersOf,
    call: string,
  ): GroupDeadLetters {
    if (group === undefined) {
      throw new InvalidOptionsError(
        `${call}.group`,
        'nothing',
        'the name of a group, since there is none in the options',
      );
    }
    return new GroupDeadLetters(() => this.ready(), this.codecs.of(stream), {
      keyPrefix: this.options.keyPrefix ?? '',
      stream,
      group,
      partitions: this.partitions.get(stream),
    });
  }

  // As an operator it never resends a command: the second run of a script would count nothing.
  private ready(): Promise<Redis> {
    this.connection ??= new OpenedConnection(this.options.connection ?? DEFAULTS.connection, {
      role: 'operator',
      name: 'nestjs-redis-streams:dead-letters',
      called: 'dead letters',
      logger: this.logger,
    });
    return this.connection.ready();
  }
}
