// The loops that replay.js is made of: linear layers, rmsnorm and the exps of a softmax, forward and
// backward, each with its sums in the order of csrc/gpt/ORDER.md. dx is the gradient of x.

const EPSILON = 1e-5; // for an x that is all zeros

/** y = W x, W is (rows, columns) at `at`; x and y begin at xAt and yAt. */
export function linearForward(w, at, rows, columns, x, xAt, y, yAt) {
    for (let o = 0; o < rows; o++) {
        let sum = 0;
        for (let i = 0; i < columns; i++) {
            sum += w[at++] * x[xAt + i];
        }
        y[yAt + o] = sum;
    }
}

/** Row `o` of W hands dy on to itself and to dx, which is added to. */
export function rowBackward(w, dw, at, o, columns, x, xAt, dy, dx) {
    const row = at + o * columns;
    for (let i = 0; i < columns; i++) {
        dw[row + i] += x[xAt + i] * dy;
        dx[i] += w[row + i] * dy;
    }
}

/** Rows from the last to the first, as the sweep comes to them. dx is (columns). */
export function linearBackward(w, dw, at, rows, columns, x, xAt, dy, dyAt, dx) {
    for (let o = rows - 1; o >= 0; o--) {
        rowBackward(w, dw, at, o, columns, x, xAt, dy[dyAt + o], dx);
    }
}

/** One rmsnorm at every position: y and scale of x, and the mean square plus epsilon. */
export class Norm {
    constructor(positions, size, libm) {
        this.size = size;
        this.libm = libm;
        this.inverseSize = libm.inverse(size);
        this.y = new Float64Array(positions * size);
        this.scale = new Float64Array(positions);
        this.meanSquare = new Float64Array(positions);
    }

    forward(t, x) {
        const {size, y} = this;
        const at = t * size;
        let squares = 0;
        for (let i = at; i < at + size; i++) {
            squares += x[i] * x[i];
        }
        const meanSquare = squares * this.inverseSize + EPSILON;
        const scale = this.libm.inverseRoot(meanSquare);
        this.meanSquare[t] = meanSquare;
        this.scale[t] = scale;
        for (let i = at; i < at + size; i++) {
            y[i] = x[i] * scale;
        }
    }

    /** Of the scale, with respect to the mean square. */
    localGradient(t) {
        return -0.5 * this.libm.inverseRootCubed(this.meanSquare[t]);
    }

    /** Adds to dx, which is (size) and holds the residual's share; dy is (size), too. */
    backward(t, x, dy, dx) {
        const {size} = this;
        const at = t * size;
        const scale = this.scale[t];
        let dScale = 0;
        for (let i = size - 1; i >= 0; i--) {
            dScale += x[at + i] * dy[i];
        }
        const dSquares = this.inverseSize * (this.localGradient(t) * dScale);
        for (let i = 0; i < size; i++) {
            const share = x[at + i] * dSquares;
            dx[i] = dx[i] + scale * dy[i] + share + share;
        }
    }
}

/** Fills e with exp(z - max), each from `at` on; returns their total. */
export function exponentials(libm, z, at, n, e) {
    let largest = z[at];
    for (let i = at + 1; i < at + n; i++) {
        if (z[i] > largest) {
            largest = z[i];
        }
    }
    let total = 0;
    for (let i = at; i < at + n; i++) {
        e[i] = libm.exp(z[i] - largest);
        total += e[i];
    }
    return total;
}
