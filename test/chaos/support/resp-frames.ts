/** Splits the bytes of a connection into whole values of RESP 2: requests and replies have the same form. */
export class RespFrames {
  private rest: Buffer = Buffer.alloc(0);

  /** @returns the values that are complete now; the beginning of another is kept for the next call */
  push(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    for (let end = endOf(this.rest, at); end > 0; end = endOf(this.rest, at)) {
      frames.push(this.rest.subarray(at, end));
      at = end;
    }
    this.rest = this.rest.subarray(at);
    return frames;
  }
}

/** The words of a request: `XADD orders * …`. */
export function wordsOf(request: Buffer): string[] {
  const words: string[] = [];
  for (let at = request.indexOf('\r\n') + 2; at > 1 && at < request.length;) {
    const line = request.indexOf('\r\n', at);
    const size = Number(request.toString('latin1', at + 1, line));
    words.push(request.toString('utf8', line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return words;
}

/** Where the value that begins at `at` ends, or -1 if it is not complete. */
function endOf(buffer: Buffer, at: number): number {
  const line = buffer.indexOf('\r\n', at);
  if (line < 0) return -1;
  const type = String.fromCharCode(buffer[at] ?? 0);
  let end = line + 2;
  if (type !== '$' && type !== '*') return end;
  const size = Number(buffer.toString('latin1', at + 1, line));
  if (size < 0) return end;
  if (type === '$') return end + size + 2 <= buffer.length ? end + size + 2 : -1;
  for (let left = size; left > 0; left--) {
    end = endOf(buffer, end);
    if (end < 0) return -1;
  }
  return end;
}
