/** A payment that the bank is to be asked for. */
export interface Payment {
  readonly id: string;
  readonly amount: number;
}

/** What goes through the streams of this app: the client takes nothing else. */
export interface Events {
  payments: Payment;
}
