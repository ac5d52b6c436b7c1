/** The base class of every error that this package throws on purpose: `catch` it to tell them from others. */
export abstract class RedisStreamsError extends Error {
  /** Stays the same from release to release, for programs to compare. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
