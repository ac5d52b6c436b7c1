/** Of so few streams each is looked at by itself, and it is not asked first in which there is something: a round trip costs more. */
export const FEW_STREAMS = 8;
