/** Where the targets find lib: as CommonJS, since what jsfuzz instruments is what is required. */
const { join } = require('node:path')

module.exports.lib = name => require(join(process.env.KORE_WS_COMMONJS, `${name}.js`))
