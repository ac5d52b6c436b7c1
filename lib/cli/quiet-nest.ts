/** What parts of this package would say in a service's log is not what was asked for here. */
export async function quietNest(): Promise<void> {
  const { Logger } = await import('@nestjs/common');
  Logger.overrideLogger(false);
}
