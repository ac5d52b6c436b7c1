const BESIDE_A_STREAM = /^stream:.*\{[^}]+\}.*:(group|published|delayed|jobs)(:|$)/s;
const APART = /^stream:(replies:|group:|delayed-streams$)/;

/**
 * Whether a key is one that this package keeps beside streams: dead letters and replies are streams too, and no wildcard
 * may take them for messages.
 */
export const isOwnKey = (key: string): boolean => BESIDE_A_STREAM.test(key) || APART.test(key);
