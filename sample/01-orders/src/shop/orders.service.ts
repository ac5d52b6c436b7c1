import { randomUUID } from 'node:crypto';

import { Injectable } from '@nestjs/common';
import { ClientRedisStreams } from 'nestjs-redis-streams';
import { firstValueFrom } from 'rxjs';

import type { Order, OrderRequest } from '../order.js';

@Injectable()
export class OrdersService {
  constructor(private readonly client: ClientRedisStreams) {}

  /** Once this resolves, Redis has the order, and every service gets it. */
  async place(request: OrderRequest): Promise<Order> {
    const order: Order = { id: randomUUID(), ...request };
    await firstValueFrom(this.client.emit('orders', order));
    return order;
  }
}
