import { Injectable } from '@nestjs/common';

/** A bank as they are: it is away for a moment, it refuses, and one payment it cannot digest before it is repaired. */
@Injectable()
export class Bank {
  private isRepaired = false;

  repair(): void {
    this.isRepaired = true;
  }

  book(id: string, attempt: number): void {
    if (id === 'away' && attempt < 3) throw new Error('the bank does not answer');
    if (id === 'odd' && !this.isRepaired) throw new Error('the bank has a bug');
  }
}
