/** Folders of lib/, top to bottom. A folder imports only from floors below its own, never from beside or above. */
const FLOORS = [
  ['cli'],
  ['telemetry', 'testing/kit'],
  ['nest'],
  ['monitor'],
  ['consume'],
  ['jobs', 'dead-letters'],
  ['requests'],
  ['publish'],
  ['redis'],
  ['options'],
  ['wire'],
  ['events'],
];
/** Every folder may import it. */
const GROUND = ['errors'];
/** Starts a Redis for tests, for users who import nothing else: it imports only the ground, and only the kit imports it. */
const APART = ['testing/redis'];
const KIT = 'testing/kit';
/** Exports both halves of the subpath. */
const TESTING_INDEX = '^lib/testing/index\\.ts$';

const inside = (rooms) => `^lib/(${rooms.join('|')})/`;

const floors = FLOORS.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const above = FLOORS.slice(0, floor).flat();
    const beside = rooms.filter((other) => other !== room);
    return {
      name: `floor-of-${room.replace('/', '-')}`,
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
      from: { path: inside(APART) },
      to: { path: '^lib/', pathNot: inside([...GROUND, ...APART]) },
    },
    {
      name: 'every-folder-has-a-floor',
      comment: 'A new folder needs a place in FLOORS, or its imports are not checked.',
      severity: 'error',
      from: {
        path: '^lib/',
        pathNot: [
          inside([...FLOORS.flat(), ...GROUND, ...APART]),
          '^lib/index\\.ts$',
          TESTING_INDEX,
        ],
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
      name: 'optional-peers-stay-in-telemetry',
      comment: 'Whoever does not import the subpath need not have them.',
      severity: 'error',
      from: { path: '^lib/', pathNot: inside(['telemetry']) },
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
