// Lint rules for pure folders (ARCHITECTURE.md): the same input gives the same output, on every machine and every day.
import { packages } from './arrows.mjs';
import { lazyImport } from './boundaries.mjs';

const ambient = {
  time: [
    'Date',
    'performance',
    'Temporal',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
  ],
  chance: ['crypto'],
  world: ['process', 'console', 'fetch', 'navigator', 'globalThis', 'global', 'window', 'self'],
  machine: ['Intl', 'WeakRef', 'FinalizationRegistry', 'SharedArrayBuffer', 'Atomics'],
};

const reasons = {
  time: 'Time is a parameter or comes through the Clock port.',
  chance: 'Randomness is a parameter or comes through the Random port.',
  world: 'Pure code does not touch the world around it; return a value or call a port.',
  machine: 'Its behaviour differs between machines or runs.',
};

const globals = Object.entries(ambient).flatMap(([kind, names]) =>
  names.map((name) => ({ name, message: reasons[/** @type {keyof typeof reasons} */ (kind)] })),
);

const moduleState = {
  selector:
    'Program > VariableDeclaration[kind!="const"], Program > ExportNamedDeclaration > VariableDeclaration[kind!="const"]',
  message: 'Pure code keeps no state in the module: two clusters in one process would see each other.',
};

const waiting = [
  {
    selector: 'AwaitExpression, ForOfStatement[await=true], :function[async=true]',
    message: 'This folder is synchronous.',
  },
  { selector: 'NewExpression[callee.name="Promise"]', message: 'This folder is synchronous.' },
];

/** @param {'pure' | 'synchronous'} kind */
const filesOf = (kind) =>
  Object.entries(packages).flatMap(([name, rules]) =>
    rules[kind].map((folder) => `packages/${name}/${folder}/**/*.ts`),
  );

/**
 * Rules for the folders that arrows.mjs calls pure or synchronous, as flat configuration.
 *
 * @type {import('eslint').Linter.Config[]}
 */
export const determinism = [
  {
    files: filesOf('pure'),
    rules: {
      'no-restricted-globals': ['error', ...globals],
      'no-restricted-imports': ['error', { patterns: [{ regex: '^node:', message: reasons.world }] }],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: reasons.chance },
        { property: 'localeCompare', message: 'Its order depends on the machine; compare bytes or code units.' },
      ],
      'no-restricted-syntax': ['error', lazyImport, moduleState],
      '@typescript-eslint/require-array-sort-compare': 'error',
    },
  },
  { files: filesOf('synchronous'), rules: { 'no-restricted-syntax': ['error', lazyImport, moduleState, ...waiting] } },
];
