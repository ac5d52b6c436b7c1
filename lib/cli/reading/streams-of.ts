import { isUserStream } from '../../keys/user-streams.js';
import { streamKey } from '../../keys/stream-keys.js';
import { findStreams } from '../../redis/find-streams.js';
import { readStream, type StreamInfo } from '../../redis/group-info.js';
import { CliError } from '../cli.error.js';
import * as text from '../cli.messages.js';
import type { Session } from '../session.js';

/** The streams that were named, or all that begin with the prefix, in their order. */
export async function streamsOf(session: Session, named: readonly string[]): Promise<string[]> {
  if (named.length > 0) return [...named];
  const { client, prefix } = session;
  const found = new Set<string>();
  for await (const keys of findStreams(client, prefix)) {
    for (const key of keys) {
      if (key.length > prefix.length && isUserStream(key)) found.add(key.slice(prefix.length));
    }
  }
  return [...found].sort();
}

/** @throws CliError where it is not there */
export async function streamOf({ client, prefix }: Session, stream: string): Promise<StreamInfo> {
  const info = await readStream(client, streamKey(prefix, stream));
  if (info === undefined) throw new CliError(text.noSuchStream(stream));
  return info;
}
