/** The payload of the bench's messages: with ID and name an entry of about 150 bytes. */
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
