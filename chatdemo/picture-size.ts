// Makes pictures small enough for a server that takes messages of a megabyte, as it does unless told otherwise: cameras
// and phones make larger ones. Other files are sent as they are.

const MAX_BYTES = 1_000_000
const MAX_SIDE_PIXELS = 2_048
const MAX_ATTEMPTS = 5
const QUALITY = 0.85
/** What is drawn anew; an animation would stand still, and everything else a browser may not know. */
const TYPES: readonly string[] = ['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/bmp']

export interface FittedPicture {
  readonly picture: Blob
  readonly fileName: string
}

/** Returns the file itself if it is small enough or no picture that can be drawn smaller. */
export async function fitPicture(file: Blob, fileName: string): Promise<FittedPicture> {
  const asItIs = { picture: file, fileName }
  if (file.size <= MAX_BYTES || !TYPES.includes(file.type)) return asItIs
  const bitmap = await createImageBitmap(file).catch(() => null)
  // No picture after all: the readers will see.
  if (bitmap === null) return asItIs
  let scale = Math.min(1, MAX_SIDE_PIXELS / Math.max(bitmap.width, bitmap.height))
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const picture = await draw(bitmap, scale)
    if (picture !== null && picture.size <= MAX_BYTES)
      return { picture, fileName: fileName.replace(/(\.[^.]*)?$/, '.jpg') }
    scale *= 0.7
  }
  return asItIs
}

function draw(bitmap: ImageBitmap, scale: number): Promise<Blob | null> {
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(bitmap.width * scale))
  canvas.height = Math.max(1, Math.round(bitmap.height * scale))
  const context = canvas.getContext('2d')
  if (context === null) return Promise.resolve(null)
  // JPEG knows no transparency.
  context.fillStyle = '#fff'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  return new Promise(resolve => {
    canvas.toBlob(resolve, 'image/jpeg', QUALITY)
  })
}
