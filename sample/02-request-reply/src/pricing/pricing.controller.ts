import { Controller, Logger } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { RedisStreamsContext, subscription, type StreamPattern } from 'nestjs-redis-streams';
import { from, type Observable } from 'rxjs';

import { HISTORY, PRICE, type Item, type Quote } from '../item.js';

const PRICES = new Map([
  ['tea', [3, 4, 5]],
  ['teapot', [20, 24, 29]],
]);

@Controller()
export class PricingController {
  private readonly logger = new Logger('Pricing');

  /** One reply: the returned value. */
  @MessagePattern<StreamPattern>(PRICE, subscription({ concurrency: 8 }))
  price(@Payload() item: Item, @Ctx() context: RedisStreamsContext): Quote {
    this.logger.log(`asked for ${item.name} (message ${context.getMessageId()})`);
    const latest = this.pricesOf(item.name).at(-1) ?? 0;
    return { total: latest * item.quantity, currency: 'EUR' };
  }

  /** Many replies: each value of an Observable. */
  @MessagePattern<StreamPattern>(HISTORY)
  history(@Payload() item: Pick<Item, 'name'>): Observable<number> {
    return from(this.pricesOf(item.name));
  }

  private pricesOf(name: string): readonly number[] {
    const prices = PRICES.get(name);
    // The caller gets the content of an RpcException; of any other error it learns only that there was one.
    if (prices === undefined) throw new RpcException({ code: 'NO_SUCH_ITEM', name });
    return prices;
  }
}
