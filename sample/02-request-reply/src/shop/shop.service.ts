import { Inject, Injectable } from '@nestjs/common';
import { ClientRedisStreams, RequestTimeoutError } from 'nestjs-redis-streams';
import { firstValueFrom, lastValueFrom, toArray } from 'rxjs';

import { HISTORY, PRICE, type Item, type Quote } from '../item.js';

@Injectable()
export class ShopService {
  constructor(@Inject('QUOTES') private readonly quotes: ClientRedisStreams) {}

  /** Sends a request and returns its reply. */
  price(item: Item): Promise<Quote> {
    return firstValueFrom(this.quotes.send<Quote>(PRICE, item));
  }

  /** Sends a request and returns all replies. */
  history(name: string): Promise<number[]> {
    return lastValueFrom(this.quotes.send<number>(HISTORY, { name }).pipe(toArray()));
  }

  /** A readable reason why a request failed. */
  reason(error: unknown): string {
    if (error instanceof RequestTimeoutError) return 'nobody answered in time';
    return `refused: ${JSON.stringify(error)}`;
  }
}
