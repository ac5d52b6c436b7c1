import type { Model, Who } from './model.js';

/** One call of a script: as it is sent, and what the model expects of it. */
export interface Call<Answer> {
  readonly what: string;
  /** Whose token it carries; nobody's where it is not a consumer's. */
  readonly by?: Who;
  readonly send: () => Promise<Answer>;
  readonly rule: (model: Model) => Answer;
  /** Where the answer says what this very call did, that of a second one may differ. */
  readonly answersAnew?: boolean;
  /** What of an answer has to be the same where it is sent twice; all of it unless set. */
  readonly essence?: (answer: Answer) => unknown;
}
