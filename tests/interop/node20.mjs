// The conformance suite of the Model Context Protocol imports `globSync`, which Node.js has since version 22, and does not
// call it here. For `node --import`.
import { register } from 'node:module'

const url = (source) => `data:text/javascript,${encodeURIComponent(source)}`
const fs = url(`export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = () => []`)
register(
  url(`export const resolve = (name, context, next) =>
    name === 'fs' && context.parentURL?.includes('/@modelcontextprotocol/conformance/')
      ? { url: ${JSON.stringify(fs)}, shortCircuit: true }
      : next(name, context)`),
)
