export const attemptsUsedUp = (attempts: number): string => `failed ${attempts} time(s)`;

export const BACKOFF_SAID_SO = "the backoff function said 'dead-letter'";
