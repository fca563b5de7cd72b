// nx's graph of the packages, by which the boundary rules of lint go. They read it from where nx keeps it.
import { run } from './command.mjs';

/** @type {Promise<{ ok: boolean, output: string }> | undefined} */
let asked;

/** Brings the graph up to date, once for all steps. */
export function projectGraph() {
  asked ??= run('nx', ['show', 'projects']);
  return asked;
}
