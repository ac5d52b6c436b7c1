import { type Runtime, Session } from 'node:inspector/promises';

/** Whose code a sample was in. */
export type Owner = 'ours' | 'nest' | 'ioredis' | 'garbage' | 'node' | 'idle';

/** Where the package that is measured lies. */
const OURS = new URL('.', import.meta.resolve('nestjs-redis-streams')).href;
const SAMPLE_US = 500;

/** A CPU profile of this process. */
export class Profile {
  private constructor(
    private readonly session: Session,
    private readonly cpu: NodeJS.CpuUsage,
  ) {}

  static async begin(): Promise<Profile> {
    const session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await session.post('Profiler.start');
    return new Profile(session, process.cpuUsage());
  }

  /**
   * On a machine with other load a sample also covers the time in which this process did not run: the samples only tell how its
   * CPU time is shared.
   *
   * @returns the time in the code of each owner, in µs, without what that code called
   */
  async end(): Promise<Record<Owner, number>> {
    const { user, system } = process.cpuUsage(this.cpu);
    const { profile } = await this.session.post('Profiler.stop');
    this.session.disconnect();
    const owners = new Map(profile.nodes.map(({ id, callFrame }) => [id, ownerOf(callFrame)]));
    const times = { ours: 0, nest: 0, ioredis: 0, garbage: 0, node: 0, idle: 0 };
    const { samples = [], timeDeltas = [] } = profile;
    for (const [n, id] of samples.entries()) {
      const owner = owners.get(id);
      if (owner !== undefined) times[owner] += timeDeltas[n] ?? 0;
    }
    const { idle: _idle, ...busy } = times;
    const sampled = Object.values(busy).reduce((sum, us) => sum + us, 0);
    const scale = Math.min(1, (user + system) / sampled);
    for (const owner of Object.keys(busy) as (keyof typeof busy)[]) times[owner] *= scale;
    return times;
  }
}

/** Functions without an address are V8's and Node's. */
function ownerOf({ url, functionName }: Runtime.CallFrame): Owner {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  if (url.startsWith(OURS)) return 'ours';
  if (/\/node_modules\/(?:@nestjs|rxjs|reflect-metadata)\//.test(url)) return 'nest';
  if (/\/node_modules\//.test(url)) return 'ioredis';
  return 'node';
}
