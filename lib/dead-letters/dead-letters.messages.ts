export const ROLE = 'dead letters';

export const CONNECTION_NAME = 'nestjs-redis-streams:dead-letters';

export const GROUP_NEEDED = 'the name of a group, since there is none in the options';

export const idWithPartition = (partitions: number): string =>
  `the ID of a dead letter with its partition (0 to ${partitions - 1}) before it, such as "0:1729768245123-0"`;

export const ID_WITHOUT_PARTITION =
  'the ID of a dead letter without a partition: the options name none for its stream';
