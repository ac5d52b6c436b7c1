import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';

/** Seconds, as the conventions advise for both histograms. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The metrics of the conventions for messaging. */
export class Instruments {
  private readonly sentMessages: Counter;
  private readonly consumedMessages: Counter;
  private readonly operationSeconds: Histogram;
  private readonly processSeconds: Histogram;

  constructor(meter: Meter) {
    const advice = { explicitBucketBoundaries: SECONDS };
    this.sentMessages = meter.createCounter('messaging.client.sent.messages', {
      description: 'Messages that were to be published.',
      unit: '{message}',
    });
    this.consumedMessages = meter.createCounter('messaging.client.consumed.messages', {
      description: 'Messages that were given to their handlers; one that is retried counts again.',
      unit: '{message}',
    });
    this.operationSeconds = meter.createHistogram('messaging.client.operation.duration', {
      description: 'How long publishing and settling took.',
      unit: 's',
      advice,
    });
    this.processSeconds = meter.createHistogram('messaging.process.duration', {
      description: 'How long the handlers of a message ran.',
      unit: 's',
      advice,
    });
  }

  sent(count: number, attributes: Attributes): void {
    if (count > 0) this.sentMessages.add(count, attributes);
  }

  operated(seconds: number, attributes: Attributes): void {
    this.operationSeconds.record(seconds, attributes);
  }

  processed(seconds: number, attributes: Attributes): void {
    this.consumedMessages.add(1, attributes);
    this.processSeconds.record(seconds, attributes);
  }
}
