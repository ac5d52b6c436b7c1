export const connected = (role: string): string => `Connected to Redis (${role})`;

export const unreachable = (role: string, why: string | undefined): string =>
  `Redis cannot be reached (${role})${why === undefined ? '' : `: ${why}`}. Trying again until it can`;
