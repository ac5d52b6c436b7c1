export const checkFailed = (reason: string): string =>
  `Messages that are to be published later cannot be looked for: ${reason}. Trying again until they can`;

export const refused = (streamKey: string, reason: string): string =>
  `What is due for stream "${streamKey}" cannot be published: ${reason}. Trying again until it can`;
