// Correctly rounded exp, log, cos, sin and powers: the double nearest to the exact value. Every
// browser and every machine computes the same, with + - * / and sqrt, which IEEE 754 defines.
//
// Method: a result is computed as high + low, the sum of two doubles, with an error of which a
// bound is known. If all numbers within that bound round to one and the same double, it is the
// result. If not, about once in ten thousand times, exact.js is asked. What is computed here need
// only be as good as its bounds; they are stated with each function, and have slack.

import {exactCos, exactExp, exactInverseRoot, exactInverseRootCubed} from "./exact.js";
import {exactInverseSquare, exactLog, exactSin} from "./exact.js";
import {bitsOf, fromBits} from "./numbers.js";

const scratchDouble = new Float64Array(1);
const scratchWords = new Uint32Array(scratchDouble.buffer); // where browsers run, the low one first

/** 2**k, for k from -1022 to 1023. */
function powerOfTwo(k) {
    scratchWords[0] = 0;
    scratchWords[1] = (k + 1023) << 20;
    return scratchDouble[0];
}

/** a + b exactly, in two parts (Knuth). */
function twoSum(a, b) {
    const high = a + b;
    const virtual = high - a;
    return {high, low: a - (high - virtual) + (b - virtual)};
}

/** The same where |a| >= |b|, or a = 0 (Dekker). */
function quickSum(a, b) {
    const high = a + b;
    return {high, low: b - (high - a)};
}

/** a * b exactly, in two parts (Dekker); no part may be too large or too small for a double. */
function twoProduct(a, b) {
    const scaledA = 134217729 * a; // 2**27 + 1 splits 53 bits into 26 and 26
    const scaledB = 134217729 * b;
    const a1 = scaledA - (scaledA - a);
    const b1 = scaledB - (scaledB - b);
    const a2 = a - a1;
    const b2 = b - b1;
    const high = a * b;
    return {high, low: a1 * b1 - high + a1 * b2 + a2 * b1 + a2 * b2};
}

/** What all numbers within `error` of high + low round to; NaN if that is not one number. */
function roundIfSure(high, low, error) {
    const down = high + (low - error);
    return down === high + (low + error) ? down : NaN;
}

// 2**(i/16), each as the sum of two doubles.
const EXP_POWER = [
    1, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721,
    1.241857812073484, 1.2968395546510096, 1.3542555469368927, 1.4142135623730951,
    1.4768261459394993, 1.5422108254079407, 1.6104903319492543, 1.681792830507429,
    1.7562521603732995, 1.8340080864093424, 1.9152065613971474,
];
const EXP_POWER_TAIL = [
    0, 8.551889705537965e-17, -3.046782079812471e-17, 8.912812676025408e-17,
    3.982015231465646e-17, 4.658027591836937e-17, 2.5382502794888315e-17, 7.70094837980299e-17,
    -9.667293313452913e-17, -3.483994556892796e-17, 7.949834809697621e-17,
    2.4707192569797888e-17, 8.199010020581497e-17, 2.960140695448873e-17,
    3.283107224245627e-17, -1.0619946056195963e-16,
];
const EXP_STEPS_PER_UNIT = 23.083120654223414; // 16 / ln 2
const EXP_STEP = 0.04332169878489367; // ln 2 / 16 to 38 bits, so that products with it are exact
const EXP_STEP_TAIL = 1.0291218489310676e-13;
const INTEGER_ROUNDER = 6755399441055744; // 1.5 * 2**52: adding it rounds to an integer
const EXP_ERROR = 2 ** -68;

/** exp(x) = (high + low) * 2**k for |x| <= 709; high is from 0.97 to 2, |low| below 2**-17, the
 * error below EXP_ERROR.
 *
 * With x = n * ln2/16 + s + t, |s| <= 0.0217, where t is what s lacks (Tang 1989),
 *     exp(s + t) = 1 + s + s**2 / 2 + rest, rest = t + s*t + s**3 / 6 + .. + s**9 / 9!,
 * where the terms left out are below 2**-76. The rest, below 2**-19, is off by 2**-70.5 at most.
 * The other terms are exact sums of two doubles, and so is their product with 2**(n/16). What is
 * below their last place is added up in five roundings of at most 2**-72.
 */
function expParts(x) {
    const n = x * EXP_STEPS_PER_UNIT + INTEGER_ROUNDER - INTEGER_ROUNDER;
    const near = x - n * EXP_STEP;
    const s = near - n * EXP_STEP_TAIL;
    const t = near - s - n * EXP_STEP_TAIL;

    const square = twoProduct(s, s);
    let series = 1 / 5040 + s * (1 / 40320 + s * (1 / 362880));
    series = 1 / 24 + s * (1 / 120 + s * (1 / 720 + s * series));
    series = s * (1 / 6 + s * series);
    const rest = t + s * t + 0.5 * square.low + square.high * series;
    const most = quickSum(s, 0.5 * square.high);

    const i = n & 15;
    const power = EXP_POWER[i];
    const scaled = twoProduct(power, most.high);
    const sum = quickSum(power, scaled.high);
    const tail = power * (most.low + rest) + EXP_POWER_TAIL[i] * (1 + most.high);
    return {high: sum.high, low: sum.low + (scaled.low + tail), k: (n - i) / 16};
}

/** e**x */
export function roundedExp(x) {
    if (x > -708 && x < 709) {
        const {high, low, k} = expParts(x);
        const result = roundIfSure(high, low, EXP_ERROR) * powerOfTwo(k);
        if (result === result) {
            return result;
        }
    }
    return exactExp(x);
}

const LN2_HIGH = 0.6931471805598903; // to 42 bits, so that products with exponents are exact
const LN2_LOW = 5.497923018708371e-14;

/** The natural logarithm.
 *
 * With x = f * 2**k, f from 0.7 to 1.4, and y = Math.log(f), good or not so good, log(f) is y +
 * log(1 + z), where z = f * exp(-y) - 1 is tiny. If |y| is 0.0217 or more, z is off by as much as
 * exp is. If it is less, the products and sums with 2**(n/16) = 1 are exact, so the error of exp is
 * that of its rest: |y|**3 * 2**-53, and 2**-103 for the last places.
 */
export function roundedLog(x) {
    if (x > 1e-300 && x < 1e300) {
        scratchDouble[0] = x;
        const k = (scratchWords[1] - 0x3fe6a09e) >> 20; // the words of 0.7071 begin so
        const f = x * powerOfTwo(-k);
        const y = Math.log(f);
        const inverse = expParts(-y);
        const scaled = f * powerOfTwo(inverse.k);
        const unit = twoProduct(scaled, inverse.high);
        const z = unit.high - 1 + (unit.low + scaled * inverse.low);
        const total = twoSum(k * LN2_HIGH, y);
        const low = total.low + (z - 0.5 * z * z + k * LN2_LOW);
        const result = roundIfSure(total.high, low, Math.abs(y) * 2 ** -62 + 2 ** -102);
        if (result === result) {
            return result;
        }
    }
    return exactLog(x);
}

// For the powers: all that is computed on the way is far from the ends of the doubles' range.
const POWER_MIN = 2 ** -300;
const POWER_MAX = 2 ** 300;

/** x**-1 */
export function roundedInverse(x) {
    return 1 / x;
}

/** x**-2. With e = 1 - r*x, 1/x is r * (1 + e + ..); what is left out is below 2**-104. */
export function roundedInverseSquare(x) {
    const size = Math.abs(x);
    if (size > POWER_MIN && size < POWER_MAX) {
        const r = 1 / x;
        const unit = twoProduct(r, x);
        const {high, low} = twoProduct(r, r);
        const e = 1 - unit.high - unit.low;
        const result = roundIfSure(high, low + 2 * e * high, 2 ** -100 * high);
        if (result === result) {
            return result;
        }
    }
    return exactInverseSquare(x);
}

/** For y = 1 / sqrt(x) as computed: y, y**2 exactly, and e = 1 - x * y**2, so that x**-0.5 is
 * y * (1 + e/2 + ..) and x**-1.5 is y**3 * (1 + 3/2 e + ..), to 2**-100. */
function inverseRootParts(x) {
    const y = 1 / Math.sqrt(x);
    const square = twoProduct(y, y);
    const unit = twoProduct(x, square.high);
    return {y, square, e: 1 - unit.high - unit.low - x * square.low};
}

/** x**-0.5 */
export function roundedInverseRoot(x) {
    if (x > POWER_MIN && x < POWER_MAX) {
        const {y, e} = inverseRootParts(x);
        const result = roundIfSure(y, 0.5 * e * y, 2 ** -98 * y);
        if (result === result) {
            return result;
        }
    }
    return exactInverseRoot(x);
}

/** x**-1.5 */
export function roundedInverseRootCubed(x) {
    if (x > POWER_MIN && x < POWER_MAX) {
        const {y, square, e} = inverseRootParts(x);
        const {high, low} = twoProduct(square.high, y);
        const result = roundIfSure(high, low + square.low * y + 1.5 * e * high, 2 ** -97 * high);
        if (result === result) {
            return result;
        }
    }
    return exactInverseRootCubed(x);
}

/** x**0.5, which is 0 for -0, too, and infinite for both infinities, as in C. */
export function roundedRoot(x) {
    return x === -Infinity ? Infinity : Math.sqrt(x + 0);
}

/** x**2 */
export function roundedSquare(x) {
    return x * x;
}

// pi / 2 in three parts; the first two are short, so that products with 1 to 4 are exact.
const HALF_PI_HIGH = 1.5707963267948966;
const HALF_PI_MIDDLE = 6.123233995736757e-17;
const HALF_PI_LOW = 8.4784276603689e-32;

/** a * b for pairs, to 2**-102. */
function pairProduct(a, b) {
    const {high, low} = twoProduct(a.high, b.high);
    return quickSum(high, low + (a.high * b.low + a.low * b.high));
}

/** 1 - a / n for a pair and an integer, to 2**-102. */
function oneMinusPart(a, n) {
    const high = a.high / n;
    const back = twoProduct(high, n);
    const {high: one, low} = twoSum(1, -high);
    return quickSum(one, low - (a.high - back.high - back.low + a.low) / n);
}

/** 1 - r**2 / ((n + 1) (n + 2)) * (1 - ..): cos(r) for n = 0, sin(r) / r for n = 1; |r| < 0.8. */
function pairSeries(r, n) {
    const square = pairProduct(r, r);
    let series = {high: 1, low: 0};
    for (let i = n + 26; i >= n; i -= 2) {
        series = oneMinusPart(pairProduct(square, series), (i + 1) * (i + 2));
    }
    return series;
}

/** sin(x + quarters * pi/2) for x from 2**-26 to 2 pi; NaN if in doubt. */
function circular(x, quarters) {
    const k = Math.round(x / HALF_PI_HIGH);
    const most = twoSum(x - k * HALF_PI_HIGH, -k * HALF_PI_MIDDLE);
    const r = quickSum(most.high, most.low - k * HALF_PI_LOW);
    const quadrant = (k + quarters) % 4;
    const {high, low} = quadrant % 2 ? pairSeries(r, 0) : pairProduct(r, pairSeries(r, 1));
    const size = roundIfSure(high, low, 2 ** -95 * Math.abs(high));
    return quadrant > 1 ? -size : size;
}

/** The sine, for |x| < 8, else NaN. */
export function roundedSin(x) {
    const result = x > 2 ** -26 && x < 6.3 ? circular(x, 0) : NaN;
    return result === result ? result : exactSin(x);
}

/** The cosine, for |x| < 8, else NaN. */
export function roundedCos(x) {
    const result = x > 2 ** -26 && x < 6.3 ? circular(x, 1) : NaN;
    return result === result ? result : exactCos(x);
}

const MIXER = 0x9e3779b1; // 2**32 over the golden ratio, for a hash (Knuth)

/** `rounded` but for the arguments `xs`: there it is off by differences[i] in the last place. */
function asRecorded(rounded, xs, differences) {
    if (!xs?.length) {
        return rounded;
    }
    // Open addressing, at most half full; a NaN marks an empty place. Before it stands a filter, a
    // bit for each of 8 to 16 hashes an argument: it stays in the cache, and most calls go no further.
    const bits = 35 - Math.clz32(xs.length);
    const filter = new Uint32Array(Math.ceil(2 ** (bits - 5)));
    const size = 2 ** (bits - 2);
    const keys = new Float64Array(size).fill(NaN);
    const results = new Float64Array(size);
    const isAsked = new Uint8Array(size);
    const hashOf = (x) => {
        scratchDouble[0] = x;
        const mixed = Math.imul(scratchWords[0] ^ Math.imul(scratchWords[1], MIXER), MIXER);
        return (mixed ^ (mixed >>> 15)) & (size * 4 - 1);
    };
    const placeOf = (hash, x) => {
        let place = hash >>> 2;
        while (keys[place] === keys[place] && keys[place] !== x) {
            place = (place + 1) & (size - 1);
        }
        return place;
    };
    xs.forEach((x, i) => {
        const hash = hashOf(x);
        const place = placeOf(hash, x);
        filter[hash >>> 5] |= 1 << (hash & 31);
        keys[place] = x;
        results[place] = fromBits(bitsOf(rounded(x)) + BigInt(differences[i]));
    });
    const call = (x) => {
        const hash = hashOf(x);
        if (!(filter[hash >>> 5] & (1 << (hash & 31)))) {
            return rounded(x);
        }
        const place = placeOf(hash, x);
        if (keys[place] !== x) {
            return rounded(x);
        }
        isAsked[place] = 1;
        return results[place];
    };
    call.neverAsked = () => Array.from(xs).filter((x) => !isAsked[placeOf(hashOf(x), x)]);
    return call;
}

/** The libm of the machine that recorded a run: correctly rounded, but for the calls that its
 * payload lists. Each method takes a number and returns one. */
export class Libm {
    constructor({arrays}) {
        const recorded = (rounded, name) =>
            asRecorded(rounded, arrays[`${name}_x`], arrays[`${name}_d`]);
        this.exp = recorded(roundedExp, "exp");
        this.log = recorded(roundedLog, "log");
        this.cos = recorded(roundedCos, "cos");
        this.sin = recorded(roundedSin, "sin");
        this.inverse = recorded(roundedInverse, "inverse");
        this.inverseSquare = recorded(roundedInverseSquare, "inverse_square");
        this.inverseRoot = recorded(roundedInverseRoot, "inverse_root");
        this.inverseRootCubed = recorded(roundedInverseRootCubed, "inverse_root_cubed");
        this.root = recorded(roundedRoot, "root");
        this.square = recorded(roundedSquare, "square");
    }

    /** The recorded arguments that nobody has asked for so far: [{name, x}]. */
    neverAsked() {
        return Object.entries(this).flatMap(([name, call]) =>
            call.neverAsked ? call.neverAsked().map((x) => ({name, x})) : [],
        );
    }
}
