/** Something that is wrong, or will go wrong, and what to do about it. */
export interface Finding {
  /** `error`: messages are lost, or are not handled. */
  readonly level: 'error' | 'warning';
  /** What was checked: a word that never changes, for programs. */
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

/** The limits that the checks apply. */
export interface DoctorLimits {
  /** How long a consumer may be idle before it counts as gone. */
  readonly goneAfter: number;
  /** The retention of the streams, if the user passed it. */
  readonly maxAge?: number;
  readonly maxLength?: number;
}
