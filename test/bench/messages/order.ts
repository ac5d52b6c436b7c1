/** What a message of the bench carries: with its ID and its name an entry of about 150 bytes. */
export interface Order {
  readonly orderId: number;
  readonly customer: string;
  readonly item: string;
  readonly quantity: number;
}

export const orderOf = (n: number): Order => ({
  orderId: n,
  customer: 'customer-1138',
  item: 'a teapot of stoneware',
  quantity: 1 + (n % 7),
});
