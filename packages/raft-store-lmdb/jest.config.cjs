module.exports = require('../../tools/jest/preset.cjs')('raft-store-lmdb');
