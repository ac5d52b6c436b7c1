import { childProgram, endChildPrograms } from '../support/child-program.js';
import type { CompiledPackage } from '../support/compiled-package.js';
import { waitFor } from '../support/wait-for.js';
import type { MemberPlace } from './member.js';

/** A member that will be killed, and what it did before. */
export interface Doomed extends MemberPlace {
  readonly mode: string;
}

/** Which messages a member handled before it was killed in the handler of another. */
export type HandledBefore = readonly number[];

const TOGETHER_MS = 500;
const WITHIN_MS = 60_000;

/** Starts members in a separate process, and kills it with -9 once each of them is in a handler. */
export class DoomedMembers {
  private next: { doomed: Doomed[]; done: Promise<string> } | undefined;

  constructor(private readonly compiled: CompiledPackage) {}

  /** What its member did. Those requested at the same time are killed together. */
  async kill(doomed: Doomed): Promise<HandledBefore> {
    this.next ??= this.together();
    const { done } = this.next;
    this.next.doomed.push(doomed);
    const output = await done;
    if (!output.includes(runs(doomed))) throw new Error(`It did not run:\n${output}`);
    return handledBy(doomed.group, output.split('\n'));
  }

  end(): Promise<void> {
    return endChildPrograms();
  }

  private together(): NonNullable<DoomedMembers['next']> {
    const doomed: Doomed[] = [];
    const done = new Promise<void>((resolve) => setTimeout(resolve, TOGETHER_MS)).then(() => {
      this.next = undefined;
      return this.killAll(doomed);
    });
    return { doomed, done };
  }

  private async killAll(doomed: readonly Doomed[]): Promise<string> {
    const program = childProgram(this.compiled.program('test/modes/doomed.program.ts'), {
      env: { DOOMED: JSON.stringify(doomed) },
    });
    const all = (): boolean => doomed.every((each) => program.output().includes(runs(each)));
    // One that does not reach its handler harms no other.
    await waitFor(all, { timeoutMs: WITHIN_MS }).catch(() => undefined);
    program.kill('SIGKILL');
    await program.ended;
    return program.output();
  }
}

const runs = ({ group }: Doomed): string => `${group} runs`;

function handledBy(group: string, lines: readonly string[]): number[] {
  const handledLines = lines.filter((line) => line.startsWith(`${group} handled `));
  return handledLines.map((line) => Number(line.split(' ').at(-1)));
}
