// Turns the table of arrows into ESLint configuration.
import { builtinModules } from 'node:module';
import { packages, publicSubpaths, scope, tagOf } from './arrows.mjs';

/** Imports that reach past a package's entry points. The compiler would refuse most; lint says why. */
const deepImports = {
  regex: `^${scope}/[^/]+/(?!(${publicSubpaths.join('|')})$)`,
  message: 'A package is imported through its index.ts only.',
};

/** A lazy import would escape the rule on type-only arrows, and libraries have no use for one. */
export const lazyImport = { selector: 'ImportExpression', message: 'A library imports at the top of the file.' };

const allBuiltins = [...new Set(builtinModules.flatMap((name) => [name, `node:${name.replace(/^node:/, '')}`]))];

/** @param {readonly string[]} names @param {readonly string[]} extra */
const constraints = (names, extra = []) => ({
  onlyDependOnLibsWithTags: [...names, ...extra].map(tagOf),
});

/**
 * One @nx/enforce-module-boundaries entry for every package.
 *
 * @param {boolean} forTests
 * @returns {import('eslint').Linter.RuleEntry}
 */
const moduleBoundaries = (forTests) => [
  'error',
  {
    allow: [],
    // A package's tests and README examples may import the package by its own name.
    allowCircularSelfDependency: true,
    enforceBuildableLibDependency: true,
    banTransitiveDependencies: false,
    depConstraints: [
      ...Object.entries(packages).map(([name, rules]) => ({
        sourceTag: tagOf(name),
        ...constraints([name, ...Object.keys(rules.imports)], forTests ? rules.testImports : []),
      })),
      // Examples use the packages as a stranger would: any of them.
      { sourceTag: 'type:example', ...constraints(Object.keys(packages)) },
    ],
  },
];

/**
 * @param {string} name
 * @param {import('./arrows.mjs').PackageRules} rules
 * @returns {import('eslint').Linter.Config}
 */
function sourceImports(name, rules) {
  const typeOnly = Object.keys(rules.imports).filter((other) => rules.imports[other] === 'type');
  const refusedBuiltins =
    rules.builtins === 'any' ? [] : allBuiltins.filter((module) => !rules.builtins.includes(module));
  return {
    files: [`packages/${name}/src/**/*.ts`],
    rules: {
      ...(rules.builtins === 'any' ? {} : { 'no-restricted-syntax': ['error', lazyImport] }),
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: refusedBuiltins.map((module) => ({
            name: module,
            message: `tools/eslint/arrows.mjs lists the modules of Node that ${name} may import.`,
          })),
          patterns: [
            deepImports,
            ...typeOnly.map((other) => ({
              regex: `^${scope}/${other}($|/)`,
              allowTypeImports: true,
              message: `${name} may use the types of ${other} only: write \`import type\`.`,
            })),
          ],
        },
      ],
    },
  };
}

/**
 * Every rule that follows from the table, as flat configuration.
 *
 * @type {import('eslint').Linter.Config[]}
 */
export const boundaries = [
  {
    files: ['packages/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries(false),
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [deepImports] }],
    },
  },
  { files: ['packages/*/test/**/*.ts'], rules: { '@nx/enforce-module-boundaries': moduleBoundaries(true) } },
  ...Object.entries(packages).map(([name, rules]) => sourceImports(name, rules)),
];
