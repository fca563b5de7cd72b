module.exports = require('../../tools/jest/preset.cjs')('psp-link');
