/** Whether a series grows: the median of all slopes, which a few outliers do not move (Theil and Sen). */

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** @param {[x: number, y: number][]} points @returns {number} of y for each x */
export function slopeOf(points) {
  const slopes = []
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++)
      slopes.push((points[j][1] - points[i][1]) / (points[j][0] - points[i][0]))
  }
  return median(slopes)
}
