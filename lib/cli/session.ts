import type { Command } from 'commander';
import type { Redis } from 'ioredis';
import type { Codec } from '../wire/codec.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { codecOf } from './connection/codec-of.js';
import {
  type ConnectionFlags,
  connectionOf,
  type ConnectionTarget,
} from './connection/connection-of.js';
import { openRedis } from './connection/open-redis.js';
import { jsonText } from './output/json.js';
import { type Column, tableText } from './output/table.js';
import { visible } from './output/visible.js';

/** The options that every command has. */
interface GlobalFlags extends ConnectionFlags {
  readonly prefix: string;
  readonly codec: string;
  readonly payload?: PayloadForm;
  readonly timeout: number;
  readonly json?: boolean;
  readonly yes?: boolean;
}

const NARROW = 80;

/** What a command works with: Redis, how messages are written, and where its answer goes. */
export class Session {
  readonly codec: Codec;
  private readonly closing: (() => void)[] = [];

  private constructor(
    private readonly flags: GlobalFlags,
    private readonly target: ConnectionTarget,
    readonly client: Redis,
  ) {
    this.codec = codecOf(flags.codec, flags.payload);
  }

  /** Does `work` over a connection, and closes it. */
  static async with(command: Command, work: (session: Session) => Promise<void>): Promise<void> {
    const flags = command.optsWithGlobals<GlobalFlags>();
    // What is wrong is found before anybody waits for Redis.
    codecOf(flags.codec, flags.payload);
    const target = connectionOf(flags);
    const { client, close } = await openRedis(target, flags.timeout);
    const session = new Session(flags, target, client);
    try {
      await work(session);
    } finally {
      for (const end of session.closing) end();
      close();
    }
  }

  get prefix(): string {
    return this.flags.prefix;
  }

  get isJson(): boolean {
    return this.flags.json === true;
  }

  get yes(): boolean {
    return this.flags.yes === true;
  }

  get timeoutMs(): number {
    return this.flags.timeout;
  }

  /** How wide the answer may be. */
  get width(): number {
    // A pseudo-terminal that nobody has measured says 0.
    return (process.stdout.isTTY && process.stdout.columns) || NARROW;
  }

  /** One more connection, to wait in Redis with. It is closed with the session. */
  async blocking(): Promise<Redis> {
    const { client, close } = await openRedis(this.target, this.flags.timeout, 'blocking');
    this.closing.push(close);
    return client;
  }

  /** The answer: `value` for programs, else what `words` makes of it for people. */
  answer(value: unknown, words: () => string): void {
    process.stdout.write(`${this.isJson ? jsonText(value, 2) : words()}\n`);
  }

  /** One line of an answer that goes on. */
  line(value: unknown, words: () => string): void {
    process.stdout.write(`${this.isJson ? jsonText(value) : words()}\n`);
  }

  /** The answer as a table, or `none` where there are no rows. */
  rows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], none: string): void {
    this.answer(rows, () =>
      rows.length === 0 ? visible(none) : tableText(rows, columns, this.width),
    );
  }

  /** Something to know beside the answer: for people only. */
  note(words: string): void {
    if (!this.isJson) process.stderr.write(`${visible(words)}\n`);
  }
}
