import { shown } from '../errors/thrown.js';

export const processingHookFailed = (reason: string): string =>
  `A processing hook failed; the outcome of its message is that of the handlers: ${reason}`;

export const emitFailed = (call: 'emit()' | 'emitBatch()', reason: string): string =>
  `${call} failed, and nobody observed it: ${reason}`;

/** @param pattern or the payload is null or undefined */
export const nothingToEmit = (pattern: unknown, data: unknown): string => {
  const what = pattern == null ? `the pattern is ${pattern}` : `the payload is ${String(data)}`;
  return `${what}, and a message needs a stream and a payload. To publish null, give new RedisStreamsRecordBuilder(null).build()`;
};

export const eventForAnswerers = (stream: string, group: string): string =>
  `Stream "${shown(stream)}", group "${group}": an event arrived, and all handlers of the stream are @MessagePattern, which only answer send(). Write @EventPattern for what emit() publishes, or publish it with send(). This is said once for each stream`;

export const requestForListeners = (stream: string, group: string): string =>
  `Stream "${shown(stream)}", group "${group}": a request arrived, and all handlers of the stream are @EventPattern, which answer nothing. Write @MessagePattern for what send() asks, or publish it with emit(), unless another group answers it. This is said once for each stream`;

export const NO_SHUTDOWN_HOOKS =
  'Nothing in this process listens to SIGTERM, so that signal ends it at once: running handlers are cut off and run again elsewhere. Call app.enableShutdownHooks() to let them end';

export const NOT_STARTED =
  'The handlers of this app get no messages: their server is connected, and was not started. Call await app.startAllMicroservices()';

export const notConnected = (first: string, count: number, isCertain: boolean): string =>
  `${first}${count === 1 ? ' gets' : ` and ${count - 1} more ${count === 2 ? 'handler' : 'handlers'} get`} no messages: no server of RedisStreamsModule is connected to this app. Call app.connectMicroservice({ strategy: app.get(ServerRedisStreams) }) and await app.startAllMicroservices()${isCertain ? '' : ". If another transport serves it, give it that transport's ID"}`;

export const NOTHING_TO_READ = 'No handler names a stream: this server reads nothing';

export const ONE_FIELD =
  'another codec if a @MessagePattern handler answers requests: an entry of one field cannot be marked as a request';

export const noNames = (name: string): string =>
  `another codec if a handler wants only messages with the name "${shown(name)}": an entry of one field carries no name, so its messages all have the name of their stream`;

export const triesOnce = (stream: string, maxAttempts: number): string =>
  `retry.maxAttempts: ${maxAttempts} has no effect on "${shown(stream)}": delivery: 'at-most-once' acknowledges a message before it runs, and tries nothing again. A failure becomes a dead letter at once`;

export const wildcardOnly = (wildcard: string): string =>
  `nothing if only the wildcard "${wildcard}" matches the stream: a wildcard does not read partitions, so name the stream in a pattern`;

export const NOT_LISTENING = 'There are no connections: the server does not listen';

export const LISTENING_ALREADY = 'The server listens already: close it first';

export const reading = (streams: readonly string[], group: string, consumer: string): string =>
  `Reading ${quoted(streams)} as group "${group}", consumer "${consumer}"`;

export const nothingSettled = (target: string, count: number): string =>
  `The loop over "${shown(target)}" waits for a message, and has not settled the ${count} that it has: it gets the next one once it calls ack(), retry() or deadLetter() on one of them. A higher concurrency lets it have more. This is said once for each loop`;

export const requestsNotPulled = (stream: string, group: string): string =>
  `Stream "${shown(stream)}", group "${group}": a loop over it gets no requests, since it has no way to answer. Their callers are told that this group has no handler. This is said once for each loop`;

export const pulledAndHandled = (streams: readonly string[], group: string): string =>
  `${quoted(streams)}: handlers of this app and a loop of RedisStreamsPull read as group "${group}", so each gets a part of the messages. Give one of them another group if both should get all`;

const quoted = (streams: readonly string[]): string =>
  streams.map((stream) => `"${shown(stream)}"`).join(', ');

export const readersHaveOtherPartitions = (stream: string, noted: number, count: number): string =>
  `Stream "${shown(stream)}" has ${count} partitions here, and its readers have ${noted}: set the same streams.${shown(stream)}.partitions in all services. Until then keys are out of order${count > noted ? `, and what goes to partition ${noted} or a higher one waits unread` : ''}`;

export const othersHaveOtherPartitions = (stream: string, noted: number, count: number): string =>
  `Stream "${shown(stream)}" has ${count} partitions here, and whoever read it last had ${noted}: all services that publish to it or read it need the same streams.${shown(stream)}.partitions, else keys are out of order and ${unread(Math.min(noted, count), Math.max(noted, count))} is unread by those with fewer. docs/partitions.md says how to change it`;

const unread = (fewer: number, more: number): string =>
  fewer === more - 1
    ? `what is in partition ${fewer}`
    : `what is in partitions ${fewer} to ${more - 1}`;

export const outsidePartitions = (stream: string, group: string): string =>
  `Stream "${shown(stream)}" has entries that are in none of its partitions, and group "${group}" has not finished them: they were published without streams.${shown(stream)}.partitions, and nobody here reads them. docs/partitions.md says what to do`;

export const partitionsInvalid = (reason: string): string =>
  `Cannot check whether the readers have the same partitions: ${reason}`;

export const partitionsReplaced = (reason: string): string =>
  `A number of partitions was replaced by that of this server: ${reason}`;

export const partitionsNotNoted = (stream: string, reason: string): string =>
  `Cannot check whether all services have the same partitions of stream "${shown(stream)}": ${reason}`;

export const BARE_MODULE =
  'RedisStreamsModule is imported without options. Import RedisStreamsModule.forRoot({ group, … }) once, in the root module with ' +
  'isGlobal: true: other modules then need not import it';

export const givenTwice = (name: string | undefined, importers: readonly string[]): string =>
  `${name === undefined ? 'none' : JSON.stringify(name)}${name === undefined ? ', by' : ' twice, by'} RedisStreamsModule${
    importers.length === 0 ? ' more than once' : ` in ${importers.join(' and in ')}`
  }`;

export const ONE_WITHOUT_NAME =
  'one import without a name in an app. If both are meant to be one, call forRoot() once, in the root module with isGlobal: true. ' +
  "If there are two, for two groups or two Redis servers, name one of them: RedisStreamsModule.forRoot({ name: 'audit', … })";

export const ONE_OF_EACH_NAME =
  'a name once in an app. If both are meant to be one, call forRoot() once, in the root module with isGlobal: true';

const instanceText = (name: string | undefined): string =>
  name === undefined ? 'the one without a name' : JSON.stringify(name);

/** As users write a transport's ID. */
const transportText = (name: string | undefined): string =>
  name === undefined ? 'REDIS_STREAMS' : `streamsTransport('${name}')`;

const patternText = (pattern: unknown): string =>
  typeof pattern === 'string' ? `'${shown(pattern)}'` : '…';

export const decorated = (called: string, decorator: string, pattern: unknown): string =>
  `@${decorator}(${patternText(pattern)}) of ${shown(called)}`;

export const transportsAllowed = (
  names: readonly (string | undefined)[],
  decorator: string,
  pattern: unknown,
): string =>
  `the ID of one transport, since this app has several instances of RedisStreamsModule (${names.map(instanceText).join(', ')}), and Nest gives a handler without it to each of them: ${names
    .map((name) => `@${decorator}(${patternText(pattern)}, ${transportText(name)})`)
    .join(' or ')}`;

export const unknownInstance = (
  called: string,
  name: string | undefined,
  names: readonly (string | undefined)[],
): string =>
  `${shown(called)} has the transport ${transportText(name)}, and no RedisStreamsModule of this app ${name === undefined ? 'is without a name' : 'has this name'}: unless another server has this transport, it gets no messages. There is: ${names.map(transportText).join(', ')}`;

export const NAME_IN_FACTORY =
  'outside of useFactory, useClass and useExisting, since it is part of the tokens: RedisStreamsModule.forRootAsync({ name, useFactory })';

export const MODULE_OPTIONS =
  "an object of module options, with a group: forRoot({ group: 'billing' })";

export const ASYNC_OPTIONS =
  'an object with useFactory, useClass or useExisting, which gives the module options';

export const SHUT_DOWN = 'the app was shut down';

export const NOT_TEXT = 'allowed is the name of a stream, or a wildcard such as orders.*';
