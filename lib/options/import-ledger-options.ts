import type { Codec } from '../wire/codec.js';
import {
  callable,
  codec,
  groupName,
  keyPrefix,
  nameText,
  object,
  windowMs,
} from './option-kinds.js';
import type { ConnectionOption } from './connection-option.js';
import { connection } from './connection.schema.js';

/** How far an import has got. */
export interface ImportLedgerProgress {
  /** How many message IDs were looked at. */
  readonly done: number;
  /** How many there are; about, while the other program still writes. */
  readonly total: number;
}

/** Options of `importLedger()`. */
export interface ImportLedgerOptions {
  /** @default 'redis://127.0.0.1:6379' */
  connection?: ConnectionOption;
  /** The stream's name, without `keyPrefix`. */
  stream: string;
  /** The group whose ledger gets the message IDs. It need not exist yet. */
  group: string;
  /**
   * The key of the ZSET to take over: IDs of entries, or message IDs, with the time at which each was processed, in ms, as its score.
   *
   * @default dtpyfw's ledger of the stream and the group: `stream:orders:group:billing:processed`
   */
  from?: string;
  /**
   * What was processed longer ago is left out, in ms, 1 to 315_360_000_000 (ten years). Set it to `dedup.windowMs` of the group's
   * server.
   *
   * @default 604_800_000 (7 days)
   */
  windowMs?: number;
  /**
   * Put before every stream's name in Redis.
   *
   * @default ''
   */
  keyPrefix?: string;
  /**
   * How the stream's entries are written: the ledger needs their message IDs.
   *
   * @default new JsonCodec()
   */
  codec?: Codec;
  /** Called after each step. */
  onProgress?: (progress: ImportLedgerProgress) => void;
}

export const importLedgerSchema = object(
  {
    connection,
    stream: nameText("a stream's name"),
    group: groupName,
    from: nameText('the key of a ZSET').optional(),
    windowMs,
    keyPrefix,
    codec,
    onProgress: callable('a function that is told how far it is'),
  },
  'an object with connection, stream, group, from, windowMs, keyPrefix, codec, onProgress',
);
