// A small graph of the last minute: the newest second at the right, the highest at the top. For the eye only: the rate
// beside it says the same.

import { GRAPH_LENGTH } from './series.ts'

const WIDTH = GRAPH_LENGTH - 1
const HEIGHT = 24
const SVG = 'http://www.w3.org/2000/svg'

export class Graph {
  readonly element = document.createElementNS(SVG, 'svg')
  readonly #area = document.createElementNS(SVG, 'path')
  readonly #line = document.createElementNS(SVG, 'path')

  constructor() {
    this.element.classList.add('graph')
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
    this.element.setAttribute('preserveAspectRatio', 'none')
    this.element.setAttribute('aria-hidden', 'true')
    this.#area.classList.add('area')
    this.#line.classList.add('line')
    this.element.append(this.#area, this.#line)
  }

  /** @param values Oldest first. */
  draw(values: readonly number[]): void {
    const highest = Math.max(...values, 0)
    const start = GRAPH_LENGTH - values.length
    const points = values.map((value, at) => {
      const height = highest === 0 ? 0 : (value / highest) * (HEIGHT - 2)
      return `${start + at} ${(HEIGHT - 1 - height).toFixed(1)}`
    })
    const path = points.length < 2 ? '' : `M${points.join('L')}`
    this.#line.setAttribute('d', path)
    this.#area.setAttribute('d', path === '' ? '' : `${path}V${HEIGHT}H${start}Z`)
  }
}
