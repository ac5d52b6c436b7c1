/**
 * The base of every error that this package raises on purpose: `catch` it to tell them from others.
 */
export abstract class RedisStreamsError extends Error {
  /** A word that stays the same from release to release, for programs to compare. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
