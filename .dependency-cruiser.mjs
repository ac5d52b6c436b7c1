/** Top to bottom. A room imports from floors below its own, never from beside or above. */
const FLOORS = [
  ['cli'],
  ['prometheus', 'terminus', 'opentelemetry', 'testing-kit'],
  ['module'],
  ['monitor'],
  ['server', 'client'],
  ['consumer'],
  ['jobs'],
  ['ledger', 'retry', 'dead-letters', 'delayed'],
  ['redis'],
  ['options'],
  ['codec', 'keys', 'events'],
];
/** May know one another: there is nothing below. */
const GROUND = ['errors', 'interfaces'];
/** Users import it alone: it knows the ground only, and no room knows it, save the kit that starts a Redis with it. */
const APART = ['testing'];
const KIT = 'testing-kit';
/** What users import says what both have. */
const TESTING_INDEX = '^lib/testing/index\\.ts$';

const inside = (rooms) => `^lib/(${rooms.join('|')})/`;

const floors = FLOORS.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const above = FLOORS.slice(0, floor).flat();
    const beside = rooms.filter((other) => other !== room);
    return {
      name: `floor-of-${room}`,
      severity: 'error',
      from: { path: inside([room]) },
      to: { path: inside([...above, ...beside, ...(room === KIT ? [] : APART)]) },
    };
  }),
);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...floors,
    {
      name: 'ground',
      severity: 'error',
      from: { path: inside(GROUND) },
      to: { path: '^lib/', pathNot: inside(GROUND) },
    },
    {
      name: 'testing-stands-alone',
      severity: 'error',
      from: { path: inside(APART), pathNot: TESTING_INDEX },
      to: { path: '^lib/', pathNot: inside([...GROUND, ...APART]) },
    },
    {
      name: 'every-room-has-a-floor',
      comment: 'A new room needs its place in FLOORS before its imports mean anything.',
      severity: 'error',
      from: {
        path: '^lib/',
        pathNot: [inside([...FLOORS.flat(), ...GROUND, ...APART]), '^lib/index\\.ts$'],
      },
      to: {},
    },
    {
      name: 'nobody-imports-index',
      comment: 'It imports everything, so any import of it is a cycle.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^lib/index\\.ts$' },
    },
    {
      name: 'the-command-line-is-a-program',
      comment:
        'What its users run would otherwise be loaded, with its libraries, by every service.',
      severity: 'error',
      from: { path: '^lib/', pathNot: inside(['cli']) },
      to: { path: inside(['cli']) },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'ioredis-stays-in-redis',
      comment: 'Elsewhere its types are fine: the user hands connections in.',
      severity: 'error',
      from: { path: '^lib/', pathNot: inside(['redis', ...APART]) },
      to: { path: 'node_modules/ioredis/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'optional-peers-stay-in-their-rooms',
      comment: 'Whoever does not import the subpath need not have them.',
      severity: 'error',
      from: { path: '^lib/', pathNot: inside(['prometheus', 'terminus', 'opentelemetry']) },
      to: { path: 'node_modules/(prom-client|@nestjs/terminus|@opentelemetry)/' },
    },
    {
      name: 'lib-needs-what-users-have',
      comment: 'A development dependency is not there once the package is installed.',
      severity: 'error',
      from: { path: '^lib/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    {
      name: 'lib-knows-no-tests',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(test|sample)/' },
    },
    {
      name: 'programs-are-users',
      comment:
        'They run on the built package, found by its name; a path would load the source twice.',
      severity: 'error',
      from: { path: '^(sample|test/bench)/' },
      to: { path: '^lib/', dependencyTypesNot: ['aliased-tsconfig-paths'] },
    },
    {
      name: 'resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Programs of apps of their own, which are installed elsewhere.
    exclude: { path: ['^test/pack/', '^test/bench/peers/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
