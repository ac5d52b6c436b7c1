import type { LoggerService } from '@nestjs/common';

/** A line of the log: its level and text. */
export interface LogLine {
  readonly level: 'log' | 'warn' | 'error' | 'debug';
  readonly text: string;
}

const lines: LogLine[] = [];
const keep =
  (level: LogLine['level']) =>
  (message: unknown): void => {
    lines.push({ level, text: message instanceof Error ? message.message : String(message) });
  };

/** A logger for Nest that records everything, so that tests can look for it and stay quiet otherwise. */
export const recordedLog: LoggerService & { readonly lines: readonly LogLine[] } = {
  lines,
  log: keep('log'),
  warn: keep('warn'),
  error: keep('error'),
  fatal: keep('error'),
  debug: keep('debug'),
  verbose: keep('debug'),
};

/** The lines at `level` that contain `part`. */
export function logged(level: LogLine['level'], part: string): string[] {
  return lines
    .filter((line) => line.level === level && line.text.includes(part))
    .map(({ text }) => text);
}
