import { Injectable } from '@nestjs/common';

/** A bank with the usual problems: it is briefly unavailable, it refuses, and one payment fails until a bug is fixed. */
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
