import type { Redis } from 'ioredis';

import type { ClientRedisStreams, Codec, PublishBatchError } from '../../lib/index.js';

// What the examples of the documents take as given.

export interface Order {
  readonly id: string;
  readonly item: string;
  readonly customerId: string;
}
export interface Payment {
  readonly order: string;
  readonly cents: number;
}
export interface Events {
  orders: Order;
  payments: Payment;
}
export interface Item {
  readonly item: string;
}
export interface Quote {
  readonly cents: number;
}

export declare const order: Order;
export declare const orders: readonly Order[];
export declare const payment: Payment;
export declare const item: Item;
export declare const error: PublishBatchError;
export declare const codec: Codec;
export declare const redis: Redis;
export declare const password: string;
export declare const sentinelPassword: string;
export declare const ca: string;
export declare const fetchToken: () => Promise<{ password: string }>;
export declare const token: () => Promise<string>;
export declare const yesterday: () => Date;
export declare const alerts: { send(text: string): void };
export declare class Bills {
  readonly all: readonly unknown[];
}

export declare class Cards {
  charge(order: Order, options: { idempotencyKey: string }): Promise<void>;
}

/** The class in whose methods an example's statements are. */
export interface Caller {
  readonly client: ClientRedisStreams;
}

export { AppModule } from './app.module.js';
