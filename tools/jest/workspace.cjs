// All packages in one run of Jest: what `npm test` executes. One package alone: npx jest -c packages/NAME/jest.config.cjs
module.exports = { rootDir: '../..', projects: ['<rootDir>/packages/*/jest.config.cjs'] };
