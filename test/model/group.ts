import { isDeepStrictEqual } from 'node:util';

import type { Redis } from 'ioredis';

import type { ResolvedSubscription } from '../../lib/options/resolved-options.js';
import { streamKeys, type StreamKeys } from '../../lib/wire/stream-keys.js';
import { freshName } from '../support/fresh-name.js';
import type { Call } from './call.js';
import { broken } from './invariants.js';
import { Member } from './member.js';
import { Model } from './model.js';
import { NEW_LETTER } from './outcome.rules.js';
import { copyOf, readState, type State } from './state.js';

const GROUP = 'group';

/** A group on a stream of its own, its members, and the model of it. After each call the two are compared. */
export class Group {
  readonly keys: StreamKeys = streamKeys('', freshName('model'), GROUP);
  readonly model: Model;
  readonly members: readonly Member[];
  /** How often the window has passed. */
  windows = 0;
  /** The steps so far, for the report of a failure. */
  readonly log: string[] = [];

  private constructor(
    readonly client: Redis,
    readonly options: ResolvedSubscription,
  ) {
    this.model = new Model(options);
    this.members = ['a', 'b', 'c'].map((name) => new Member(name, this));
  }

  get name(): string {
    return GROUP;
  }

  static async make(client: Redis, options: ResolvedSubscription): Promise<Group> {
    const group = new Group(client, options);
    await client.xgroup('CREATE', group.keys.stream, GROUP, '0', 'MKSTREAM');
    return group;
  }

  async remove(): Promise<void> {
    await this.client.del(...Object.values(this.keys));
  }

  /** Sends a call, and a second time if it is to be sent twice; everything is compared after each. */
  async send<Answer>(call: Call<Answer>, twice = false): Promise<Answer> {
    this.log.push(`${call.by?.token ?? 'operator'}: ${call.what}${twice ? ', sent twice' : ''}`);
    const first = await this.sendOnce(call);
    if (!twice) return first;
    const state = copyOf(this.model.state);
    const second = await this.sendOnce(call);
    const { essence = (answer) => answer } = call;
    if (call.answersAnew !== true) {
      this.expectSame('the second answer', essence(second), essence(first));
    }
    this.expectSame('the state after the second time', this.model.state, state);
    return first;
  }

  /** Time passes, or something is published: the test itself changes Redis. */
  async change(what: string, act: () => Promise<unknown>): Promise<void> {
    this.log.push(what);
    await act();
    await this.compare();
  }

  private async sendOnce<Answer>({ by, send, rule }: Call<Answer>): Promise<Answer> {
    const before = copyOf(this.model.state);
    const answer = await send();
    const expected = rule(this.model);
    const after = await this.compare();
    this.expectSame('the answer', answer, expected);
    for (const what of broken(this.model, before, after, by?.token ?? '')) throw this.failure(what);
    return answer;
  }

  /** What is in Redis. */
  read(): Promise<State> {
    return readState(this.client, this.keys, this.name, this.model.published.values());
  }

  private async compare(): Promise<State> {
    const found = await this.read();
    this.nameNewLetter(found);
    this.expectSame('Redis', found, this.model.state);
    return found;
  }

  /** Redis assigns the ID of a dead letter. */
  private nameNewLetter(found: State): void {
    const { letters } = this.model.state;
    const letter = letters[NEW_LETTER];
    const id = Object.keys(found.letters).find((other) => !(other in letters));
    if (letter === undefined || id === undefined) return;
    delete letters[NEW_LETTER];
    letters[id] = letter;
  }

  private expectSame(what: string, found: unknown, expected: unknown): void {
    if (isDeepStrictEqual(found, expected)) return;
    throw this.failure(
      `${what} is\n${JSON.stringify(found, null, 1)}\nand not\n${JSON.stringify(expected, null, 1)}`,
    );
  }

  private failure(what: string): Error {
    return new Error(`${what}\nafter\n  ${this.log.join('\n  ')}`);
  }
}
