import { Body, Controller, HttpCode, HttpStatus, Post } from '@nestjs/common';

import { parseOrderRequest, type Order } from '../order.js';
import { OrdersService } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  @HttpCode(HttpStatus.ACCEPTED)
  place(@Body() body: unknown): Promise<Order> {
    return this.orders.place(parseOrderRequest(body));
  }
}
