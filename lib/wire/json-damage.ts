import { types } from 'node:util';

/**
 * What in `value` JSON would write as something else without a word: a `NaN` as `null`, a `Map` as `{}`. Properties that
 * are `undefined` or functions are left out, as everywhere with JSON; what has `toJSON` speaks for itself.
 *
 * @param value holds no circle: JSON could write it
 * @returns what it is, in words that tell nothing of what it holds; nothing where all is well
 */
export function jsonDamage(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : String(value);
    case 'object':
      return value === null ? undefined : damageOfObject(value);
    default:
      return `a ${typeof value}`;
  }
}

function damageOfObject(value: object): string | undefined {
  if (Array.isArray(value)) return damageOfList(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : undefined;
  if ('toJSON' in value && typeof value.toJSON === 'function') return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && isOpaque(value)) {
    return `a ${value.constructor.name}`;
  }
  for (const key of Object.keys(value)) {
    const its: unknown = Reflect.get(value, key);
    if (its === undefined || typeof its === 'function') continue;
    const damage = jsonDamage(its);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

// By index: what is missing in a list becomes null too.
function damageOfList(list: readonly unknown[]): string | undefined {
  for (let at = 0; at < list.length; at++) {
    const damage = list[at] === undefined ? 'an undefined in a list' : jsonDamage(list[at]);
    if (damage !== undefined) return damage;
  }
  return undefined;
}

/** What keeps its contents where JSON does not look. */
const isOpaque = (value: object): boolean =>
  types.isMap(value) ||
  types.isSet(value) ||
  types.isWeakMap(value) ||
  types.isWeakSet(value) ||
  types.isAnyArrayBuffer(value) ||
  ArrayBuffer.isView(value) ||
  types.isRegExp(value) ||
  types.isPromise(value) ||
  types.isNativeError(value);
