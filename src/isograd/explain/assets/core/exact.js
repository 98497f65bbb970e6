// Correctly rounded exp, log, cos, sin and powers by integers: slow, and right for every argument.
// rounded.js is quick, and asks here where it is in doubt or out of its range.
//
// Numbers are not negative and have 288 bits after the point; all functions are off by less than
// 2**-278. That tells each result from the middle between two doubles, where rounding turns. For
// the powers this is a theorem: let x**-1.5, say, be a middle m. Then m**2 * x**3 is 1. But it is
// an integer of at most 267 bits times a power of two, so it is 1 only for powers of two, whose
// powers are doubles, or else 2**-267 away at least. For the others Lefevre and Muller (2001) have
// searched all doubles: the nearest to a middle is 2**-118 away, relatively. Arguments so small
// that the result is next to 1 or to x round to that.

import {bitsOf, fromBits} from "./numbers.js";

const FIXED_PLACES = 288;
const FIXED_ONE = 1n << 288n;
const FIXED_LN2 = 0xb17217f7d1cf79abc9e3b39803f2f6af40f343267298b62d8a0d175b8baafa2be7b87620n;
const FIXED_HALF_PI = 0x1921fb54442d18469898cc51701b839a252049c1114cf98e804177d4c76273644a29410f3n;
const INFINITE_BITS = 0x7ffn << 52n;

const fixedTimes = (a, b) => (a * b) >> 288n;
const shiftedBy = (n, places) => (places < 0 ? n >> BigInt(-places) : n << BigInt(places));
const bitLength = (n) => n.toString(2).length;

/** |x| = significand * 2**exponent. */
function asInteger(x) {
    const bits = bitsOf(Math.abs(x));
    const biased = Number(bits >> 52n);
    const fraction = bits & 0xfffffffffffffn;
    return biased
        ? {significand: fraction | (1n << 52n), exponent: biased - 1075}
        : {significand: fraction, exponent: -1074};
}

/** |x|, cut off after the last place. */
function asFixed(x) {
    const {significand, exponent} = asInteger(x);
    return shiftedBy(significand, exponent + FIXED_PLACES);
}

/** The double nearest to n * 2**exponent, for a fixed-point n > 0. */
function nearestDouble(n, exponent) {
    const lowest = exponent - FIXED_PLACES;
    const dropped = Math.max(bitLength(n) - 53, -1074 - lowest);
    let kept = shiftedBy(n, -dropped);
    const rest = n - shiftedBy(kept, dropped);
    if (2n * rest > shiftedBy(1n, dropped)) {
        kept += 1n;
    }
    const bits = (BigInt(lowest + dropped + 1074) << 52n) + kept; // kept has the leading 1, too
    return fromBits(bits < INFINITE_BITS ? bits : INFINITE_BITS);
}

/** exp(r), for r from 0 to 1. */
function fixedExp(r) {
    let sum = FIXED_ONE;
    let term = FIXED_ONE;
    for (let n = 1n; term > 0n; n++) {
        term = fixedTimes(term, r) / n;
        sum += term;
    }
    return sum;
}

export function exactExp(x) {
    if (!(Math.abs(x) < 750)) {
        return x > 0 ? Infinity : x < 0 ? 0 : NaN;
    }
    const k = Math.floor(x / Math.LN2 - 1e-6); // so that r, what is left, is not below 0
    const size = x < 0 ? -asFixed(x) : asFixed(x);
    return nearestDouble(fixedExp(size - BigInt(k) * FIXED_LN2), k);
}

/** log(f), for f from 1 to 2: a guess y below it, and a step of Newton's, log(f * exp(-y)). */
function fixedLog(f) {
    if (f === 1) {
        return 0n;
    }
    const y = asFixed(Math.max(Math.log(f) - 1e-12, 0));
    const z = fixedTimes(asFixed(f), fixedExp(FIXED_LN2 - y)) / 2n - FIXED_ONE;
    let sum = z;
    let power = z;
    for (let n = 2n; power > 0n; n++) {
        power = fixedTimes(power, z);
        sum += n % 2n ? power / n : -power / n;
    }
    return y + sum;
}

export function exactLog(x) {
    if (!(x > 0 && x < Infinity)) {
        return x === 0 ? -Infinity : x > 0 ? x : NaN;
    }
    const {significand, exponent} = asInteger(x);
    const length = bitLength(significand);
    const log = fixedLog(Number(significand) / 2 ** (length - 1));
    const k = exponent + length - 1;
    if (k < 0) {
        return -nearestDouble(BigInt(-k) * FIXED_LN2 - log, 0);
    }
    return x === 1 ? 0 : nearestDouble(BigInt(k) * FIXED_LN2 + log, 0);
}

/** 1 - r**2 / ((n + 1) (n + 2)) + ..: cos(r) for n = 0 and sin(r) / r for n = 1, r from 0 to 1. */
function fixedSeries(r, n) {
    const square = fixedTimes(r, r);
    let sum = FIXED_ONE;
    let term = FIXED_ONE;
    for (let sign = -1n; term > 0n; sign = -sign) {
        term = fixedTimes(term, square) / BigInt((n + 1) * (n + 2));
        sum += sign * term;
        n += 2;
    }
    return sum;
}

/** sin(x + quarters * pi / 2), for x from 2**-27 to 8. */
function exactCircular(x, quarters) {
    const k = Math.round(x / (Math.PI / 2));
    const r = asFixed(x) - BigInt(k) * FIXED_HALF_PI;
    const size = r < 0n ? -r : r;
    const quadrant = (k + quarters) % 4;
    const isCos = quadrant % 2 === 1;
    const value = isCos ? fixedSeries(size, 0) : fixedTimes(size, fixedSeries(size, 1));
    const isNegative = quadrant > 1 !== (!isCos && r < 0n);
    return isNegative ? -nearestDouble(value, 0) : nearestDouble(value, 0);
}

/** For |x| < 8, else NaN. */
export function exactSin(x) {
    const size = Math.abs(x);
    if (size < 2 ** -26) {
        return x;
    }
    return size < 8 ? Math.sign(x) * exactCircular(size, 0) : NaN;
}

/** For |x| < 8, else NaN. */
export function exactCos(x) {
    const size = Math.abs(x);
    if (size < 2 ** -27) {
        return 1;
    }
    return size < 8 ? exactCircular(size, 1) : NaN;
}

/** x**(-n/2) for x >= 0, by Newton's iteration for the inverse root. */
function exactInversePower(x, n) {
    if (!(x > 0 && x < Infinity)) {
        return x === 0 ? Infinity : x > 0 ? 0 : NaN;
    }
    const {significand, exponent} = asInteger(x);
    const length = bitLength(significand);
    const k = Math.floor((exponent + length - 1) / 2); // x = f * 4**k, f from 1 to 4
    const f = shiftedBy(significand, exponent - 2 * k + FIXED_PLACES);
    let y = asFixed(1 / Math.sqrt(Number(significand) * 2 ** (exponent - 2 * k)));
    for (let i = 0; i < 3; i++) {
        y = fixedTimes(y, 3n * FIXED_ONE - fixedTimes(f, fixedTimes(y, y))) / 2n;
    }
    let power = y;
    for (let i = 1; i < n; i++) {
        power = fixedTimes(power, y);
    }
    return nearestDouble(power, -n * k);
}

export function exactInverseSquare(x) {
    return exactInversePower(Math.abs(x), 4);
}

// As in C, the infinite below 0 has roots, and no other number below 0 has.
export function exactInverseRoot(x) {
    return x === -Infinity ? 0 : exactInversePower(x, 1);
}

export function exactInverseRootCubed(x) {
    return x === -Infinity ? 0 : exactInversePower(x, 3);
}
