import { Controller, Logger } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { DeadLetterException, RedisStreamsContext, subscription } from 'nestjs-redis-streams';

import { Bank } from './bank.js';
import type { Events } from './payment.js';

@Controller()
export class PaymentsController {
  private readonly logger = new Logger('Payments');

  constructor(private readonly bank: Bank) {}

  @EventPattern<string>(
    'payments',
    subscription({
      startFrom: 'beginning',
      retry: { maxAttempts: 3, backoff: { type: 'fixed', delayMs: 300, jitter: 0 } },
    }),
  )
  onPayment(@Payload() payment: Events['payments'], @Ctx() context: RedisStreamsContext): void {
    const attempt = context.getAttempt();
    this.logger.log(`${payment.id}: attempt ${attempt}`);
    // Another attempt would not help.
    if (payment.amount <= 0) throw new DeadLetterException('nothing to pay');
    this.bank.book(payment.id, attempt);
    this.logger.log(`${payment.id}: paid`);
  }
}
