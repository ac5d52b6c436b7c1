/** Where both sides find the messages. */
export const STREAM = 'orders';
export const GROUP = 'bench';
/** The group's ledger. */
export const LEDGER = `stream:{${STREAM}}:group:${GROUP}:processed`;
