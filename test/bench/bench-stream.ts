/** Where both sides find the messages. */
export const STREAM = 'orders';
export const GROUP = 'bench';
