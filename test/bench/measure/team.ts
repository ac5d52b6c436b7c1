import { Contender } from './contender.js';
import type { Task } from './task.js';

/**
 * Processes that do one task together. Each answers with when it began and when everything was done, in ms of
 * the clock.
 */
export class Team {
  private constructor(private readonly members: readonly Contender[]) {}

  static start(worker: string, members: number): Team {
    return new Team(Array.from({ length: members }, () => Contender.start(worker)));
  }

  /** @returns how long it took, in seconds, from the first that began to the last that was done */
  async run(task: Task): Promise<number> {
    const times = await Promise.all(this.members.map((member) => member.run(task)));
    const began = times.map(([at = NaN]) => at);
    const done = times.map(([, at = NaN]) => at);
    return (Math.max(...done) - Math.min(...began)) / 1000;
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.end()));
  }
}
