import { BadRequestException } from '@nestjs/common';

/** A customer's request. */
export interface OrderRequest {
  readonly item: string;
  readonly quantity: number;
}

/** The message that the shop publishes once for all services. */
export interface Order extends OrderRequest {
  readonly id: string;
}

export function parseOrderRequest(body: unknown): OrderRequest {
  const { item, quantity }: { item?: unknown; quantity?: unknown } = Object(body);
  if (typeof item !== 'string' || item === '' || typeof quantity !== 'number' || !(quantity > 0)) {
    throw new BadRequestException('An order looks like {"item":"tea","quantity":2}');
  }
  return { item, quantity };
}
