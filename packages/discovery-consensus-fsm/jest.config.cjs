module.exports = require('../../tools/jest/preset.cjs')('discovery-consensus-fsm');
