// Search by halving in whatever is in order and has places. It does not see what stands there: whoever asks looks.

/**
 * The first of the places from `start` to before `end` that is so, `end` if none is. Takes for granted that all places
 * behind the first one that is so are so too.
 */
export function firstPlace(start: number, end: number, isSo: (place: number) => boolean): number {
  let low = start
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(middle)) high = middle
    else low = middle + 1
  }
  return low
}
