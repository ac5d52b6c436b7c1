import { types } from 'node:util';
import { RedisStreamsError } from './redis-streams.error.js';
import { cutText, isA, isError, itemsOf, propertyOf, thrownMessage, thrownName } from './thrown.js';

/** What is kept of something that was thrown: plain texts of bounded size, 12 KiB in all. */
export interface ThrownText {
  /** Its class. */
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Its `cause` chain and the `errors` of an `AggregateError`: a line each. */
  readonly causes: string | undefined;
  /** What it says beside its message, as JSON: the response of one of Nest's exceptions, or an object that is no error. */
  readonly details: string | undefined;
  /** The names of these texts that were cut. */
  readonly cut: readonly string[];
}

const MOST_BYTES = { name: 256, message: 3_072, stack: 5_120, causes: 1_536, details: 2_048 };
const LONGEST_LINE = 300;
const MOST_LINES = 12;
/** How many bytes a log line may have for what was thrown. */
const LONGEST_LOG = 1_000;
const MOST_IN_LOG = 3;
const MORE = '…';

/** Describes anything that was thrown, for a dead letter. Never throws. */
export function describeThrown(thrown: unknown): ThrownText {
  const cut: string[] = [];
  const kept = (name: keyof typeof MOST_BYTES, text: string): string => {
    const shown = cutText(text, MOST_BYTES[name]);
    if (shown !== text) cut.push(name);
    return shown;
  };
  const [wholeName, wholeMessage] = [thrownName(thrown), thrownMessage(thrown)];
  const name = kept('name', wholeName);
  const message = kept('message', wholeMessage);
  const wholeStack = propertyOf(thrown, 'stack');
  let stack = typeof wholeStack === 'string' ? wholeStack : undefined;
  // It begins with the name and the message. If these are long, they would leave no room for the rest.
  if (name !== wholeName) stack = stack?.replace(wholeName, () => name);
  if (message !== wholeMessage) stack = stack?.replace(wholeMessage, () => message);
  const lines = relativesOf(thrown);
  const details = detailsOf(thrown, wholeMessage);
  const json = details === undefined ? undefined : boundedJson(details, MOST_BYTES.details / 2);
  if (json?.isCut === true) cut.push('details');
  return {
    name,
    message,
    stack: stack === undefined ? undefined : kept('stack', stack),
    causes: lines.length === 0 ? undefined : kept('causes', lines.join('\n')),
    details: json === undefined ? undefined : kept('details', json.json),
    cut: [...new Set(cut)],
  };
}

/** Describes anything that was thrown in one text for a log line, an error's message or a reason. Never throws. */
export function thrownText(thrown: unknown, mostBytes = LONGEST_LOG): string {
  const said = saidBy(thrown);
  const lines = relativesOf(thrown);
  const more = lines.slice(0, MOST_IN_LOG).map((line) => line.trim());
  if (lines.length > MOST_IN_LOG) more.push(MORE);
  const texts = [headOf(thrown), ...more].join('; ');
  return cutText(said === undefined ? texts : `${texts} (${said})`, mostBytes);
}

/** `TypeError: out of stock`; without the class if that says nothing, or the message says it all. */
function headOf(thrown: unknown): string {
  const message = cutText(thrownMessage(thrown), LONGEST_LINE);
  const name = thrownName(thrown);
  if (message === '') return name;
  if (!isError(thrown) || name === 'Error' || isA(thrown, RedisStreamsError)) return message;
  return `${cutText(name, MOST_BYTES.name)}: ${message}`;
}

/** A line for each cause and each aggregated error, and for theirs; a bounded number of lines. */
function relativesOf(thrown: unknown): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  const visit = (error: unknown, depth: number): void => {
    seen.add(error);
    const related = [...aggregated(error), ...causeOf(error)];
    for (const { label, its } of related) {
      if (lines.length > MOST_LINES) return;
      if (lines.length === MOST_LINES) return void lines.push(MORE);
      if (seen.has(its)) continue;
      lines.push(`${'  '.repeat(depth)}${label}${headOf(its)}`);
      visit(its, depth + 1);
    }
  };
  visit(thrown, 0);
  return lines;
}

interface Related {
  readonly label: string;
  readonly its: unknown;
}

function* causeOf(error: unknown): Generator<Related> {
  const cause = isError(error) ? propertyOf(error, 'cause') : undefined;
  if (cause !== undefined) yield { label: 'caused by ', its: cause };
}

function* aggregated(error: unknown): Generator<Related> {
  if (!isA(error, AggregateError) && thrownName(error) !== 'AggregateError') return;
  const { items, count } = itemsOf(propertyOf(error, 'errors'), MOST_LINES + 1);
  for (const [at, its] of items.entries()) yield { label: `error ${at + 1} of ${count}: `, its };
}

/** What an exception of Nest says, if that is more than its message; an object that is no error. */
function detailsOf(thrown: unknown, message: string): unknown {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  const response = responseOf(thrown);
  if (response !== undefined) return response === message ? undefined : response;
  return isError(thrown) ? undefined : thrown;
}

function responseOf(thrown: unknown): unknown {
  for (const name of ['getResponse', 'getError']) {
    const get = propertyOf(thrown, name);
    if (typeof get !== 'function') continue;
    try {
      const response: unknown = get.call(thrown);
      if (!types.isPromise(response)) return response;
      response.catch(() => undefined);
    } catch {
      // Its own fault.
    }
  }
  return undefined;
}

/** The texts in the `message` of a response, where ValidationPipe has the faults of the fields. Nothing else: it may be a payload. */
function saidBy(thrown: unknown): string | undefined {
  const said = propertyOf(responseOf(thrown), 'message');
  const texts = itemsOf(said, MOST_LINES).items.filter((text) => typeof text === 'string');
  if (typeof said === 'string' && said !== thrownMessage(thrown)) texts.push(said);
  return texts.length === 0 ? undefined : texts.join('; ');
}

/** How deep, and how many properties or items of each object or list. */
const MOST_LEVELS = 5;
const MOST_ITEMS = 50;
const CUT = '…';

/** JSON of bounded size. */
interface BoundedJson {
  readonly json: string;
  /** Whether something was left out of it. */
  readonly isCut: boolean;
}

/**
 * A value as JSON of about so many characters: what is longer, deeper or more is left out. Never throws, whatever the value is:
 * a property that throws is left out too.
 */
function boundedJson(value: unknown, mostCharacters: number): BoundedJson | undefined {
  const budget = new Budget(mostCharacters);
  const json = JSON.stringify(plain(value, budget, MOST_LEVELS));
  return json === undefined ? undefined : { json, isCut: budget.isExceeded };
}

/** How much may still be copied. */
class Budget {
  isExceeded = false;

  constructor(private left: number) {}

  get isUsedUp(): boolean {
    return this.left <= 0;
  }

  take(text: string): string {
    const taken = text.length > this.left ? this.cut(text.slice(0, Math.max(0, this.left))) : text;
    this.left -= taken.length + 4;
    return taken;
  }

  cut(text = ''): string {
    this.isExceeded = true;
    return text + CUT;
  }
}

function plain(value: unknown, budget: Budget, levels: number): unknown {
  switch (typeof value) {
    case 'string':
      return budget.take(value);
    case 'bigint':
      return budget.take(String(value));
    case 'number':
    case 'boolean':
      budget.take(String(value));
      return value;
    case 'object':
      if (value === null) return null;
      break;
    default:
      return undefined;
  }
  if (levels === 0 || budget.isUsedUp) return budget.cut();
  try {
    if (isError(value)) return budget.take(thrownMessage(value));
    if (value instanceof Date) return budget.take(String(value.toJSON()));
    if (ArrayBuffer.isView(value)) return budget.take(`${value.byteLength} bytes`);
    return Array.isArray(value)
      ? plainList(value, budget, levels)
      : plainObject(value, budget, levels);
  } catch {
    return budget.cut();
  }
}

function plainList(list: readonly unknown[], budget: Budget, levels: number): unknown[] {
  const items: unknown[] = [];
  for (let at = 0; at < list.length; at++) {
    if (at === MOST_ITEMS || budget.isUsedUp) {
      items.push(budget.cut());
      break;
    }
    items.push(plain(list[at], budget, levels - 1));
  }
  return items;
}

function plainObject(value: object, budget: Budget, levels: number): Record<string, unknown> {
  const properties: [string, unknown][] = [];
  for (const name of Object.keys(value)) {
    if (properties.length === MOST_ITEMS || budget.isUsedUp) {
      properties.push([budget.cut(), true]);
      break;
    }
    let property: unknown;
    try {
      property = Reflect.get(value, name);
    } catch {
      property = budget.cut();
    }
    properties.push([budget.take(name), plain(property, budget, levels - 1)]);
  }
  return Object.fromEntries(properties);
}
