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
import { aside, type Breakable, forbiddenEffects, isWrongType, Refused } from './refusal.js';
import { copyOf, readState, type State } from './state.js';

const GROUP = 'group';

/** A group on a stream of its own, its members, and the model of it. After each call the two are compared. */
export class Group {
  readonly keys: StreamKeys = streamKeys('', freshName('model'), GROUP);
  readonly model: Model;
  readonly members: readonly Member[];
  /** How often the window has passed. */
  windows = 0;
  /** The key that holds another type at present. */
  brokenKey: Breakable | undefined;
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
    await this.client.del(...Object.values(this.keys), ...Object.values(this.contents));
  }

  /** Where the content of the keys is: that of a broken one is kept elsewhere. */
  get contents(): StreamKeys {
    const { keys, brokenKey: key } = this;
    return key === undefined ? keys : { ...keys, [key]: aside(keys, key) };
  }

  /** Sends a call, and a second time if it is to be sent twice; everything is compared after each. @throws Refused */
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

  /** Runs a job, which does nothing if Redis refuses it. */
  async orRefused(run: () => Promise<unknown>): Promise<void> {
    await run().catch((error: unknown) => {
      if (!this.isRefusal(error)) throw error;
    });
  }

  private isRefusal(error: unknown): boolean {
    // A position of another type is replaced.
    return isWrongType(error) && this.brokenKey !== undefined && this.brokenKey !== 'position';
  }

  private async sendOnce<Answer>(call: Call<Answer>): Promise<Answer> {
    const { by, send, rule } = call;
    const before = copyOf(this.model.state);
    let answer: Answer;
    try {
      answer = await send();
    } catch (error) {
      if (!this.isRefusal(error)) throw this.failure(String(error));
      await this.afterRefusal(before, call);
      throw new Refused();
    }
    const expected = rule(this.model);
    const after = await this.compare();
    this.expectSame('the answer', answer, expected);
    for (const what of broken(this.model, before, after, by?.token ?? '')) throw this.failure(what);
    return answer;
  }

  /** Redis refused a call: it has had no effect, or a part of its effects in which nothing is lost. */
  private async afterRefusal<Answer>(
    before: State,
    { by, rule, partly = [] }: Call<Answer>,
  ): Promise<void> {
    this.log.push('  Redis refuses it');
    const whole = this.model.copy();
    rule(whole);
    const found = await this.read();
    for (const what of forbiddenEffects(before, found, whole.state, partly))
      throw this.failure(what);
    this.model.adoptPart(found);
    for (const what of broken(this.model, before, found, by?.token ?? '')) throw this.failure(what);
  }

  /** What is in Redis. */
  read(): Promise<State> {
    return readState(this.client, this.contents, this.name, this.model.published.values());
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
