/** What the shop asks for. */
export interface Item {
  readonly name: string;
  readonly quantity: number;
}

/** What the pricing service replies. */
export interface Quote {
  readonly total: number;
  readonly currency: 'EUR';
}

/** The stream that requests travel on, and what kinds of them there are. */
export const PRICE = { stream: 'quotes', name: 'price' };
export const HISTORY = { stream: 'quotes', name: 'history' };
