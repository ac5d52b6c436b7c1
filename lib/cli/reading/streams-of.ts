import { partitionName } from '../../wire/partitions.js';
import { isOwnKey, streamKey } from '../../wire/stream-keys.js';
import { keyPattern } from '../../wire/wildcard.js';
import { scanStreams } from '../../redis/read/scan-streams.js';
import { readStream, type StreamInfo } from '../../redis/read/xinfo.js';
import { CliError } from '../cli.error.js';
import * as text from '../cli.messages.js';
import type { Session } from '../session.js';
import { partitionsOf, withPartitions } from './partitions-of.js';

/** The streams that were named, with their partitions, or all that begin with the prefix, in their order. */
export async function streamsOf(session: Session, named: readonly string[]): Promise<string[]> {
  if (named.length > 0) {
    const each = await Promise.all(named.map((stream) => withPartitions(session, stream)));
    return [...new Set(each.flat())];
  }
  const { client, prefix } = session;
  const found = new Set<string>();
  for await (const keys of scanStreams(client, keyPattern(prefix, ['*']))) {
    for (const key of keys) {
      if (key.length > prefix.length && !isOwnKey(key)) found.add(key.slice(prefix.length));
    }
  }
  return [...found].sort();
}

/** @throws CliError where it is not there */
export async function streamOf(session: Session, stream: string): Promise<StreamInfo> {
  const info = await readStream(session.client, streamKey(session.prefix, stream));
  if (info === undefined) throw await noStream(session, stream);
  return info;
}

/** That a stream is not there; where its partitions are, that one of them has to be named. */
export async function noStream(session: Session, stream: string): Promise<CliError> {
  const partitions = await partitionsOf(session, stream);
  return new CliError(
    partitions === undefined
      ? text.noSuchStream(stream)
      : text.onlyPartitions(stream, partitions, partitionName(stream, 0)),
  );
}
