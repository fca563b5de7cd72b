// Who may import whom: the only place where the arrows between packages stand. eslint.config.mjs turns this table into
// lint rules, and tools/checks/boundaries.mjs proves that they refuse what is not in it.
//
// A new package gets a row here before its first import. An arrow that seems to be missing is usually a sign that the
// code belongs one layer up; see CONTRIBUTING.md.

/**
 * @typedef {object} PackageRules
 * @property {Readonly<Record<string, 'value' | 'type'>>} imports Packages of ours that `src` may import: `value` for
 *   anything, `type` for `import type` only, so that nothing of it is left at run time.
 * @property {readonly string[]} testImports Further packages of ours that only `test` may import.
 * @property {readonly string[] | 'any'} builtins Modules of Node that `src` may import, pure folders excepted.
 * @property {readonly string[]} pure Folders whose code is deterministic: no clock, no chance, no process, no console.
 * @property {readonly string[]} synchronous Folders in which nothing waits either: no async, no promise.
 */

/** @type {Readonly<Record<string, PackageRules>>} */
export const packages = {
  protocol: { imports: {}, testImports: [], builtins: [], pure: [], synchronous: [] },
  'raft-core': {
    imports: {},
    testImports: [],
    // Checksums only, and outside of src/core: the runtime does its I/O through ports.
    builtins: ['node:crypto', 'node:zlib'],
    pure: ['src/core'],
    synchronous: ['src/core'],
  },
  'memory-transport': { imports: { 'raft-core': 'value' }, testImports: [], builtins: [], pure: [], synchronous: [] },
  'psp-pki': {
    imports: {},
    testImports: [],
    builtins: ['node:crypto', 'node:module', 'node:os', 'node:worker_threads'],
    pure: [],
    synchronous: [],
  },
  'psp-envelope': {
    imports: { protocol: 'value', 'raft-core': 'type', 'psp-pki': 'type' },
    testImports: [],
    builtins: [],
    pure: ['src'],
    synchronous: [],
  },
  'psp-link': {
    // raft-core: only its ports Clock, Random and Logger.
    imports: { 'psp-envelope': 'value', 'psp-pki': 'value', 'raft-core': 'value' },
    testImports: [],
    builtins: ['node:crypto', 'node:net', 'node:tls'],
    pure: [],
    synchronous: [],
  },
  'raft-store-lmdb': {
    imports: { 'raft-core': 'value' },
    testImports: [],
    builtins: ['node:crypto', 'node:fs', 'node:fs/promises', 'node:path', 'node:zlib'],
    pure: [],
    synchronous: [],
  },
  'raft-log-list': {
    imports: { protocol: 'value', 'raft-core': 'value' },
    testImports: [],
    builtins: [],
    pure: ['src'],
    synchronous: [],
  },
  'discovery-consensus-fsm': {
    // psp-envelope: the rules and messages that nodes share with clients; both are pure.
    imports: { protocol: 'value', 'psp-envelope': 'value', 'raft-log-list': 'value', 'psp-pki': 'type' },
    testImports: ['raft-core'],
    builtins: [],
    pure: ['src'],
    synchronous: [],
  },
  'discovery-client': {
    // raft-core: only its ports Clock, Random and Logger.
    imports: {
      protocol: 'value',
      'psp-envelope': 'value',
      'psp-link': 'value',
      'psp-pki': 'value',
      'raft-core': 'value',
    },
    testImports: [],
    builtins: ['node:crypto', 'node:fs', 'node:fs/promises', 'node:path', 'node:zlib'],
    pure: [],
    synchronous: [],
  },
  'discovery-node': {
    imports: {
      protocol: 'value',
      'raft-core': 'value',
      'memory-transport': 'value',
      'psp-pki': 'value',
      'psp-envelope': 'value',
      'raft-log-list': 'value',
      'discovery-consensus-fsm': 'value',
      'psp-link': 'value',
      'raft-store-lmdb': 'value',
      'discovery-client': 'value',
    },
    testImports: [],
    builtins: 'any',
    pure: [],
    synchronous: [],
  },
  'raft-simulator': {
    imports: {
      protocol: 'value',
      'raft-core': 'value',
      'memory-transport': 'value',
      'raft-log-list': 'value',
      'discovery-consensus-fsm': 'value',
    },
    testImports: [],
    builtins: 'any',
    pure: ['src/scenario'],
    synchronous: [],
  },
};

/** The npm scope of every package. */
export const scope = '@discovery-raft';

/** Entries of a package beside its main one that others may import. Every other deep import is refused. */
export const publicSubpaths = ['conformance'];

/** The tag that a project of this name carries in its package.json. @param {string} name */
export const tagOf = (name) => `package:${name}`;
