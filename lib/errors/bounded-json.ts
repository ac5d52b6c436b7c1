import { isError, thrownMessage } from './thrown.js';

/** How deep, and how many properties or items of each object or list. */
const MOST_LEVELS = 5;
const MOST_ITEMS = 50;
const CUT = '…';

/** JSON of bounded size. */
export interface BoundedJson {
  readonly json: string;
  /** Whether something was left out of it. */
  readonly isCut: boolean;
}

/**
 * A value as JSON of about so many characters: what is longer, deeper or more is left out. Never throws, whatever the value is:
 * a property that throws is left out too.
 */
export function boundedJson(value: unknown, mostCharacters: number): BoundedJson | undefined {
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
