/**
 * What kind of server `startRedis` has to give. Naming any of these asks for a server of one's own: `REDIS_URL` is left
 * alone then.
 */
export interface StartRedisOptions {
  /**
   * Arguments for the server, after those that `startRedis` gives itself (`--save '' --appendonly no`), so these win.
   * Give some to test what survives a restart.
   *
   * @default []
   * @example ['--appendonly', 'yes', '--appendfsync', 'always']
   */
  readonly args?: readonly string[] | undefined;

  /**
   * TCP port to listen on, 1 to 65535. Give one only where clients know it beforehand: a taken one is an error then.
   *
   * @default a free port
   */
  readonly port?: number | undefined;

  /**
   * Directory that exists, where the server keeps its files; it is not removed. Give one to look at the files, or to
   * start again from them.
   *
   * @default an empty temporary directory, removed by `stop()` and where the process ends without it
   */
  readonly dir?: string | undefined;

  /**
   * Path of the server program. Give one to test against a version that is not on the PATH; no other way is tried then.
   *
   * @default `redis-server` or `valkey-server` on the PATH
   */
  readonly binary?: string | undefined;
}
