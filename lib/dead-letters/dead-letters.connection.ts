import { Logger } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ConnectionClosedError } from '../errors/connection-closed.error.js';
import type { ConnectionOption } from '../options/connection-option.js';
import {
  type Connection,
  connectionFor,
  dropConnection,
  openConnection,
  whenReady,
} from '../redis/connection.js';
import { watchConnection } from '../redis/connection-watch.js';
import * as text from './dead-letters.messages.js';

interface Opened {
  readonly connection: Connection;
  readonly endWatch: () => void;
  readonly closing: AbortController;
}

/**
 * A connection that is opened by the first who needs it. Nothing is resent on it: what counts what it did would not count it
 * the second time.
 */
export class DeadLettersConnection {
  private readonly logger = new Logger('DeadLetters');
  private opened: Opened | undefined;

  constructor(private readonly option: ConnectionOption) {}

  /** @throws ConnectionClosedError where it is closed meanwhile */
  async ready(): Promise<Redis> {
    const { connection, closing } = this.open();
    await whenReady(connection, closing.signal);
    return connection.client;
  }

  close(): void {
    const { opened } = this;
    if (opened === undefined) return;
    this.opened = undefined;
    opened.closing.abort(new ConnectionClosedError('dead letters'));
    opened.endWatch();
    dropConnection(opened.connection);
  }

  private open(): Opened {
    if (this.opened !== undefined) return this.opened;
    const connection = connectionFor(this.option, 'operator', text.CONNECTION_NAME);
    const endWatch = watchConnection(connection, text.ROLE, this.logger, () => undefined);
    openConnection(connection);
    this.opened = { connection, endWatch, closing: new AbortController() };
    return this.opened;
  }
}
