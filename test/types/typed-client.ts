/**
 * What the compiler tells users of `ClientRedisStreams`. Nothing here runs: `npm run check:types` is the
 * test, and an expected error that does not occur is an error.
 */
import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { ClientProxy, ClientsModule } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import {
  ClientRedisStreams,
  DeadLetters,
  getStreamsToken,
  InjectStreams,
  type PublishReceipt,
  RedisStreamsModule,
  RedisStreamsRecordBuilder,
  ServerRedisStreams,
} from 'nestjs-redis-streams';
import { type Equal, expectType } from './equal.js';

interface Order {
  id: string;
  quantity: number;
}
interface Payment {
  amount: number;
  currency: string;
}
// oxlint-disable-next-line typescript/consistent-type-definitions -- as many write it; another one below is an interface
type Events = { orders: Order; payments: Payment };

const order: Order = { id: 'o-1', quantity: 2 };
const payment: Payment = { amount: 7, currency: 'EUR' };

/** A typed client: injected by its class, as usual. */
@Injectable()
export class TypedService {
  constructor(private readonly client: ClientRedisStreams<Events>) {}

  payloads(): void {
    const receipt = this.client.emit('orders', order);
    expectType<Equal<typeof receipt, Observable<PublishReceipt>>>();
    this.client.emit('payments', payment);
    this.client.emit('orders', { id: 'o-2', quantity: 1 });
    // @ts-expect-error: the payload of another stream
    this.client.emit('orders', payment);
    // @ts-expect-error: a property is missing
    this.client.emit('orders', { id: 'o-2' });
    // @ts-expect-error: a property is of another type
    this.client.emit('orders', { id: 'o-2', quantity: '1' });
    // @ts-expect-error: a property that an order does not have
    this.client.emit('orders', { id: 'o-2', quantity: 1, qantity: 1 });
    // @ts-expect-error: no such stream
    this.client.emit('order', order);
    // @ts-expect-error: a stream is text
    this.client.emit(7, order);
    // @ts-expect-error: nothing to send
    this.client.emit('orders', undefined);
  }

  names(): void {
    const receipt = this.client.emit({ stream: 'orders', name: 'order.created' }, order);
    expectType<Equal<typeof receipt, Observable<PublishReceipt>>>();
    this.client.emit({ stream: 'payments' }, payment);
    // @ts-expect-error: every name of a stream has its payload
    this.client.emit({ stream: 'orders', name: 'order.paid' }, payment);
    // @ts-expect-error: no such stream
    this.client.emit({ stream: 'order', name: 'order.created' }, order);
    // @ts-expect-error: no such property
    this.client.emit({ stream: 'orders', nam: 'order.created' }, order);
  }

  records(): void {
    const record = new RedisStreamsRecordBuilder(order).setMessageId(order.id).build();
    const receipt = this.client.emit('orders', record);
    expectType<Equal<typeof receipt, Observable<PublishReceipt>>>();
    this.client.emit({ stream: 'orders', name: 'order.created' }, record);
    // @ts-expect-error: a record for another stream
    this.client.emit('payments', record);
  }

  batches(): void {
    const record = new RedisStreamsRecordBuilder(order).build();
    const receipts = this.client.emitBatch('orders', [order, record]);
    expectType<Equal<typeof receipts, Observable<PublishReceipt[]>>>();
    this.client.emitBatch({ stream: 'orders', name: 'order.created' }, [order] as const);
    // @ts-expect-error: one of them is of another stream
    this.client.emitBatch('orders', [order, payment]);
    // @ts-expect-error: no such stream
    this.client.emitBatch('order', [order]);
    // @ts-expect-error: a batch is a list
    this.client.emitBatch('orders', order);
  }

  /** Without types it is still a `ClientProxy`. */
  asProxy(): ClientProxy {
    return this.client;
  }
}

/** A stream whose payload may be of several kinds, and an interface for a type. */
interface Ticks {
  'cmd=sum': number[];
  ticks: { kind: 'start' } | { kind: 'tick'; n: number };
  bytes: Uint8Array;
}
export function otherTypes(client: ClientRedisStreams<Ticks>): void {
  client.emit('ticks', { kind: 'tick', n: 1 });
  client.emit('ticks', new RedisStreamsRecordBuilder({ kind: 'start' } as const).build());
  client.emit('bytes', Buffer.from('a'));
  // @ts-expect-error: no such kind
  client.emit('ticks', { kind: 'stop' });
  // Nest's own pattern { cmd: 'sum' }, by the name of its stream.
  client.emit('cmd=sum', [1, 2]);
  // @ts-expect-error: numbers
  client.emit('cmd=sum', ['1']);
}

/** Without types it accepts what it accepted before types existed. */
export function untyped(client: ClientRedisStreams, pattern: unknown, data: unknown): void {
  const receipt = client.emit('orders', order);
  expectType<Equal<typeof receipt, Observable<PublishReceipt>>>();
  const other = client.emit<string>('orders', order);
  expectType<Equal<typeof other, Observable<string>>>();
  client.emit<PublishReceipt, Order>('orders', order);
  client.emit({ stream: 'anything', name: 'any.name' }, payment);
  client.emit(7, 'data');
  client.emit(pattern, data);
  const receipts = client.emitBatch<Order>(pattern, [
    order,
    new RedisStreamsRecordBuilder(order).build(),
  ]);
  expectType<Equal<typeof receipts, Observable<PublishReceipt[]>>>();
  client.emitBatch('orders', [order, payment, 7]);
  // @ts-expect-error: a batch is a list
  client.emitBatch('orders', order);
}

/** What Nest's containers return for the token is untyped, and can be given the types. */
export function fromContainer(app: INestApplicationContext): void {
  app.get(ClientRedisStreams).emit('anything', 7);
  const client: ClientRedisStreams<Events> = app.get(ClientRedisStreams);
  client.emit('orders', order);
  // @ts-expect-error: the payload of another stream
  app.get<ClientRedisStreams<Events>>(ClientRedisStreams).emit('orders', payment);
}

/** Both are assignable to each other: the class is one, and so is its token. */
export function toEachOther(bare: ClientRedisStreams, typed: ClientRedisStreams<Events>): void {
  const proxies: ClientProxy[] = [bare, typed];
  const asTyped: ClientRedisStreams<Events> = bare;
  const asBare: ClientRedisStreams = typed;
  expectType<Equal<typeof proxies, ClientProxy[]>>();
  void [asTyped, asBare];
}

/** Nest's own module accepts the class. */
@Module({
  imports: [
    ClientsModule.register([{ name: 'ORDERS', customClass: ClientRedisStreams, options: {} }]),
    ClientsModule.registerAsync([
      { name: 'PAYMENTS', useFactory: () => ({ customClass: ClientRedisStreams }) },
    ]),
    RedisStreamsModule.forRoot({ group: 'billing' }),
  ],
  providers: [
    TypedService,
    {
      provide: 'TYPED',
      inject: [ClientRedisStreams],
      useFactory: (c: ClientRedisStreams<Events>) => c,
    },
  ],
})
export class TypedModule {}

/** Instances by name: their clients have types too, and only classes that the module provides have tokens. */
@Injectable()
export class ServiceOfInstances {
  constructor(
    @InjectStreams('audit') readonly audit: ClientRedisStreams<Events>,
    @InjectStreams(DeadLetters, 'audit') readonly lost: DeadLetters,
    @InjectStreams() readonly client: ClientRedisStreams,
  ) {}
}
getStreamsToken(ServerRedisStreams, 'audit');
// @ts-expect-error: the module provides no such class
getStreamsToken(TypedService, 'audit');
RedisStreamsModule.forRootAsync({ name: 'audit', useFactory: () => ({ group: 'audit' }) });
