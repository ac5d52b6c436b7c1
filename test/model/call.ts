import type { Model, Who } from './model.js';
import type { State } from './state.js';

/** One call of a script: as it is sent, and what the model expects of it. */
export interface Call<Answer> {
  readonly what: string;
  /** The consumer whose token it carries; none if it is not a consumer's call. */
  readonly by?: Who;
  readonly send: () => Promise<Answer>;
  readonly rule: (model: Model) => Answer;
  /** Set if the answer says what this very call did: the answer to a second one may then differ. */
  readonly answersAnew?: boolean;
  /** The part of an answer that must be the same if the call is sent twice; all of it unless set. */
  readonly essence?: (answer: Answer) => unknown;
  /** What it may have changed already if Redis refuses it; nothing unless set. */
  readonly partly?: readonly (keyof State)[];
}
