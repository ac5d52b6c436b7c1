/** Something that is wrong, or will go wrong, and what to do about it. */
export interface Finding {
  /** `error`: messages are lost, or stand still. */
  readonly level: 'error' | 'warning';
  /** What was looked for: a word that stays the same, for programs. */
  readonly check:
    | 'server'
    | 'replica'
    | 'eviction'
    | 'rights'
    | 'no-consumers'
    | 'consumer-gone'
    | 'no-retention'
    | 'near-trimming'
    | 'expires'
    | 'partitions';
  readonly stream?: string;
  readonly group?: string;
  readonly what: string;
  readonly todo: string;
}

/** What the checks are held against. */
export interface DoctorLimits {
  /** How long a consumer that lives may not ask for anything. */
  readonly goneAfter: number;
  /** The retention of the streams, where it was said. */
  readonly maxAge?: number;
  readonly maxLength?: number;
}
