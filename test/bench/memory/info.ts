import type { Redis } from 'ioredis';

/** A number of `INFO`. */
export async function figureOf(client: Redis, section: string, name: string): Promise<number> {
  const [, figure] = new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await client.info(section)) ?? [];
  if (figure === undefined) throw new Error(`INFO ${section} has no ${name}`);
  return Number(figure);
}
