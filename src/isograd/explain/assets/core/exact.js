// Correctly rounded exp, log, cos, sin and powers by integers: slow, and right for every argument.
// rounded.js is quick, and asks here where it is in doubt or out of its range.
//
// Numbers are not negative and have 288 bits after the point, and so have their errors: below
// 2**-278 in all functions. That tells each result from the middle between two doubles, where
// rounding turns. For the powers this is a theorem: x**-1.5, say, is no middle m, as m**2 * x**3
// is an integer of at most 267 bits times a power of two, so it is 1 only for powers of two, or
// at least 2**-267 away. For the others, Lefevre and Muller have searched all doubles (2001); the
// nearest to a middle is 2**-118 away. Small arguments, nearer to 1 or to x, round to what they
// are near to.

import {bitsOf, fromBits} from "./numbers.js";

const PLACES = 288;
const ONE = 1n << 288n;
const LN2 = 0xb17217f7d1cf79abc9e3b39803f2f6af40f343267298b62d8a0d175b8baafa2be7b87620n;
const HALF_PI = 0x1921fb54442d18469898cc51701b839a252049c1114cf98e804177d4c76273644a29410f3n;
const INFINITE_BITS = 0x7ffn << 52n;

const times = (a, b) => (a * b) >> 288n;
const shifted = (n, places) => (places < 0 ? n >> BigInt(-places) : n << BigInt(places));
const lengthOf = (n) => n.toString(2).length;

/** |x| = significand * 2**exponent. */
function integerOf(x) {
    const bits = bitsOf(Math.abs(x));
    const biased = Number(bits >> 52n);
    const fraction = bits & 0xfffffffffffffn;
    return biased
        ? {significand: fraction | (1n << 52n), exponent: biased - 1075}
        : {significand: fraction, exponent: -1074};
}

/** |x|, cut off after the last place. */
function fixed(x) {
    const {significand, exponent} = integerOf(x);
    return shifted(significand, exponent + PLACES);
}

/** The double nearest to fixed-point n > 0 times 2**exponent. */
function nearest(n, exponent) {
    const lowest = exponent - PLACES;
    const dropped = Math.max(lengthOf(n) - 53, -1074 - lowest);
    let kept = shifted(n, -dropped);
    const rest = n - shifted(kept, dropped);
    if (2n * rest > shifted(1n, dropped)) {
        kept += 1n;
    }
    const bits = (BigInt(lowest + dropped + 1074) << 52n) + kept; // kept has the leading 1, too
    return fromBits(bits < INFINITE_BITS ? bits : INFINITE_BITS);
}

/** exp(r), for r from 0 to 1. */
function expOf(r) {
    let sum = ONE;
    let term = ONE;
    for (let n = 1n; term > 0n; n++) {
        term = times(term, r) / n;
        sum += term;
    }
    return sum;
}

export function exactExp(x) {
    if (!(Math.abs(x) < 750)) {
        return x > 0 ? Infinity : x < 0 ? 0 : NaN;
    }
    const k = Math.floor(x / Math.LN2 - 1e-6); // so that r, what is left, is not below 0
    const multiple = BigInt(Math.abs(k)) * LN2;
    const r = k < 0 ? (x < 0 ? multiple - fixed(x) : multiple + fixed(x)) : fixed(x) - multiple;
    return nearest(expOf(r), k);
}

/** log(f), for f from 1 to 2: a guess y below it, and one step of Newton's, log(f * exp(-y)). */
function logOf(f, guess) {
    const y = fixed(Math.max(guess - 1e-12, 0));
    const z = times(f, expOf(LN2 - y)) / 2n - ONE;
    let sum = z;
    let power = z;
    for (let n = 2n; power > 0n; n++) {
        power = times(power, z);
        sum += n % 2n ? power / n : -power / n;
    }
    return y + sum;
}

export function exactLog(x) {
    if (!(x > 0 && x < Infinity)) {
        return x === 0 ? -Infinity : x > 0 ? x : NaN;
    }
    const {significand, exponent} = integerOf(x);
    const length = lengthOf(significand);
    const f = shifted(significand, PLACES + 1 - length);
    const k = exponent + length - 1;
    const log = f === ONE ? 0n : logOf(f, Math.log(Number(significand) / 2 ** (length - 1)));
    if (k < 0) {
        return -nearest(BigInt(-k) * LN2 - log, 0);
    }
    return x === 1 ? 0 : nearest(BigInt(k) * LN2 + log, 0);
}

/** 1 - r**2 / ((n + 1) (n + 2)) + ..: cos(r) for n = 0 and sin(r) / r for n = 1, r from 0 to 1. */
function alternating(r, n) {
    const square = times(r, r);
    let sum = ONE;
    let term = ONE;
    for (let sign = -1n; term > 0n; sign = -sign) {
        term = times(term, square) / BigInt((n + 1) * (n + 2));
        sum += sign * term;
        n += 2;
    }
    return sum;
}

/** sin(x + quarters * pi / 2), for x from 2**-27 to 8. */
function circular(x, quarters) {
    const k = Math.round(x / (Math.PI / 2));
    const r = fixed(x) - BigInt(k) * HALF_PI;
    const size = r < 0n ? -r : r;
    const quadrant = (k + quarters) % 4;
    const isCos = quadrant % 2 === 1;
    const value = isCos ? alternating(size, 0) : times(size, alternating(size, 1));
    const isNegative = quadrant > 1 !== (!isCos && r < 0n);
    return isNegative ? -nearest(value, 0) : nearest(value, 0);
}

/** For |x| < 8, else NaN. */
export function exactSin(x) {
    const size = Math.abs(x);
    if (size < 2 ** -26) {
        return x;
    }
    return size < 8 ? Math.sign(x) * circular(size, 0) : NaN;
}

/** For |x| < 8, else NaN. */
export function exactCos(x) {
    const size = Math.abs(x);
    if (size < 2 ** -27) {
        return 1;
    }
    return size < 8 ? circular(size, 1) : NaN;
}

/** x**(-n/2) for x >= 0, by Newton's iteration for the inverse root. */
function inversePower(x, n) {
    if (!(x > 0 && x < Infinity)) {
        return x === 0 ? Infinity : x > 0 ? 0 : NaN;
    }
    const {significand, exponent} = integerOf(x);
    const length = lengthOf(significand);
    const k = Math.floor((exponent + length - 1) / 2); // x = f * 4**k, f from 1 to 4
    const f = shifted(significand, exponent - 2 * k + PLACES);
    let y = fixed(1 / Math.sqrt(Number(significand) * 2 ** (exponent - 2 * k)));
    for (let i = 0; i < 3; i++) {
        y = times(y, 3n * ONE - times(f, times(y, y))) / 2n;
    }
    let power = y;
    for (let i = 1; i < n; i++) {
        power = times(power, y);
    }
    return nearest(power, -n * k);
}

export function exactInverseSquare(x) {
    return inversePower(Math.abs(x), 4);
}

// As in C, the infinite below 0 has roots, and no other number below 0 has.
export function exactInverseRoot(x) {
    return x === -Infinity ? 0 : inversePower(x, 1);
}

export function exactInverseRootCubed(x) {
    return x === -Infinity ? 0 : inversePower(x, 3);
}
