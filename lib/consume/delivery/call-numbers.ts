/** Counts all calls of the process: a stream that is left and read again must not reuse a number. */
let last = 0;

/** Numbers calls by the object they are about: a repeated call keeps its number, and no other call has it. */
export class CallNumbers {
  private readonly numbers = new WeakMap<object, number>();

  of(what: object): number {
    const number = this.numbers.get(what) ?? ++last;
    this.numbers.set(what, number);
    return number;
  }
}
