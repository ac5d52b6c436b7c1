import type { Consumer } from '../consume/consumer.js';

interface Listener {
  readonly event: string;
  readonly callback: Function;
}

/** The listeners that users add to a server's connections. They stay when the server listens again. */
export class ConnectionListeners {
  private readonly listeners: Listener[] = [];
  private readonly detach: (() => void)[] = [];

  /** @param areBorrowed whether the connection for commands is the caller's own, which outlives the consumer */
  constructor(private readonly areBorrowed: boolean) {}

  /** @param consumer the one that runs now, if any */
  add(event: string, callback: Function, consumer: Consumer | undefined): void {
    const listener = { event, callback };
    this.listeners.push(listener);
    if (consumer !== undefined) this.attach(consumer, listener);
  }

  attachAll(consumer: Consumer): void {
    for (const listener of this.listeners) this.attach(consumer, listener);
  }

  detachAll(): void {
    for (const detach of this.detach.splice(0)) detach();
  }

  private attach(consumer: Consumer, { event, callback }: Listener): void {
    const { commands } = consumer.connections;
    const onCommands = (...args: unknown[]): unknown => callback('commands', ...args);
    commands.on(event, onCommands);
    // Our own connections still emit their end.
    if (this.areBorrowed) this.detach.push(() => commands.off(event, onCommands));
    consumer.connections.eachBlocking((blocking) => {
      blocking.on(event, (...args: unknown[]) => callback('blocking', ...args));
    });
  }
}
