/** What became of one message of a batch. */
interface Published {
  /** Nothing where it waits to be published later. */
  readonly entryId: string | null;
  /** Whether a message of its ID was there already, which another call brought. */
  readonly duplicate: boolean;
}

/** What became of a batch: of its first messages, and what Redis said of the rest, where it refused that. */
export interface PublishedBatch {
  readonly published: readonly Published[];
  readonly refusal: string | undefined;
}

/** Reads the answers of the scripts that take a batch: an entry ID, or `-` where there is none; `d` before a duplicate. */
export function publishedBatch(text: string): PublishedBatch {
  const [answers = '', refusal] = text.split(/ ?!(.*)/s);
  return {
    refusal,
    published: answers.split(' ').map((answer) => {
      const duplicate = answer.startsWith('d');
      const entryId = duplicate ? answer.slice(1) : answer;
      return { entryId: entryId === '' || entryId === '-' ? null : entryId, duplicate };
    }),
  };
}
