import { DeadLetterException, RetryException } from '../../lib/index.js';

const fail = (): never => {
  throw new Error('a trap of the value');
};

/** A Proxy of which nothing can be read, not even its prototype. */
const hostile = (): object =>
  new Proxy(
    {},
    {
      get: fail,
      has: fail,
      ownKeys: fail,
      getPrototypeOf: fail,
      getOwnPropertyDescriptor: fail,
      set: fail,
    },
  );

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** An error that throws if something is read of it. */
function withGetters(error: Error, ...names: string[]): Error {
  for (const name of names) Object.defineProperty(error, name, { get: fail });
  return error;
}

function ownCause(): Error {
  const error = new Error('its own cause');
  error.cause = error;
  return error;
}

function withResponse(getResponse: unknown): Error {
  return Object.assign(new Error('with a response'), { getResponse, getError: getResponse });
}

/** Values that user code can throw, and that are hard to describe. Each call makes a new one. */
export const ANYTHING: readonly (readonly [name: string, make: () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['text', () => 'text'],
  ['a symbol', () => Symbol('thrown')],
  ['a function', () => fail],
  ['a bigint', () => 7n],
  ['an object without a prototype', () => Object.create(null)],
  ['an object whose message has no prototype', () => ({ message: Object.create(null) })],
  ['an object whose toString throws', () => ({ toString: fail })],
  [
    'an error with getters that throw',
    () => withGetters(new Error('no'), 'stack', 'name', 'message', 'cause', 'constructor'),
  ],
  ['an error whose stack throws', () => withGetters(new TypeError('no stack'), 'stack')],
  [
    'an error whose texts are not text',
    () => Object.assign(new Error('no'), { name: 7, message: {}, stack: [Symbol('frame')] }),
  ],
  ['a frozen error', () => Object.freeze(new Error('frozen'))],
  ['a Proxy that throws', hostile],
  ['a revoked Proxy', revoked],
  ['an error that is its own cause', ownCause],
  ['an error whose cause is a Proxy that throws', () => new Error('no', { cause: hostile() })],
  [
    'an AggregateError of thousands',
    () => new AggregateError(Array.from({ length: 5_000 }, (_, n) => new Error(`part ${n}`))),
  ],
  [
    'an AggregateError whose list throws',
    () => withGetters(new AggregateError([], 'many'), 'errors'),
  ],
  ['an error of 8 MB', () => new Error('x'.repeat(8 * 1024 * 1024))],
  ['an error whose response throws', () => withResponse(fail)],
  ['an error whose response is a Proxy that throws', () => withResponse(hostile)],
  [
    'a RetryException whose delay throws',
    () => withGetters(new RetryException({ delayMs: 0 }), 'delayMs'),
  ],
  [
    'a DeadLetterException whose reason is a symbol',
    () => Object.assign(new DeadLetterException('no'), { reason: Symbol('reason') }),
  ],
  [
    'a DeadLetterException whose reason throws',
    () => withGetters(new DeadLetterException('no'), 'reason'),
  ],
];
