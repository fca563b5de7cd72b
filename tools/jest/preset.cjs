// One Jest configuration for every package: sources run as CommonJS through swc (no build needed, no experimental
// flags), and an import of a sibling package resolves to its sources through the workspace's own export condition.
/** @param {string} displayName the package's folder name */
module.exports = (displayName) => ({
  displayName,
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@discovery-raft/source', 'node', 'require', 'default'] },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022', keepClassNames: true },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  // Virtual time makes tests independent of the machine's speed, but for this bound: two busy cores are slow.
  setupFilesAfterEnv: [require.resolve('./long-timeout.cjs')],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
});
