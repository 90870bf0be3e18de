import { crc32, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import {
  isPicture,
  MAX_ANIMATION_PIXELS,
  MAX_PICTURE_PIXELS,
  MAX_PICTURE_SIDE,
} from '../../src/codec/picture.ts'

type Part = string | Buffer | readonly number[]

/** Joins text of one byte per character, bytes and lists of bytes. */
function join(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
}

function bigEndian(value: number, byteCount: number): Buffer {
  const bytes = Buffer.alloc(byteCount)
  bytes.writeUIntBE(value, 0, byteCount)
  return bytes
}

function littleEndian(value: number, byteCount: number): Buffer {
  return bigEndian(value, byteCount).reverse()
}

function changed(bytes: Buffer, at: number, ...values: readonly number[]): Buffer {
  const copy = Buffer.from(bytes)
  copy.set(values, at)
  return copy
}

// PNG, 8 by 8, with right checksums whatever is in it

const PNG_SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
const PIXELS = deflateSync(Buffer.alloc(8 * 25))

function chunk(name: string, data: Part = []): Buffer {
  const named = join(name, data)
  return join(bigEndian(named.length - 4, 4), named, bigEndian(crc32(named), 4))
}

function header(width = 8, height = 8, depth = 8, colorType = 2, rest: Part = [0, 0, 0]): Buffer {
  return chunk('IHDR', join(bigEndian(width, 4), bigEndian(height, 4), [depth, colorType], rest))
}

function png(...beforeData: readonly Buffer[]): Buffer {
  return join(PNG_SIGNATURE, header(), ...beforeData, chunk('IDAT', PIXELS), chunk('IEND'))
}

function palettePng(...beforeData: readonly Buffer[]): Buffer {
  return join(PNG_SIGNATURE, header(8, 8, 8, 3), ...beforeData, chunk('IDAT', PIXELS), chunk('IEND'))
}

function frameControl(sequence: number, width = 8, height = 8, left = 0, rest: Part = [0, 0]): Buffer {
  const numbers = [sequence, width, height, left, 0].map(number => bigEndian(number, 4))
  return chunk('fcTL', join(...numbers, [0, 1, 0, 10], rest))
}

function animatedPng(declared: number, ...afterData: readonly Buffer[]): Buffer {
  const control = chunk('acTL', join(bigEndian(declared, 4), bigEndian(0, 4)))
  const data = [control, frameControl(0), chunk('IDAT', PIXELS)]
  return join(PNG_SIGNATURE, header(), ...data, ...afterData, chunk('IEND'))
}

const SECOND_FRAME = [frameControl(1), chunk('fdAT', join(bigEndian(2, 4), PIXELS))]

// JPEG, 8 by 8, grey unless said otherwise

const JPEG_END = [0xff, 0xd9]

function segment(marker: number, data: Part): Buffer {
  return join([0xff, marker], bigEndian(join(data).length + 2, 2), data)
}

const QUANTIZER = segment(0xdb, Buffer.alloc(65, 1).fill(0, 0, 1))
const DC_CODES = segment(0xc4, join([0x00, 1, 1], Buffer.alloc(14), [0, 7]))
const AC_CODES = segment(0xc4, join([0x10, 1, 1], Buffer.alloc(14), [0, 1]))
const TABLES = join(QUANTIZER, DC_CODES, AC_CODES)
const GREY = [[1, 0x11, 0]]
const COLOR = [
  [1, 0x22, 0],
  [2, 0x11, 0],
  [3, 0x11, 0],
]

function frame(components = GREY, marker = 0xc0, width = 8, height = 8, precision = 8): Buffer {
  const size = join(bigEndian(height, 2), bigEndian(width, 2))
  return segment(marker, join([precision], size, [components.length], components.flat()))
}

function scan(ids: readonly number[] = [1], rest: Part = [0, 63, 0], tables = 0): Buffer {
  return segment(
    0xda,
    join(
      [ids.length],
      ids.flatMap(id => [id, tables]),
      rest,
    ),
  )
}

function jpeg(...parts: readonly Part[]): Buffer {
  return join([0xff, 0xd8], ...parts, [0x3f], JPEG_END)
}

// GIF, 4 by 4 with 1 by 1 in it

const GIF_COLORS = Buffer.from('000000ffffff', 'hex')

function gifHeader(width = 4, height = 4): Buffer {
  return join('GIF89a', littleEndian(width, 2), littleEndian(height, 2), [0x80, 0, 0], GIF_COLORS)
}

function gifFrame(left = 0, top = 0, width = 1, height = 1, codeBits = 2): Buffer {
  const numbers = [left, top, width, height].map(number => littleEndian(number, 2))
  return join([0x2c], ...numbers, [0, codeBits, 2, 0x4c, 0x01, 0])
}

function gif(...blocks: readonly Part[]): Buffer {
  return join(gifHeader(), ...blocks, [0x3b])
}

// WebP, 64 by 64

const LOSSY = Buffer.from(
  'VlA4IEgAAAAwBACdASpAAEAAPjEYi0QiIaERBAAgAwS0gDsAfgB+gAAS9IwC6moAqgAA/uyXj//9Ezkc73f9E1///bkPL8Kn/7gCAAAAAAA=',
  'base64',
)
const LOSSLESS = Buffer.from('5650384c150000002f3fc00f0007d0ffc8fe078084f0ffbd16d1ffd40f00', 'hex')

function webpChunk(name: string, data: Part): Buffer {
  const { length } = join(data)
  return join(name, littleEndian(length, 4), data, length % 2 === 0 ? [] : [0])
}

function webp(...chunks: readonly Buffer[]): Buffer {
  return join('RIFF', littleEndian(4 + join(...chunks).length, 4), 'WEBP', ...chunks)
}

function canvas(flags = 0, width = 64, height = 64): Buffer {
  return webpChunk('VP8X', join([flags, 0, 0, 0], littleEndian(width - 1, 3), littleEndian(height - 1, 3)))
}

const ANIMATED = 0x02
const WEBP_SETTINGS = webpChunk('ANIM', Buffer.alloc(6))

function webpFrame(picture: Buffer = LOSSY, left = 0, width = 64): Buffer {
  const numbers = [left / 2, 0, width - 1, 63, 50].map(number => littleEndian(number, 3))
  return webpChunk('ANMF', join(...numbers, [0], picture))
}

const PICTURES: Readonly<Record<string, Buffer>> = {
  png: png(),
  'png with a palette': palettePng(chunk('PLTE', Buffer.alloc(6)), chunk('tRNS', [0]), chunk('bKGD', [1])),
  'png with text and colors': png(chunk('cICP', [9, 16, 0, 1]), chunk('tEXt', 'a\0\r\n\r\n--b')),
  'animated png': animatedPng(2, ...SECOND_FRAME),
  jpeg: jpeg(TABLES, frame(), scan()),
  'jpeg of three components': jpeg(segment(0xe0, 'JFIF'), TABLES, frame(COLOR), scan([1, 2, 3])),
  'jpeg in progressive scans': jpeg(
    TABLES,
    frame(GREY, 0xc2),
    ...[scan([1], [0, 0, 0]), [0x7f, 0xff, 0, 0xff, 0xd0, 0x7f], scan([1], [1, 63, 0])],
  ),
  'jpeg of a camera that leaves the code tables out': jpeg(QUANTIZER, frame(), scan()),
  'jpeg with fill bytes': jpeg([0xff, 0xff], TABLES, frame(), scan()),
  gif: gif(gifFrame()),
  'gif of 1987': changed(gif(gifFrame()), 4, 0x37),
  'animated gif': gif(
    ...[[0x21, 0xff, 11], 'NETSCAPE2.0', [3, 1, 0, 0, 0]],
    ...[[0x21, 0xf9, 4, 0, 10, 0, 0, 0], gifFrame(), [0x21, 0xfe, 1, 65, 0], gifFrame(3, 3)],
  ),
  'lossy webp': webp(LOSSY),
  'lossless webp': webp(LOSSLESS),
  'extended webp': webp(
    canvas(0x10),
    ...[webpChunk('ICCP', [1]), webpChunk('ALPH', [0]), LOSSY, webpChunk('EXIF', [])],
  ),
  'animated webp': webp(
    ...[canvas(ANIMATED), WEBP_SETTINGS, webpFrame(), webpFrame(LOSSLESS), webpChunk('JUNK', [])],
  ),
}

await t.test('pictures are known in every format, still and animated', t => {
  for (const [name, bytes] of Object.entries(PICTURES)) t.ok(isPicture(bytes), name)
  t.end()
})

await t.test('a picture that ends too early is refused, wherever it ends', t => {
  for (const [name, bytes] of Object.entries(PICTURES)) {
    const accepted = [...bytes.keys()].filter(length => isPicture(bytes.subarray(0, length)))
    t.same(accepted, [], name)
  }
  t.end()
})

await t.test('what follows the end of a picture does not matter', t => {
  for (const [name, bytes] of Object.entries(PICTURES)) {
    t.ok(isPicture(join(bytes, '\r\n')), `${name} and a line end`)
    t.ok(isPicture(join(bytes, Buffer.alloc(64))), `${name} and zeros`)
    t.ok(isPicture(join(bytes, '<script>')), `${name} and text`)
  }
  t.end()
})

await t.test('other formats and text are refused', t => {
  const others: Record<string, Part> = {
    nothing: [],
    'a line end': '\r\n',
    svg: '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    html: '<!doctype html><p>hello',
    zeros: Buffer.alloc(100),
    bmp: join('BM', Buffer.alloc(100)),
    ico: join([0, 0, 1, 0, 1, 0], Buffer.alloc(100)),
    avif: join([0, 0, 0, 24], 'ftypavif', Buffer.alloc(100)),
    jxl: join([0xff, 0x0a], Buffer.alloc(100)),
    'png behind a line end': join('\r\n', png()),
    'png behind text': join('<html>', png()),
  }
  for (const [name, bytes] of Object.entries(others)) t.notOk(isPicture(join(bytes)), name)
  t.end()
})

// Nearly all of these have been seen to end an <img> in Chromium, most of them with the tab.
await t.test('a png is refused for what stops a decoder before the pixels', t => {
  const data = chunk('IDAT', PIXELS)
  const start = join(PNG_SIGNATURE, header())
  const palette = chunk('PLTE', Buffer.alloc(6))
  const bad: Record<string, Buffer> = {
    'no data': join(start, chunk('IEND')),
    'no header': join(PNG_SIGNATURE, data, chunk('IEND')),
    'a chunk ahead of the header': join(PNG_SIGNATURE, chunk('tEXt'), header(), data, chunk('IEND')),
    'two headers': png(header()),
    'header of 14 bytes': join(PNG_SIGNATURE, header(8, 8, 8, 2, [0, 0, 0, 0]), data, chunk('IEND')),
    'checksum of the header': changed(png(), 29, 1, 2, 3, 4),
    'checksum of the palette': changed(palettePng(palette), 47, 1, 2, 3, 4),
    'compression method': join(PNG_SIGNATURE, header(8, 8, 8, 2, [1, 0, 0]), data, chunk('IEND')),
    'filter method': join(PNG_SIGNATURE, header(8, 8, 8, 2, [0, 1, 0]), data, chunk('IEND')),
    'interlace method': join(PNG_SIGNATURE, header(8, 8, 8, 2, [0, 0, 2]), data, chunk('IEND')),
    'unknown chunk that must not be skipped': png(chunk('ABCD')),
    'name of a chunk': png(chunk('\0\x01\x02\x03')),
    'length beyond the end': join(start, [0xff, 0xff, 0xff, 0xf0], 'IDAT', Buffer.alloc(50)),
    'data in two places': join(start, data, chunk('tEXt'), data, chunk('IEND')),
    'missing palette': palettePng(),
    'empty palette': palettePng(chunk('PLTE')),
    'palette of 257 colors': palettePng(chunk('PLTE', Buffer.alloc(771))),
    'palette of a third of a color': palettePng(chunk('PLTE', Buffer.alloc(4))),
    'two palettes': palettePng(palette, palette),
    'palette with grey': join(PNG_SIGNATURE, header(8, 8, 8, 0), palette, data, chunk('IEND')),
    'transparency longer than the palette': palettePng(palette, chunk('tRNS', [0, 0, 0])),
    'transparency ahead of the palette': palettePng(chunk('tRNS', [0]), palette),
    'background ahead of the palette': palettePng(chunk('bKGD', [0]), palette),
    'signature of 1995': changed(png(), 4, 0x0a),
    'name of the header': join(PNG_SIGNATURE, chunk('IHDx', Buffer.alloc(13, 8)), data, chunk('IEND')),
    'digit in a name': png(chunk('ab1d')),
    'bracket in a name': png(chunk('ab[d')),
    'empty palette that is not needed': png(chunk('PLTE')),
    'palette behind the data': join(start, data, palette, chunk('IEND')),
    'palette behind the transparency': png(chunk('tRNS', Buffer.alloc(6)), palette),
    'transparency behind the data': join(start, data, chunk('tRNS', Buffer.alloc(6)), chunk('IEND')),
    'transparency twice': png(chunk('tRNS', Buffer.alloc(6)), chunk('tRNS', Buffer.alloc(6))),
    'checksum of the transparency': changed(png(chunk('tRNS', Buffer.alloc(6))), 47, 1, 2, 3, 4),
    'color space of 5 bytes': png(chunk('cICP', [1, 13, 0, 1, 0])),
    'color matrix that is not RGB': png(chunk('cICP', [1, 13, 1, 1])),
    'color range that does not exist': png(chunk('cICP', [1, 13, 0, 2])),
  }
  for (const [name, bytes] of Object.entries(bad)) t.notOk(isPicture(bytes), name)
  for (let depth = 0; depth <= 40; depth++) {
    for (let colorType = 0; colorType <= 8; colorType++) {
      const bytes = join(PNG_SIGNATURE, header(8, 8, depth, colorType), palette, data, chunk('IEND'))
      // The types that may have a palette; a palette of 2 colors fits 1 bit.
      const allowed = (colorType === 3 && [1, 2, 4, 8].includes(depth)) || isTrueColor(colorType, depth)
      if (isPicture(bytes) !== allowed) t.fail(`type ${colorType} of ${depth} bits`)
    }
  }
  t.end()
})

function isTrueColor(colorType: number, depth: number): boolean {
  return (colorType === 2 || colorType === 6) && (depth === 8 || depth === 16)
}

await t.test('an animated png is refused when its frames do not fit or do not add up', t => {
  const start = join(PNG_SIGNATURE, header())
  const control = chunk('acTL', [0, 0, 0, 1, 0, 0, 0, 0])
  const end = join(chunk('IDAT', PIXELS), chunk('IEND'))
  const bad: Record<string, Buffer> = {
    'no frame at all': animatedPng(0),
    'fewer frames than declared': animatedPng(2),
    'more frames than declared': animatedPng(1, ...SECOND_FRAME),
    'first frame smaller than the picture': join(start, control, frameControl(0, 4, 4), end),
    'first frame larger than the picture': join(start, control, frameControl(0, 80, 80), end),
    'frame without a size': join(start, control, frameControl(0, 0, 0), end),
    'frame without a width': animatedPng(2, frameControl(1, 0, 8), ...SECOND_FRAME.slice(1)),
    'frame without a height': animatedPng(2, frameControl(1, 8, 0), ...SECOND_FRAME.slice(1)),
    'frame too high': animatedPng(2, frameControl(1, 8, 9), ...SECOND_FRAME.slice(1)),
    'frame control of 27 bytes': animatedPng(
      2,
      frameControl(1, 8, 8, 0, [0, 0, 0]),
      ...SECOND_FRAME.slice(1),
    ),
    'frame data of no bytes': animatedPng(2, frameControl(1), chunk('fdAT', [0, 0, 0, 2])),
    'frame data ahead of the picture': join(
      ...[start, control, frameControl(0), chunk('fdAT', join([0, 0, 0, 1], PIXELS)), end],
    ),
    'two frames ahead of the picture': join(
      ...[start, chunk('acTL', [0, 0, 0, 2, 0, 0, 0, 0]), frameControl(0), frameControl(1), end],
    ),
    'declared behind the picture': join(start, chunk('IDAT', PIXELS), control, frameControl(0), end),
    'declaration of 9 bytes': join(
      ...[start, chunk('acTL', [0, 0, 0, 1, 0, 0, 0, 0, 0]), frameControl(0), end],
    ),
    'checksum of the declaration': changed(animatedPng(2, ...SECOND_FRAME), 33 + 16, 1, 2, 3, 4),
    'frame beyond the edge': animatedPng(2, frameControl(1, 8, 8, 1), ...SECOND_FRAME.slice(1)),
    'first number is not 0': join(start, control, frameControl(7), end),
    'way of disposal': join(start, control, frameControl(0, 8, 8, 0, [3, 0]), end),
    'way of blending': join(start, control, frameControl(0, 8, 8, 0, [0, 2]), end),
    'frame without a declaration': join(start, frameControl(0), end),
    'data without a frame': join(start, chunk('fdAT', join([0, 0, 0, 0], PIXELS)), end),
    'declared twice': join(start, control, control, frameControl(0), end),
    'checksum of a frame': changed(animatedPng(2, ...SECOND_FRAME), 33 + 20 + 34, 1, 2, 3, 4),
  }
  for (const [name, bytes] of Object.entries(bad)) t.notOk(isPicture(bytes), name)
  t.end()
})

await t.test('a jpeg is refused for what stops a decoder before the pixels', t => {
  const codes = (first: number, count: number, length: number) =>
    segment(0xc4, join([first, count], Buffer.alloc(15), Buffer.alloc(length)))
  const sampled = (factors: number) => jpeg(TABLES, frame([[1, factors, 0]]), scan())
  const bad: Record<string, Buffer> = {
    'junk behind the start': join([0xff, 0xd8, 0xff], Buffer.alloc(100, 0x55)),
    'start and end alone': join([0xff, 0xd8], JPEG_END, Buffer.alloc(20)),
    'no frame': jpeg(TABLES, scan()),
    'no scan': join([0xff, 0xd8], TABLES, frame(), JPEG_END),
    'no quantizer': jpeg(DC_CODES, AC_CODES, frame(), scan()),
    'two frames': jpeg(TABLES, frame(), frame(), scan()),
    'two starts': jpeg([0xff, 0xd8], TABLES, frame(), scan()),
    'frame behind the scan': jpeg(TABLES, scan(), frame()),
    'junk between segments': jpeg(TABLES, 'junk', frame(), scan()),
    'segment without its mark': changed(jpeg(segment(0xe0, [0, 0]), TABLES, frame(), scan()), 2, 0),
    'segment of no length': jpeg([0xff, 0xe0, 0, 0], TABLES, frame(), scan()),
    '12 bits': jpeg(TABLES, frame(GREY, 0xc1, 8, 8, 12), scan()),
    'no component': jpeg(TABLES, frame([]), scan()),
    'two components': jpeg(TABLES, frame(COLOR.slice(1)), scan([2, 3])),
    'one component twice': jpeg(TABLES, frame([...COLOR.slice(1), [2, 0x11, 0]]), scan([2])),
    'length of the frame': jpeg(TABLES, segment(0xc0, [8, 0, 8, 0, 8, 1, 1, 0x11, 0, 0]), scan()),
    'quantizer that is not there': jpeg(TABLES, frame([[1, 0x11, 3]]), scan()),
    'scan of an unknown component': jpeg(TABLES, frame(), scan([9])),
    'scan of one component twice': jpeg(TABLES, frame(COLOR), scan([1, 1, 3])),
    'scan of nothing': jpeg(TABLES, frame(), scan([])),
    'length of the scan header': jpeg(TABLES, frame(), scan([1], [0, 63])),
    'code table of the scan': jpeg(TABLES, frame(), scan([1], [0, 63, 0], 0x44)),
    'code table of class 2': jpeg(codes(0x20, 1, 1), TABLES, frame(), scan()),
    'code table 4': jpeg(codes(0x04, 1, 1), TABLES, frame(), scan()),
    'code table too short': jpeg(codes(0x00, 9, 1), TABLES, frame(), scan()),
    'code table too long': jpeg(codes(0x00, 1, 3), TABLES, frame(), scan()),
    'more than 256 codes': jpeg(
      ...[segment(0xc4, join([0], Buffer.alloc(16, 17), Buffer.alloc(272))), TABLES, frame(), scan()],
    ),
    'quantizer 4': jpeg(segment(0xdb, join([4], Buffer.alloc(64))), TABLES, frame(), scan()),
    'quantizer too short': jpeg(segment(0xdb, Buffer.alloc(20)), TABLES, frame(), scan()),
    'restart interval of 3 bytes': jpeg(segment(0xdd, [0, 0, 1]), TABLES, frame(), scan()),
    'lines counted later': jpeg(TABLES, frame(), scan(), [0], segment(0xdc, [0, 8])),
  }
  for (const [name, bytes] of Object.entries(bad)) t.notOk(isPicture(bytes), name)
  for (const factors of [0x00, 0x01, 0x10, 0x51, 0x15, 0xff]) t.notOk(isPicture(sampled(factors)))
  for (const factors of [0x11, 0x22, 0x44]) t.ok(isPicture(sampled(factors)))
  const passing = [...Array(256).keys()].filter(marker =>
    isPicture(jpeg(TABLES, frame(), segment(marker, [0, 0]), scan())),
  )
  t.same(
    passing,
    [...Array(16).keys()]
      .map(n => 0xe0 + n)
      .toSpliced(0, 0, 0xdd)
      .concat(0xfe),
  )
  const frames = [...Array(256).keys()].filter(marker => isPicture(jpeg(TABLES, frame(GREY, marker), scan())))
  t.same(frames, [0xc0, 0xc1, 0xc2])
  t.end()
})

await t.test('a gif is refused for what stops a decoder before the pixels', t => {
  const control = [0x21, 0xf9, 4, 0, 10, 0, 0, 0]
  const bad: Record<string, Buffer> = {
    'version 88a': changed(gif(gifFrame()), 4, 0x38),
    'no frame': gif(),
    'no frame but extensions': gif(control),
    'no canvas': join(gifHeader(0, 0), gifFrame(), [0x3b]),
    'frame beyond the canvas': gif(gifFrame(4, 4)),
    'frame larger than the canvas': gif(gifFrame(0, 0, 5, 5)),
    'frame beyond the right edge': gif(gifFrame(4, 0)),
    'frame beyond the lower edge': gif(gifFrame(0, 4)),
    'version 89b': changed(gif(gifFrame()), 5, 0x62),
    'frame of 65535': gif(gifFrame(0, 0, 65_535, 65_535)),
    'frame without a size': gif(gifFrame(0, 0, 0, 0)),
    'codes of 1 bit': gif(gifFrame(0, 0, 1, 1, 1)),
    'codes of 9 bits': gif(gifFrame(0, 0, 1, 1, 9)),
    'unknown block': gif(gifFrame(), [0x77]),
    'control of 3 bytes': gif([0x21, 0xf9, 3, 0, 0, 0, 0], gifFrame()),
    'control of 5 bytes': gif([0x21, 0xf9, 5, 0, 0, 0, 0, 0, 0], gifFrame()),
    'control of no bytes': gif([0x21, 0xf9, 0], gifFrame()),
    'control of two blocks': gif([0x21, 0xf9, 4, 0, 0, 0, 0, 1, 0, 0], gifFrame()),
    'loop without a count': gif([0x21, 0xff, 11], 'NETSCAPE2.0', [0], gifFrame()),
    'name of an application': gif([0x21, 0xff, 3, 1, 2, 3, 0], gifFrame()),
  }
  for (const [name, bytes] of Object.entries(bad)) t.notOk(isPicture(bytes), name)
  t.end()
})

await t.test('a webp is refused for what stops a decoder before the pixels', t => {
  const lossy = webp(LOSSY)
  const lossless = webp(LOSSLESS)
  const alpha = webpChunk('ALPH', [0])
  const text = webpChunk('XMP ', 'ab')
  const animated = (...chunks: readonly Buffer[]) => webp(canvas(ANIMATED), ...chunks)
  const bad: Record<string, Buffer> = {
    'length beyond the end': changed(lossy, 4, 0x56),
    'length short of the chunk': changed(lossy, 4, 0x52),
    'chunk longer than the file': changed(lossy, 16, 0x4a),
    'chunk shorter than its data': changed(lossy, 16, 0x46),
    'empty chunk': changed(lossy, 16, 0),
    'no key frame': changed(lossy, 20, 0x31),
    'unknown profile': changed(lossy, 20, 0x38),
    'hidden frame': changed(lossy, 20, 0x20),
    'first partition beyond the end': changed(lossy, 21, 0xff, 0xff),
    'start code': changed(lossy, 23, 1, 2, 3),
    'first byte of the start code': changed(lossy, 23, 0),
    'last byte of the start code': changed(lossy, 25, 0),
    'lossy picture of 9 bytes': webp(webpChunk('VP8 ', LOSSY.subarray(8, 17))),
    'lossless picture of 4 bytes': webp(webpChunk('VP8L', LOSSLESS.subarray(8, 12))),
    'file that is not WebP': changed(lossy, 8, 0x41),
    'canvas of 11 bytes': changed(webp(canvas(), LOSSY), 16, 11),
    'no size': changed(lossy, 26, 0, 0, 0, 0),
    'signature of lossless': changed(lossless, 20, 0x2e),
    'version of lossless': changed(lossless, 24, 0xe7),
    'unknown chunk first': webp(webpChunk('JUNK', [0]), LOSSY),
    'transparency first': webp(alpha, LOSSY),
    'no picture': webp(canvas(), text),
    'two pictures': webp(canvas(), LOSSY, LOSSY),
    'canvas of another size': webp(canvas(0, 60, 64), LOSSY),
    'canvas twice': webp(canvas(), canvas(), LOSSY),
    'reserved bytes': changed(webp(canvas(), LOSSY), 21, 1),
    'transparency with lossless': webp(canvas(0x10), alpha, LOSSLESS),
    'transparency apart from its picture': webp(canvas(0x10), alpha, text, LOSSY),
    'transparency behind its picture': webp(canvas(0x10), LOSSY, alpha),
    'animation without the flag': webp(canvas(), WEBP_SETTINGS, webpFrame()),
    'flag without an animation': animated(LOSSY),
    'animation without settings': animated(webpFrame()),
    'animation without frames': animated(WEBP_SETTINGS),
    'short settings': animated(webpChunk('ANIM', [0, 0]), webpFrame()),
    'picture beside the frames': animated(WEBP_SETTINGS, webpFrame(), LOSSY),
    'lossless picture beside the frames': animated(WEBP_SETTINGS, webpFrame(), LOSSLESS),
    'transparency beside the frames': animated(WEBP_SETTINGS, webpFrame(), alpha),
    'canvas beside the frames': animated(WEBP_SETTINGS, webpFrame(), canvas()),
    'settings twice': animated(WEBP_SETTINGS, WEBP_SETTINGS, webpFrame()),
    'settings of 8 bytes': animated(webpChunk('ANIM', Buffer.alloc(8)), webpFrame()),
    'frame beyond the lower edge': webp(canvas(ANIMATED, 64, 32), WEBP_SETTINGS, webpFrame()),
    'animation beside a picture': webp(canvas(), LOSSY, WEBP_SETTINGS),
    'frame beyond the canvas': animated(WEBP_SETTINGS, webpFrame(LOSSY, 2)),
    'frame of another size': animated(WEBP_SETTINGS, webpFrame(LOSSY, 0, 60)),
    'empty frame': animated(WEBP_SETTINGS, webpFrame(Buffer.alloc(0))),
    'frame that begins with something else': animated(WEBP_SETTINGS, webpFrame(join(text, LOSSY))),
    'broken second frame': animated(WEBP_SETTINGS, webpFrame(), webpChunk('ANMF', Buffer.alloc(60))),
  }
  for (const [name, bytes] of Object.entries(bad)) t.notOk(isPicture(bytes), name)
  for (const flag of [0x01, 0x40, 0x80]) t.notOk(isPicture(webp(canvas(flag), LOSSY)), `flag ${flag}`)
  t.end()
})

await t.test('sides and areas are bounded', t => {
  const sized: Record<string, (width: number, height: number) => Buffer> = {
    png: (width, height) => join(PNG_SIGNATURE, header(width, height), chunk('IDAT', PIXELS), chunk('IEND')),
    jpeg: (width, height) => jpeg(TABLES, frame(GREY, 0xc0, width, height), scan()),
    gif: (width, height) => join(gifHeader(width, height), gifFrame(), [0x3b]),
  }
  for (const [name, make] of Object.entries(sized)) {
    t.ok(isPicture(make(MAX_PICTURE_SIDE, MAX_PICTURE_PIXELS / MAX_PICTURE_SIDE)), name)
    t.ok(isPicture(make(7680, 4320)), `${name} of 8K`)
    t.notOk(isPicture(make(MAX_PICTURE_SIDE, MAX_PICTURE_PIXELS / MAX_PICTURE_SIDE + 1)), name)
    t.notOk(isPicture(make(MAX_PICTURE_SIDE + 1, 1)), `${name} too wide`)
    t.notOk(isPicture(make(1, MAX_PICTURE_SIDE + 1)), `${name} too high`)
    t.notOk(isPicture(make(65_535, 65_535)), `${name} far too large`)
    t.notOk(isPicture(make(0, 8)), `${name} without a width`)
    t.notOk(isPicture(make(8, 0)), `${name} without a height`)
  }
  t.notOk(isPicture(join(PNG_SIGNATURE, header(0x80000000, 1), chunk('IDAT', PIXELS), chunk('IEND'))))
  t.notOk(isPicture(changed(webp(LOSSY), 26, 0xff, 0x3f, 0xff, 0x3f)), 'webp of 16383 by 16383')
  t.notOk(isPicture(webp(canvas(0, 1 << 24, 1 << 24), LOSSY)), 'webp with a canvas of 2^48')
  t.notOk(isPicture(webp(canvas(ANIMATED, 16_384, 16_384), WEBP_SETTINGS, webpFrame())))
  t.end()
})

await t.test('an animation is bounded in the pixels of all its frames', t => {
  const side = 4096
  const most = MAX_ANIMATION_PIXELS / side ** 2
  const frames = (count: number) => Array<Buffer>(count).fill(gifFrame())
  t.ok(isPicture(join(gifHeader(side, side), ...frames(most), [0x3b])))
  t.notOk(isPicture(join(gifHeader(side, side), ...frames(most + 1), [0x3b])))
  const moving = (count: number) => Array<Buffer>(count).fill(webpFrame())
  t.ok(isPicture(webp(canvas(ANIMATED, side, side), WEBP_SETTINGS, ...moving(most))))
  t.notOk(isPicture(webp(canvas(ANIMATED, side, side), WEBP_SETTINGS, ...moving(most + 1))))
  const later = (count: number) =>
    Array.from({ length: count }, (_, n) => [
      frameControl(2 * n, 1, 1),
      chunk('fdAT', join(bigEndian(2 * n + 1, 4), PIXELS)),
    ]).flat()
  const still = [header(side, side), chunk('IDAT', PIXELS)]
  const large = (count: number) =>
    join(
      ...[PNG_SIGNATURE, still[0] ?? '', chunk('acTL', join(bigEndian(count, 4), [0, 0, 0, 0]))],
      ...[still[1] ?? '', ...later(count), chunk('IEND')],
    )
  t.ok(isPicture(large(most)))
  t.notOk(isPicture(large(most + 1)))
  t.end()
})

await t.test('a jpeg of many scans is refused, each is a walk over the whole picture', t => {
  const scans = (count: number) => Array<Buffer>(count).fill(join(scan([1], [0, 0, 0]), [0x7f]))
  t.ok(isPicture(jpeg(TABLES, frame(GREY, 0xc2), ...scans(64))))
  t.notOk(isPicture(jpeg(TABLES, frame(GREY, 0xc2), ...scans(65))))
  t.end()
})

await t.test('damage in the compressed data is not looked for', t => {
  const at = png().indexOf('IDAT')
  t.ok(isPicture(changed(png(), at + 6, 1, 2, 3)))
  t.end()
})

const STARTS = [
  PNG_SIGNATURE,
  join(PNG_SIGNATURE, header()),
  Buffer.from([0xff, 0xd8, 0xff]),
  join([0xff, 0xd8], TABLES, frame()),
  Buffer.from('GIF89a'),
  gifHeader(),
  join('RIFF', littleEndian(100, 4), 'WEBP'),
  join('RIFF', littleEndian(100, 4), 'WEBPVP8 '),
  join('RIFF', littleEndian(100, 4), 'WEBPVP8L', littleEndian(80, 4), [0x2f]),
]

await t.test('junk is refused, behind the beginning of a picture too', t => {
  const junk = fc.uint8Array({ minLength: 0, maxLength: 200 })
  // Junk can be a picture by chance, so the same junk every time.
  const options = { seed: 1, numRuns: 2000 }
  fc.assert(
    fc.property(junk, bytes => !isPicture(bytes)),
    options,
  )
  fc.assert(
    fc.property(
      fc.constantFrom(...STARTS),
      junk,
      (start, bytes) => !isPicture(join(start, Buffer.from(bytes))),
    ),
    options,
  )
  t.end()
})

await t.test('no bytes make it throw', t => {
  const edit = fc.tuple(fc.nat(400), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(PICTURES)),
      fc.array(edit, { maxLength: 4 }),
      (bytes, edits) => {
        const copy = Buffer.from(bytes)
        for (const [at, value] of edits) copy[at % copy.length] = value
        return typeof isPicture(copy) === 'boolean'
      },
    ),
    { numRuns: 5000 },
  )
  t.end()
})
