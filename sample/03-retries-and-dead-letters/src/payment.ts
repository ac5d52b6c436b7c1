/** A payment to be made by the bank. */
export interface Payment {
  readonly id: string;
  readonly amount: number;
}

/** The payloads of this app's streams: the client accepts nothing else. */
export interface Events {
  payments: Payment;
}
