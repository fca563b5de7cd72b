// Loaded by Jest in front of each test file.
const globals = require('@jest/globals');

globals.jest.setTimeout(60_000);
