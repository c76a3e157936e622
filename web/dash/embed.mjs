// Writes a folder of files as one C source that defines gw_page_files (src/gateway/page.h): node embed.mjs FOLDER OUT.c
//
// Each file is there plain and compressed, with a tag made of its content. Files whose name holds a hash of their content never change, so browsers may keep
// them for ever; the others are asked for again each time, and cost an answer without a body.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}
const [folder, out] = process.argv.slice(2)
const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
  .sort()

const bytes = (name, data) => {
  const lines = []
  for (let at = 0; at < data.length; at += 32) lines.push([...data.subarray(at, at + 32)].join(','))
  return `static const unsigned char ${name}[] = {\n${lines.join(',\n')}};\n`
}

const arrays = []
const rows = names.map((name, at) => {
  const type = types[path.extname(name)]
  if (!type) throw new Error(`${name}: no content type is known for such a file`)
  const data = readFileSync(path.join(folder, name))
  const zipped = gzipSync(data, { level: 9 })
  const smaller = zipped.length < data.length
  const etag = createHash('sha256').update(data).digest('base64url').slice(0, 22)
  const address = name === 'index.html' ? '/' : `/@page/${name.split(path.sep).join('/')}`
  const immutable = /-[\w-]{8}\.(?:js|css)$/.test(name)
  arrays.push(bytes(`plain_${at}`, data))
  if (smaller) arrays.push(bytes(`gzip_${at}`, zipped))
  return `    {${JSON.stringify(address)}, ${JSON.stringify(type)}, "\\"${etag}\\"", ${immutable}, plain_${at}, sizeof(plain_${at}), ${smaller ? `gzip_${at}, sizeof(gzip_${at})` : '0, 0'}},`
})
if (!names.includes('index.html')) throw new Error(`${folder} has no index.html`)
writeFileSync(out, `/* Made of web/dash by its embed.mjs. */
#include "gateway/page.h"

${arrays.join('')}
static const struct gw_page_file files[] = {
${rows.join('\n')}
};
const struct gw_page gw_page_files = {files, sizeof(files) / sizeof(files[0])};
`)
