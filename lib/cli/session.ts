import type { Command } from 'commander';
import type { Redis } from 'ioredis';
import { visible } from '../errors/thrown.js';
import type { Codec } from '../wire/codec.js';
import { FieldCodec } from '../wire/field.codec.js';
import { JsonCodec } from '../wire/json.codec.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { UsageError } from './cli.error.js';
import { type ConnectionFlags, connectionOf } from './connection/connection-of.js';
import type { OpenRedis } from './connection/open-redis.js';
import type { Column } from './output/table.js';
import { jsonText } from './output/text.js';

/** The options that every command has. */
interface GlobalFlags extends ConnectionFlags {
  readonly prefix: string;
  readonly codec: string;
  readonly payload?: PayloadForm;
  readonly timeout: number;
  readonly json?: boolean;
  readonly yes?: boolean;
}

const DEFAULT_WIDTH = 80;

type Open = (role?: 'blocking') => Promise<OpenRedis>;

/** What a command works with: a connection to Redis, the codec of the messages, and its output. */
export class Session {
  private readonly closing: (() => void)[] = [];

  private constructor(
    private readonly flags: GlobalFlags,
    readonly codec: Codec,
    readonly client: Redis,
    private readonly open: Open,
  ) {}

  /** Runs `work` with a connection, which is closed after it. */
  static async with(command: Command, work: (session: Session) => Promise<void>): Promise<void> {
    const flags = command.optsWithGlobals<GlobalFlags>();
    // Wrong usage is reported before anything waits for Redis.
    const codec = await codecOf(flags.codec, flags.payload);
    const target = connectionOf(flags);
    const { openRedis } = await import('./connection/open-redis.js');
    const open: Open = (role) => openRedis(target, flags.timeout, role);
    const { client, close } = await open();
    const session = new Session(flags, codec, client, open);
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

  /** How many columns the output may have. */
  get width(): number {
    // A pseudo-terminal without a size says 0.
    return (process.stdout.isTTY && process.stdout.columns) || DEFAULT_WIDTH;
  }

  /** A second connection, for commands that block in Redis. It is closed with the session. */
  async blocking(): Promise<Redis> {
    const { client, close } = await this.open('blocking');
    this.closing.push(close);
    return client;
  }

  /** Prints the result: `value` as JSON for programs, `words` for people. */
  answer(value: unknown, words: () => string): void {
    process.stdout.write(`${this.isJson ? jsonText(value, 2) : words()}\n`);
  }

  /** Prints one line of a result that continues. */
  line(value: unknown, words: () => string): void {
    process.stdout.write(`${this.isJson ? jsonText(value) : words()}\n`);
  }

  /** Prints a table, or `none` if there are no rows. */
  async rows<Row>(
    rows: readonly Row[],
    columns: readonly Column<Row>[],
    none: string,
  ): Promise<void> {
    const { tableText } = await import('./output/table.js');
    this.answer(rows, () =>
      rows.length === 0 ? visible(none) : tableText(rows, columns, this.width),
    );
  }

  /** Prints a remark, for people only. */
  note(words: string): void {
    if (!this.isJson) process.stderr.write(`${visible(words)}\n`);
  }
}

/** What a command does that works on one group. */
export const onGroup =
  <Flags>(
    work: (session: Session, stream: string, group: string, flags: Flags) => Promise<void>,
  ): OnGroup<Flags> =>
  (stream, group, flags, command) =>
    Session.with(command, (session) => work(session, stream, group, flags));

/** The action of a command with a stream and a group. */
export type OnGroup<Flags> = (
  stream: string,
  group: string,
  flags: Flags,
  command: Command,
) => Promise<void>;

const FIELD = 'field:';

/**
 * The codec that `--codec` and `--payload` name.
 *
 * @throws UsageError
 */
export async function codecOf(name: string, payload: PayloadForm | undefined): Promise<Codec> {
  const form = payload === undefined ? {} : { payload };
  if (name === 'watermill' || name === 'natricine') {
    // MessagePack is loaded only if it is used.
    const { WatermillCodec } = await import('../wire/watermill.codec.js');
    return new WatermillCodec(
      name === 'watermill' ? form : { uuidKey: '_natricine_message_uuid', ...form },
    );
  }
  if (name.startsWith(FIELD) && name.length > FIELD.length) {
    return new FieldCodec({ field: name.slice(FIELD.length), ...form });
  }
  if (name !== 'json') {
    throw new UsageError(
      `--codec "${name}" is not one of: json, watermill, natricine, field:<name>`,
    );
  }
  if (payload !== undefined) {
    throw new UsageError('--payload is only for the codecs watermill, natricine and field:<name>');
  }
  return new JsonCodec();
}
