import { Inject, Injectable } from '@nestjs/common';
import { ClientRedisStreams, RequestTimeoutError } from 'nestjs-redis-streams';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';

import { HISTORY, PRICE, type Item, type Quote } from '../item.js';

@Injectable()
export class ShopService {
  constructor(@Inject('QUOTES') private readonly quotes: ClientRedisStreams) {}

  /** Asks, and gives the reply. */
  price(item: Item): Promise<Quote> {
    return firstValueFrom(this.quotes.send<Quote>(PRICE, item));
  }

  /** Asks, and gives all replies. */
  history(name: string): Promise<number[]> {
    return lastValueFrom(this.quotes.send<number>(HISTORY, { name }).pipe(toArray()));
  }

  /** What to tell somebody who asked in vain. */
  reason(error: unknown): string {
    if (error instanceof RequestTimeoutError) return 'nobody answered in time';
    return `refused: ${JSON.stringify(error)}`;
  }
}
