/** Whether a key of Redis that is a stream is one that users publish to, and none that this package keeps beside such a one. */
export const isUserStream = (key: string): boolean =>
  !/^stream:(replies:|.*\{.+:group:.+:dead-letters$)/s.test(key);
