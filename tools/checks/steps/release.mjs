// A release that nobody has tried for months is one that fails on the day: the dry run is part of every test run.
import { check } from '../command.mjs';

/** @returns {Promise<import('../report.mjs').Outcome>} */
export const release = () => check('nx', ['release', '--dry-run', '--skip-publish']);
