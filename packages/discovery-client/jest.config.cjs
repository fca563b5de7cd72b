module.exports = require('../../tools/jest/preset.cjs')('discovery-client');
