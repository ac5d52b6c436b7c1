import { Controller, type Type } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';

import {
  RedisStreamsContext,
  type StreamPattern,
  subscription,
  type SubscriptionOptions,
} from '../../lib/index.js';

/** A controller with one handler that answers requests. */
export function answeringController<Data = unknown>(
  pattern: string | StreamPattern,
  handle: (data: Data, context: RedisStreamsContext) => unknown,
  options?: SubscriptionOptions,
): Type {
  @Controller()
  class AnsweringController {
    @MessagePattern<string | StreamPattern>(pattern, subscription(options))
    on(@Payload() data: Data, @Ctx() context: RedisStreamsContext): unknown {
      return handle(data, context);
    }
  }
  return AnsweringController;
}
