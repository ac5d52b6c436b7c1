export const ROLE = 'dead letters';

export const CONNECTION_NAME = 'nestjs-redis-streams:dead-letters';

export const GROUP_NEEDED = 'the name of a group, since there is none in the options';
