export const trimmedUnread = (stream: string, lost: number): string =>
  `Retention of stream "${stream}" is forced: up to ${lost} entries were removed that some group had not finished`;

export const jobFailed = (job: string, reason: string): string => `Job "${job}" failed: ${reason}`;

export const jobRemoved = (job: string, removed: number): string =>
  `Job "${job}" removed ${removed}`;
