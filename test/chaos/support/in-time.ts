/** The promised value, or an error that names it if it does not come in time. */
export async function inTime<Value>(
  promise: Promise<Value>,
  what: string,
  timeoutMs = 15_000,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${timeoutMs} ms: ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
