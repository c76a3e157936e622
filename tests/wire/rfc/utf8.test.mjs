// RFC 6455 8.1 and RFC 3629: text is UTF-8, and what is not ends the connection with 1007 at the first octet that cannot be any,
// whether or not the frame or the message is finished.
// SE-5
import test from 'node:test'
import { BINARY, CONT, PING, PONG, TEXT, frame, hex, serve } from './lib.mjs'

const server = serve()

const GOOD = {
  'nothing': '',
  'ASCII': '48 65 6c 6c 6f',
  'NUL and DEL': '00 7f 00',
  'the first of 2 octets': 'c2 80',
  'the last of 2 octets': 'df bf',
  'the first of 3 octets': 'e0 a0 80',
  'before the surrogates': 'ed 9f bf',
  'behind the surrogates': 'ee 80 80',
  'the replacement character': 'ef bf bd',
  'the last of 3 octets': 'ef bf bf',
  'the first of 4 octets': 'f0 90 80 80',
  'the last of all': 'f4 8f bf bf',
  'a byte order mark': 'ef bb bf 78',
  'a byte order mark alone': 'ef bb bf',
  'noncharacters U+FDD0 and U+FDEF': 'ef b7 90 ef b7 af',
  'noncharacters of the planes': 'ef bf be f0 9f bf be f0 9f bf bf f0 af bf be f1 bf bf bf f3 bf bf be f4 8f bf be',
  'private use': 'ee 80 80 ef a3 bf f3 b0 80 80',
  'Greek': 'ce ba e1 bd b9 cf 83 ce bc ce b5',
  'all lengths mixed': '24 c2 a2 e0 a4 b9 e2 82 ac ed 95 9c f0 90 8d 88 21',
}

// A bar stands before the first octet that cannot be any.
const BAD = {
  'a continuation alone': '|80',
  'the last continuation alone': '|bf',
  'two continuations': '|80 bf',
  'a continuation behind ASCII': '61 62 |80 63',
  'a continuation too many': 'c2 a2 |80',
  'a start followed by a space': 'c3 |20',
  'three started, space second': 'e2 |20 ac',
  'three started, space third': 'e2 82 |20',
  'four started, space fourth': 'f0 90 8d |20',
  'a start behind a start': 'c3 |c3 a4',
  'a 4-octet start behind two of three': 'e2 82 |f0 90 80 80',
  'overlong slash, 2 octets': '|c0 af',
  'overlong DEL, 2 octets': '|c1 bf',
  'overlong NUL, 2 octets': '|c0 80',
  'overlong slash, 3 octets': 'e0 |80 af',
  'overlong U+07FF': 'e0 |9f bf',
  'overlong slash, 4 octets': 'f0 |80 80 af',
  'overlong U+FFFF': 'f0 |8f bf bf',
  'five octets': '|f8 88 80 80 80',
  'six octets': '|fc 84 80 80 80 80',
  'overlong, 5 octets': '|f8 80 80 80 af',
  'overlong, 6 octets': '|fc 80 80 80 80 af',
  'the first surrogate': 'ed |a0 80',
  'the last high surrogate': 'ed |af bf',
  'the first low surrogate': 'ed |b0 80',
  'the last surrogate': 'ed |bf bf',
  'a pair of surrogates': 'ed |a0 bd ed b8 80',
  'a surrogate behind Greek': 'ce ba e1 bd b9 cf 83 ce bc ce b5 ed |a0 80 65 64 69 74 65 64',
  'above U+10FFFF': 'f4 |90 80 80',
  'above U+10FFFF behind Greek': 'ce ba e1 bd b9 cf 83 ce bc ce b5 f4 |90 80 80 65 64 69 74 65 64',
  'U+140000': '|f5 80 80 80',
  'U+1FFFFF': '|f7 bf bf bf',
  'FE': '|fe',
  'FF': '61 |ff',
  'a UTF-16 mark': '|fe ff 00 61',
}

const CUT = ['c2', 'df', 'e2', 'e2 82', 'e0 a0', 'ed 9f', 'f0', 'f0 90', 'f0 90 8d', 'f4 8f bf', '61 62 c3', 'ef bb']

/** Behind 0, 15, 16, 63, 64 octets of ASCII the checker stands at another place of its stride. */
const PADS = [0, 15, 16, 63, 64, 200]
const pad = (size, bytes) => Buffer.concat([Buffer.alloc(size, 'a'), bytes])

test('valid text comes back', async () => {
  const peer = await server.open()
  for (const [what, text] of Object.entries(GOOD))
    for (const size of PADS) {
      const bytes = pad(size, hex(text))
      await peer.write(frame(TEXT, bytes))
      await peer.expect(TEXT, bytes, what)
    }
  await peer.leave()
})

test('valid text in fragments of one octet, and in fragments cut at every octet', async () => {
  const peer = await server.open()
  for (const [what, text] of Object.entries(GOOD)) {
    const bytes = hex(text)
    await peer.write(Buffer.concat([frame(TEXT, '', { fin: false }), ...[...bytes].map((byte) => frame(CONT, Buffer.from([byte]), { fin: false })), frame(CONT, '')]))
    await peer.expect(TEXT, bytes, what)
    for (let cut = 0; cut <= bytes.length; cut++) {
      await peer.write(Buffer.concat([frame(TEXT, bytes.subarray(0, cut), { fin: false }), frame(PING, 'x'), frame(CONT, bytes.subarray(cut))]))
      await peer.expect(PONG, 'x')
      await peer.expect(TEXT, bytes, `${what} cut at ${cut}`)
    }
  }
  await peer.leave()
})

test('valid text octet by octet', async () => {
  const peer = await server.open()
  for (const [what, text] of Object.entries(GOOD)) {
    await peer.chop(frame(TEXT, hex(text)))
    await peer.expect(TEXT, hex(text), what)
  }
  await peer.leave()
})

test('every code point comes back', async () => {
  const peer = await server.open()
  for (let from = 0; from < 0x110000; from += 0x8000) {
    let text = ''
    for (let code = from; code < from + 0x8000; code++) if (code < 0xd800 || code > 0xdfff) text += String.fromCodePoint(code)
    const bytes = Buffer.from(text)
    peer.write(frame(TEXT, bytes))
    await peer.expect(TEXT, bytes, `from ${from.toString(16)}`)
  }
  await peer.leave()
})

test('invalid text in one frame, whole', async () => {
  for (const [what, text] of Object.entries(BAD))
    for (const size of PADS) await server.refuses(1007, frame(TEXT, pad(size, hex(text))), `${what} behind ${size}`)
})

test('invalid text in a frame that is not finished fails at its octet', async () => {
  for (const [what, text] of Object.entries(BAD)) {
    const good = hex(text.split('|')[0])
    const bytes = Buffer.concat([good, hex(text.split('|')[1]).subarray(0, 1)])
    await server.refuses(1007, frame(TEXT, bytes, { claim: 1000 }), what)
    await server.refuses(1007, frame(TEXT, bytes, { claim: 100000 }), what)
    const peer = await server.open()
    await peer.chop(frame(TEXT, bytes, { claim: 100 }))
    await peer.closes(1007, `${what}, octet by octet`)
  }
})

test('invalid text in fragments fails at its octet and not before', async () => {
  for (const [what, text] of Object.entries(BAD)) {
    const [good, bad] = text.split('|').map((piece) => [...hex(piece)])
    const peer = await server.open()
    await peer.write(frame(TEXT, '', { fin: false }))
    for (const byte of good) {
      await peer.write(Buffer.concat([frame(CONT, Buffer.from([byte]), { fin: false }), frame(PING, 'so far')]))
      await peer.expect(PONG, 'so far', what)
    }
    await peer.write(frame(CONT, Buffer.from(bad.slice(0, 1)), { fin: false }))
    await peer.closes(1007, what)
  }
})

test('a message that ends inside a character', async () => {
  for (const text of CUT) {
    const bytes = hex(text)
    for (const size of PADS) await server.refuses(1007, frame(TEXT, pad(size, bytes)), text)
    await server.refuses(1007, [frame(TEXT, bytes, { fin: false }), frame(CONT, '')], `${text}, an empty end`)
    const peer = await server.open()
    await peer.write(Buffer.concat([frame(TEXT, bytes, { fin: false }), frame(PING, 'not over yet')]))
    await peer.expect(PONG, 'not over yet', text)
    await peer.write(frame(CONT, ''))
    await peer.closes(1007, text)
  }
})

test('a character is not continued over the end of a message', async () => {
  await server.refuses(1007, [frame(TEXT, hex('e2 82')), frame(TEXT, hex('ac'))])
  const peer = await server.open()
  await peer.write(Buffer.concat([frame(TEXT, hex('e2'), { fin: false }), frame(CONT, hex('82 ac')), frame(TEXT, hex('ac'))]))
  await peer.expect(TEXT, '€')
  await peer.closes(1007)
})

test('binary and pings are not text', async () => {
  const peer = await server.open()
  for (const text of Object.values(BAD)) {
    await peer.write(Buffer.concat([frame(BINARY, hex(text)), frame(BINARY, hex(text), { fin: false }), frame(CONT, hex(text)), frame(PING, hex(text))]))
    await peer.expect(BINARY, hex(text))
    await peer.expect(BINARY, Buffer.concat([hex(text), hex(text)]))
    await peer.expect(PONG, hex(text))
  }
  await peer.leave()
})
