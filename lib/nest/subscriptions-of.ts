import { FieldCodec } from '../wire/field.codec.js';
import { InvalidOptionsError } from '../errors/options.errors.js';
import { wildcardMatcher } from '../wire/wildcard.js';
import type { ResolvedServerOptions } from '../options/resolved-options.js';
import type { HandlerRegistry, Subscription } from './handler-registry.js';
import * as text from './server.messages.js';

/**
 * Holds what handlers ask for against what is set for their streams. Otherwise they would wait for messages that never come.
 *
 * @returns the streams that handlers name
 * @throws InvalidOptionsError for the first contradiction
 */
export function subscriptionsOf(
  registry: HandlerRegistry,
  { partitions, codecs }: Pick<ResolvedServerOptions, 'partitions' | 'codecs'>,
): Subscription[] {
  const named = registry.subscriptions();
  for (const { stream, handlers } of named) {
    const hasAnswerer = handlers.some(({ answers }) => answers);
    if (hasAnswerer && codecs.plain(stream) instanceof FieldCodec) {
      throw new InvalidOptionsError(`streams.${stream}.codec`, 'a FieldCodec', text.ONE_FIELD);
    }
  }
  for (const [stream, count] of partitions) {
    if (named.some((its) => its.stream === stream)) continue;
    const wildcard = registry.wildcards.find((each) => wildcardMatcher(each)(stream));
    if (wildcard === undefined) continue;
    throw new InvalidOptionsError(
      `streams.${stream}.partitions`,
      String(count),
      text.wildcardOnly(wildcard),
    );
  }
  return named;
}
