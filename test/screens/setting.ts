/** The shop on the screens: which services there are, and what each does. */

export const SERVICES = ['shop', 'billing', 'billing-2', 'shipping', 'ledger', 'mailer'] as const;
export type Service = (typeof SERVICES)[number];

/** How long the shop runs until its picture is taken, in seconds. */
export const RUNS_S = 240;
/** From when until when shipping is slow, in seconds. */
export const SLOW_S = [70, 120] as const;
/** When one of the two that bill dies, so long before the end. */
export const KILLED_S = RUNS_S - 25;

/** How many orders a second come in, as the day goes. */
export const ordersPerSecond = (second: number): number =>
  Math.round(30 + 14 * Math.sin(second / 25) + (second > 150 && second < 170 ? 25 : 0));

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Long and short in turn, as work is. */
export const work = (ms: number): Promise<void> => sleep(ms * (0.4 + 2 * Math.random() ** 3));
