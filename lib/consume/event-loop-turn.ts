let turn = 0;
let isCounted = false;

/** Which turn of the event loop it is. What begins and ends in the same one has waited for nothing. */
export function thisTurn(): number {
  if (!isCounted) {
    isCounted = true;
    setImmediate(() => {
      turn++;
      isCounted = false;
    });
  }
  return turn;
}
