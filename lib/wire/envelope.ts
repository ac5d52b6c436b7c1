/** A message as this package carries it: what the user sent, and what goes with it. */
export interface MessageEnvelope {
  /** What kind of message it is. */
  readonly name: string;
  readonly payload: unknown;
  /** The ID that its producer gave it; an entry without one goes by its entry ID. */
  readonly messageId?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What Nest's dispatch hook attached. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Ordering key. */
  readonly key?: string | undefined;
}

/** A message as an entry tells it. One that does not tell its name has that of its stream. */
export interface DecodedEnvelope extends Omit<MessageEnvelope, 'name'> {
  readonly name?: string | undefined;
}
