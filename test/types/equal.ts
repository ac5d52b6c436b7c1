/** `true` if both types are the same, even if one of them is `any`. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles if its type is `true`: `expectType<Equal<typeof receipt, PublishReceipt>>()`. */
export const expectType = <_Holds extends true>(): void => undefined;
