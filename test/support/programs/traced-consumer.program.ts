import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { propagation, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { ServerRedisStreams, subscription } from 'nestjs-redis-streams';
import { RedisStreamsInstrumentation } from 'nestjs-redis-streams/opentelemetry';

// A service with tracing that prints each span that ended: for the test that two processes form one tree.
const { REDIS_URL = '', STREAM = '' } = process.env;

function say(span: ReadableSpan): void {
  const { traceId, spanId } = span.spanContext();
  const parentId = span.parentSpanContext?.spanId;
  process.stdout.write(`${JSON.stringify({ name: span.name, traceId, spanId, parentId })}\n`);
}

const exporter = {
  export: (spans: ReadableSpan[], done: (result: { code: number }) => void): void => {
    for (const span of spans) say(span);
    done({ code: 0 });
  },
  shutdown: async (): Promise<void> => undefined,
};
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
new RedisStreamsInstrumentation().enable();

@Controller()
class Orders {
  @EventPattern<string>(STREAM, subscription({ startFrom: 'beginning' }))
  on(): void {
    // Its span is all that is wanted.
  }
}

@Module({ controllers: [Orders] })
class AppModule {}

const app = await NestFactory.createMicroservice(AppModule, {
  strategy: new ServerRedisStreams({ connection: REDIS_URL, group: 'billing' }),
  logger: ['warn', 'error'],
});
await app.listen();
