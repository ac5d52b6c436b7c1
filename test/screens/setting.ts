/** The shop on the screens: its services, and what each does. */

export const SERVICES = ['shop', 'billing', 'billing-2', 'shipping', 'ledger', 'mailer'] as const;
export type Service = (typeof SERVICES)[number];

/** How long the shop runs until its picture is taken, in seconds. */
export const RUNS_S = 240;
/** The time during which shipping is slow, in seconds. */
export const SLOW_S = [70, 120] as const;
/** When one of the two billing processes dies, this long before the end. */
export const KILLED_S = RUNS_S - 25;

/** How many orders arrive each second, over the day. */
export const ordersPerSecond = (second: number): number =>
  Math.round(30 + 14 * Math.sin(second / 25) + (second > 150 && second < 170 ? 25 : 0));

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Long and short in turn, like real work. */
export const work = (ms: number): Promise<void> => sleep(ms * (0.4 + 2 * Math.random() ** 3));
