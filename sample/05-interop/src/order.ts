import { z } from 'zod';

/** What the Python service promises to write. It is validated before a handler gets it. */
export const Order = z.object({ order_id: z.string(), quantity: z.number().int().positive() });

/** What handlers receive, and what may be published. */
export type Order = z.infer<typeof Order>;
