import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A request that a client sent: its connection, and its words. */
export interface SentRequest {
  /** The connection, counted from 0 in the order in which they were opened. */
  readonly connection: number;
  readonly words: readonly string[];
}

/** A proxy to Redis that counts everything sent. */
export interface RequestMeter {
  /** `redis://…` of the proxy. */
  readonly url: string;
  /** How many connections are open now. */
  readonly connections: number;
  /** All requests since the last {@link reset}, in order. */
  readonly requests: readonly SentRequest[];
  /**
   * Round trips since the last {@link reset}: how often a connection began to send while it had all its
   * answers. What is sent before the answer to something else has arrived shares its round trip.
   */
  readonly roundTrips: number;
  reset(): void;
  close(): Promise<void>;
}

/** Starts one on a free port. */
export async function requestMeter(targetUrl: string): Promise<RequestMeter> {
  const { hostname, port: targetPort } = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let requests: SentRequest[] = [];
  let roundTrips = 0;
  let made = 0;

  const server = createServer((client) => {
    const connection = made++;
    const redis = connect(Number(targetPort), hostname);
    const reader = requestReader((words) => requests.push({ connection, words }));
    let underWay = false;
    sockets.add(client);
    const end = (): void => {
      sockets.delete(client);
      client.destroy();
      redis.destroy();
    };
    for (const socket of [client, redis]) socket.on('error', end).on('close', end).setNoDelay();
    client.on('data', (sent) => {
      if (!underWay) roundTrips += 1;
      underWay = true;
      reader(sent);
      redis.write(sent);
    });
    redis.on('data', (answer) => {
      underWay = false;
      client.write(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    url: `redis://127.0.0.1:${port}`,
    get connections() {
      return sockets.size;
    },
    get requests() {
      return requests;
    },
    get roundTrips() {
      return roundTrips;
    },
    reset: () => {
      requests = [];
      roundTrips = 0;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const LINE_END = Buffer.from('\r\n');

/** Collects what a client sends, and returns each request once it is complete: a list of texts of known lengths. */
function requestReader(onRequest: (words: string[]) => void): (sent: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (sent) => {
    rest = Buffer.concat([rest, sent]);
    for (;;) {
      const request = firstRequest(rest);
      if (request === undefined) return;
      rest = rest.subarray(request.end);
      onRequest(request.words);
    }
  };
}

function firstRequest(bytes: Buffer): { words: string[]; end: number } | undefined {
  const head = sizeAt(bytes, 0);
  if (head === undefined) return undefined;
  const words: string[] = [];
  let at = head.end;
  for (let n = 0; n < head.size; n++) {
    const word = sizeAt(bytes, at);
    if (word === undefined || bytes.length < word.end + word.size + LINE_END.length)
      return undefined;
    words.push(bytes.toString('latin1', word.end, word.end + word.size));
    at = word.end + word.size + LINE_END.length;
  }
  return { words, end: at };
}

/** The number in a line such as `*3` or `$12`, and where the next line begins. */
function sizeAt(bytes: Buffer, at: number): { size: number; end: number } | undefined {
  const lineEnd = bytes.indexOf(LINE_END, at);
  if (lineEnd < 0) return undefined;
  return {
    size: Number(bytes.toString('latin1', at + 1, lineEnd)),
    end: lineEnd + LINE_END.length,
  };
}
