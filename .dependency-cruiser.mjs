/** Folders of lib/, top to bottom. A folder imports only from layers below its own, never from the same or a higher one. */
const LAYERS = [
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
const BASE = ['errors'];
/** Starts a Redis for users' tests. It imports only the base, and only the kit imports it. */
const STANDALONE = ['testing/redis'];
const KIT = 'testing/kit';
/** Exports both halves of the subpath. */
const TESTING_INDEX = '^lib/testing/index\\.ts$';

const inside = (folders) => `^lib/(${folders.join('|')})/`;

const layers = LAYERS.flatMap((folders, index) =>
  folders.map((folder) => {
    const above = LAYERS.slice(0, index).flat();
    const sameLayer = folders.filter((other) => other !== folder);
    return {
      name: `layer-of-${folder.replace('/', '-')}`,
      severity: 'error',
      from: { path: inside([folder]) },
      to: { path: inside([...above, ...sameLayer, ...(folder === KIT ? [] : STANDALONE)]) },
    };
  }),
);

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layers,
    {
      name: 'base',
      severity: 'error',
      from: { path: inside(BASE) },
      to: { path: '^lib/', pathNot: inside(BASE) },
    },
    {
      name: 'testing-stands-alone',
      severity: 'error',
      from: { path: inside(STANDALONE) },
      to: { path: '^lib/', pathNot: inside([...BASE, ...STANDALONE]) },
    },
    {
      name: 'every-folder-has-a-layer',
      comment: 'Add a new folder to LAYERS, or its imports are not checked.',
      severity: 'error',
      from: {
        path: '^lib/',
        pathNot: [
          inside([...LAYERS.flat(), ...BASE, ...STANDALONE]),
          '^lib/index\\.ts$',
          TESTING_INDEX,
        ],
      },
      to: {},
    },
    {
      name: 'parts-do-not-know-the-pipeline',
      comment: 'It calls them, and they return.',
      severity: 'error',
      from: { path: '^lib/consume/(delivery|order|handlers)/' },
      to: { path: '^lib/consume/(pipeline|consumer\\.ts|sources/|partitions/)' },
    },
    ...['delivery', 'order', 'handlers'].map((part) => ({
      name: `${part}-stands-alone`,
      comment: 'What depends on the mode, on order and on user code do not depend on each other.',
      severity: 'error',
      from: { path: `^lib/consume/${part}/` },
      to: { path: '^lib/consume/(delivery|order|handlers)/', pathNot: `^lib/consume/${part}/` },
    })),
    {
      name: 'sources-do-not-know-partitions',
      severity: 'error',
      from: { path: '^lib/consume/sources/' },
      to: { path: '^lib/consume/(partitions/|consumer\\.ts)' },
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
      comment: 'Otherwise every service would load it, with its libraries.',
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
      comment: 'Elsewhere only its types are used: users pass connections in.',
      severity: 'error',
      from: { path: '^lib/', pathNot: inside(['redis', ...STANDALONE]) },
      to: { path: 'node_modules/ioredis/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'optional-peers-stay-in-telemetry',
      comment: 'Users who do not import the subpath need not install them.',
      severity: 'error',
      from: { path: '^lib/', pathNot: inside(['telemetry']) },
      to: { path: 'node_modules/(prom-client|@nestjs/terminus|@opentelemetry)/' },
    },
    {
      name: 'lossless-json-stays-in-its-subpath',
      comment: 'Users who do not import the subpath need not install it.',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/wire/lossless-json\\.ts$' },
      to: { path: 'node_modules/lossless-json/' },
    },
    {
      name: 'lib-uses-no-dev-dependencies',
      comment: 'Development dependencies are not installed with the package.',
      severity: 'error',
      from: { path: '^lib/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm-peer'],
      },
    },
    {
      name: 'lib-imports-no-tests',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(test|sample)/' },
    },
    {
      name: 'programs-import-the-package',
      comment:
        'They run on the built package and import it by name; a path would load the source twice.',
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
    // Separate apps, which are installed elsewhere.
    exclude: { path: ['^test/pack/', '^test/bench/peers/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
