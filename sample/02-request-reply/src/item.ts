/** An item whose price the shop requests. */
export interface Item {
  readonly name: string;
  readonly quantity: number;
}

/** The reply of the pricing service. */
export interface Quote {
  readonly total: number;
  readonly currency: 'EUR';
}

/** The stream for requests, and the names of the two kinds of requests on it. */
export const PRICE = { stream: 'quotes', name: 'price' };
export const HISTORY = { stream: 'quotes', name: 'history' };
