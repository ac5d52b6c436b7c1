import { Logger, type LoggerService } from '@nestjs/common';
import { thrownText } from './thrown-text.js';
import { cutText, visible } from './thrown.js';

type Level = 'log' | 'error' | 'warn' | 'debug';

/** The longest line. */
const LONGEST = 8_192;

/**
 * Nest's logger for one part of this package. The app may have set another one behind it: if that throws, its line goes to the
 * warnings of the process, and whatever wrote the line goes on. Whatever names, IDs and errors are in a line, it stays one line of
 * bounded length.
 */
export class SafeLogger implements LoggerService {
  private readonly logger: Logger;

  constructor(private readonly context: string) {
    this.logger = new Logger(context);
  }

  log(text: string): void {
    this.write('log', text);
  }

  error(text: string): void {
    this.write('error', text);
  }

  warn(text: string): void {
    this.write('warn', text);
  }

  debug(text: string): void {
    this.write('debug', text);
  }

  private write(level: Level, given: string): void {
    const text = visible(cutText(given, LONGEST));
    try {
      this.logger[level](text);
    } catch (error) {
      process.emitWarning(
        `The logger of the app failed (${thrownText(error)}) for this line of ${this.context}: ${level}: ${text}`,
        'RedisStreamsWarning',
      );
    }
  }
}
