/** Process warnings of errors that are told to no callback. Node has warnings of its own, under other names, at any moment. */

export function isOfNode(warning: Error): boolean {
  return warning.name !== 'Error' && warning.name !== 'KoreWsWarning'
}

/** The next one. */
export function nextWarning(): Promise<Error> {
  return new Promise(resolve => {
    const onWarning = (warning: Error): void => {
      if (isOfNode(warning)) return
      process.off('warning', onWarning)
      resolve(warning)
    }
    process.on('warning', onWarning)
  })
}
