// Tells whether bytes are a picture that an <img> on a multipart/x-mixed-replace stream survives: JPEG, PNG, GIF or
// WebP, whole and of bounded size. In Chromium one part that is none ends the <img> for good, and the tab with the
// stream. Reads structure only: compressed data is not inflated, damage in it shows in that one picture and not after.
// One pass, no copy. SVG, BMP, ICO, AVIF and JXL are refused. Runs in browsers.

import { GIF_START, isGif } from './picture/gif.ts'
import { isJpeg, JPEG_START } from './picture/jpeg.ts'
import { isPng, PNG_START } from './picture/png.ts'
import { uint16, uint32 } from './picture/reading.ts'
import { isWebp, RIFF } from './picture/webp.ts'

export { MAX_ANIMATION_PIXELS, MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE } from './picture/reading.ts'

/**
 * Whether a part with these bytes leaves an `<img>` alive in Chromium and Firefox: the picture is one of the four
 * formats, complete, at most 16,384 pixels wide and high and 2^25 pixels in area. What follows its end is not looked
 * at. Takes time in proportion to the length, and never throws.
 */
export function isPicture(bytes: Uint8Array): boolean {
  switch (uint32(bytes, 0)) {
    case PNG_START:
      return isPng(bytes)
    case GIF_START:
      return isGif(bytes)
    case RIFF:
      return isWebp(bytes)
    default:
      return uint16(bytes, 0) === JPEG_START && isJpeg(bytes)
  }
}
