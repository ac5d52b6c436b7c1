export const failed = (why: string): string => `nest-streams: ${why}`;

export const CANNOT_ASK =
  'this destroys something, and there is no terminal to ask on: say --yes where it is meant';

export const NOTHING_DONE = 'nothing was done';

export const notReached = (where: string, why: string): string =>
  `Redis at ${where} cannot be reached: ${why}`;

export const NO_ANSWER = 'it does not answer';

export const URL_UNKNOWN =
  'the URL of Redis has to look like redis://user:password@host:6379/0 or rediss://… (it is not shown, since it may hold a password)';

export const MASTER_NAME_MISSING =
  '--sentinel needs --master-name: what the sentinels call the primary ("sentinel monitor <name> …")';

export const MASTER_NAME_ALONE = '--master-name is for --sentinel <host:port>';

export const SENTINEL_UNKNOWN = '--sentinel has to look like host, host:26379 or [::1]:26379';

export const fileUnreadable = (option: string, path: string, why: string): string =>
  `${option}: ${path} cannot be read: ${why}`;

export const noSuchStream = (stream: string): string => `there is no stream "${stream}"`;

export const onlyPartitions = (stream: string, count: number, first: string): string =>
  `stream "${stream}" has ${count} partitions, and this is for one stream: name one of them, such as "${first}"`;

export const NOT_A_DEAD_LETTER_ID =
  'the ID of a dead letter such as 1729768245123-0, or 3:1729768245123-0 of partition 3';

export const noSuchGroup = (stream: string, group: string): string =>
  `stream "${stream}" has no group "${group}"`;

export const notANumber = (given: string, allowed: string): string =>
  `"${given}" is not ${allowed}`;

export const NOT_A_SPAN = 'a span of time such as 500ms, 30s, 15m, 12h or 7d';

export const NOT_AN_ENTRY_ID = "an entry's ID such as 1729768245123-0";

export const codecUnknown = (given: string): string =>
  `--codec "${given}" is not known: json, watermill, natricine, or field:<name>`;

export const PAYLOAD_OF_JSON = '--payload is for the codecs watermill, natricine and field:<name>';
