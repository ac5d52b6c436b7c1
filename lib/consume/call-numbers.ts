/** Of all there are: a stream that is left and read again is numbered on, by whoever numbers its calls then. */
let last = 0;

/** Numbers calls by what they are about: one that is made again for the same thing keeps its number, and no other has it. */
export class CallNumbers {
  private readonly numbers = new WeakMap<object, number>();

  of(what: object): number {
    const number = this.numbers.get(what) ?? ++last;
    this.numbers.set(what, number);
    return number;
  }
}
