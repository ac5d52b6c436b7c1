import type { InspectedServer } from '../../monitor/streams-inspection.js';

/** The problems of Redis itself. */
export function serverProblems({ maxmemoryPolicy, role }: InspectedServer): string[] {
  const problems: string[] = [];
  if (role === 'replica') problems.push('Redis is a replica: nothing can be written to it');
  if (maxmemoryPolicy !== undefined && maxmemoryPolicy !== 'noeviction') {
    problems.push(`maxmemory-policy of Redis is "${maxmemoryPolicy}", which throws messages away`);
  }
  return problems;
}
