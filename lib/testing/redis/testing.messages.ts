/** Texts of this folder: what `startRedis` says, and what its errors say. */

/** One way to a Redis that was tried, and why it gave none. */
export interface FailedWay {
  readonly way: string;
  readonly reason: string;
}

export const redisNotFound = (failed: readonly FailedWay[]): string =>
  [
    'No Redis could be found or started:',
    ...failed.map(({ way, reason }) => `  - ${way}: ${reason}`),
    'Any one of these is enough: REDIS_URL set to a running server; redis-server or valkey-server on the PATH; ' +
      'Docker, with the package testcontainers installed; or root on Debian or Ubuntu, where redis-server can be ' +
      'installed with apt-get.',
  ].join('\n');

export const installing = (failed: readonly FailedWay[]): string =>
  [
    'startRedis: installing redis-server with apt-get, because no other way gave a Redis:',
    ...failed.map(({ way, reason }) => `  - ${way}: ${reason}`),
  ].join('\n');

export const urlNotSet = (): string => 'the environment variable REDIS_URL is not set';
export const urlNotWanted = (): string =>
  'not used, since the options ask for a server of its own (args, port, dir or binary)';
export const urlInvalid = (): string =>
  'REDIS_URL has to be redis://host:port or rediss://host:port';
export const urlSilent = (host: string, port: number, timeoutMs: number): string =>
  `REDIS_URL is set, but no Redis answers at ${host}:${port} within ${timeoutMs} ms`;

export const notOnPath = (names: readonly string[]): string =>
  `no ${names.join(' or ')} on the PATH`;
export const tooOld = (version: string, minimum: string): string =>
  `the server is version ${version}, and ${minimum} or newer is needed`;
export const noAnswer = (binary: string, timeoutMs: number, output: string): string =>
  `${binary} did not answer within ${timeoutMs} ms${said(output)}`;
export const exitedEarly = (binary: string, output: string): string =>
  `${binary} ended before it answered${said(output)}`;
export const noPortFound = (attempts: number): string =>
  `no free port found in ${attempts} attempts`;
export const alreadyStopped = (): string =>
  'this Redis was stopped with stop(), and cannot be started again';

export const dockerNotWanted = (): string =>
  'not used, since the options name a dir or a binary of this machine';
export const testcontainersMissing = (cause: string): string =>
  `the package testcontainers cannot be loaded, and may not be installed (${cause})`;
export const noDockerEngine = (cause: string): string => `no Docker engine answers (${cause})`;
export const containerFailed = (image: string, cause: string): string =>
  `the container of ${image} did not start (${cause})`;

export const aptNotWanted = (): string => 'not used, since the options name a binary';
export const aptNotNeeded = (binary: string): string =>
  `not used, since ${binary} is installed already`;
export const notDebian = (): string => 'this machine is no Debian or Ubuntu with apt-get';
export const notRoot = (): string => 'it takes root';
export const aptFailed = (output: string): string =>
  `apt-get could not install redis-server${said(output)}`;

function said(output: string): string {
  const text = output.trim();
  return text === '' ? ', and it said nothing' : `; it said:\n${text.replace(/^/gm, '      ')}`;
}
