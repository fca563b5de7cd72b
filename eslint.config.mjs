// `npm run lint` asks nx for its project graph first: without it the rules about package boundaries do nothing.
import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import * as jsonc from 'jsonc-eslint-parser';
import tseslint from 'typescript-eslint';
import { boundaries } from './tools/eslint/boundaries.mjs';
import { determinism } from './tools/eslint/determinism.mjs';

/** @type {Record<string, 'readonly'>} */
const nodeGlobals = Object.fromEntries(
  [...Object.getOwnPropertyNames(globalThis), 'module', 'require'].map((name) => [name, 'readonly']),
);
const typescript = ['**/*.ts'];

export default tseslint.config(
  { ignores: ['**/dist/', '**/out-tsc/', '**/coverage/', '**/tmp/', '.nx/', 'packages/protocol/src/gen/'] },
  // A rule that is wrong is changed here for all; it is not switched off in a comment.
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'off' } },
  { plugins: { '@nx': nx } },
  {
    files: ['**/*.{js,mjs,cjs,ts}'],
    extends: [js.configs.recommended],
    rules: {
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
      'no-param-reassign': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: typescript,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // What came in as `unknown` may be handed on as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // An interface's method may be async in one implementation and immediate in another.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    rules: {
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true, IIFEs: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
    },
  },
  {
    files: ['packages/*/test/**/*.ts'],
    rules: {
      // Jest's matchers are typed `any`.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  ...boundaries,
  ...determinism,
  {
    files: ['packages/*/package.json', 'examples/*/package.json'],
    languageOptions: { parser: jsonc },
    rules: {
      '@nx/dependency-checks': [
        'error',
        {
          ignoredFiles: ['{projectRoot}/test/**', '{projectRoot}/jest.config.cjs', '{projectRoot}/bench/**'],
          // Loaded where it is installed, by name and not by an import (ADR 0029).
          ignoredDependencies: ['sodium-native'],
        },
      ],
    },
  },
  {
    files: ['**/*.{mjs,cjs}'],
    languageOptions: { globals: nodeGlobals },
    rules: { 'no-console': 'off', 'no-unused-vars': ['error', { varsIgnorePattern: '^_' }] },
  },
);
