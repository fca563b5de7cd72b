#!/usr/bin/env node
// A file that is there before anything is built: npm links a command only to a file that exists.
import '../dist/cli.js';
