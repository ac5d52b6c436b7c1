import { commandLine, type CommandLine } from '../support/command-line.js';
import type { Address } from './address.js';

/** What `nest-streams overview` reports about a group of a stream, or of one partition. */
export interface Overview {
  readonly stream: string;
  readonly group?: string;
  readonly length: number;
  readonly lag?: number;
  readonly pending?: number;
  readonly retries?: number;
  readonly deadLetters?: number;
  readonly ledger?: number;
  readonly consumers?: number;
}

const TOGETHER_MS = 300;

/** Runs the command once for all callers who ask at the same time. */
export class Overviews {
  private line: Promise<CommandLine> | undefined;
  private readonly next = new Map<string, Promise<Overview[]>>();

  async of(address: Address, prefix: string): Promise<Overview[]> {
    const args = [...connectionArgs(address), '--prefix', prefix];
    const key = args.join(' ');
    let asked = this.next.get(key);
    if (asked === undefined) {
      asked = new Promise<void>((resolve) => setTimeout(resolve, TOGETHER_MS)).then(() => {
        this.next.delete(key);
        return this.ask(args);
      });
      this.next.set(key, asked);
    }
    return asked;
  }

  async end(): Promise<void> {
    await (await this.line)?.end();
  }

  private async ask(args: readonly string[]): Promise<Overview[]> {
    this.line ??= commandLine(() => ({}));
    const { code, stdout, stderr } = await (await this.line).run(['overview', '--json', ...args]);
    if (code !== 0) throw new Error(`nest-streams overview: exit ${code}: ${stderr}`);
    return JSON.parse(stdout) as Overview[];
  }
}

function connectionArgs(address: Address): string[] {
  if ('url' in address) return ['--url', address.url];
  const [node] = address.cluster;
  return ['--cluster', '--url', `redis://${node?.host}:${node?.port}`];
}
