import {bitsOf, fromBits} from "./numbers.js";
import {
    exactCos,
    exactExp,
    exactInverseRoot,
    exactInverseRootCubed,
    exactInverseSquare,
    exactLog,
    exactSin,
} from "./exact.js";
export const roundedExp = exactExp;
export const roundedLog = exactLog;
export const roundedCos = exactCos;
export const roundedSin = exactSin;
export const roundedInverseSquare = exactInverseSquare;
export const roundedInverseRoot = exactInverseRoot;
export const roundedInverseRootCubed = exactInverseRootCubed;

/** x**-1 */
export function roundedInverse(x) {
    return 1 / x;
}

/** x**0.5, which is 0 for -0, too, and infinite for both infinities. */
export function roundedRoot(x) {
    return x === -Infinity ? Infinity : Math.sqrt(x + 0);
}

/** x**2 */
export function roundedSquare(x) {
    return x * x;
}

/** The libm of the machine that recorded a run: rounded, but for what the record says. */
export class Libm {
    constructor({arrays}) {
        this.exp = asRecorded(roundedExp, arrays.exp_x, arrays.exp_d);
        this.log = asRecorded(roundedLog, arrays.log_x, arrays.log_d);
        this.cos = asRecorded(roundedCos, arrays.cos_x, arrays.cos_d);
        this.sin = asRecorded(roundedSin, arrays.sin_x, arrays.sin_d);
        this.inverse = asRecorded(roundedInverse, arrays.inverse_x, arrays.inverse_d);
        this.inverseSquare = asRecorded(
            roundedInverseSquare,
            arrays.inverse_square_x,
            arrays.inverse_square_d,
        );
        this.inverseRoot = asRecorded(
            roundedInverseRoot,
            arrays.inverse_root_x,
            arrays.inverse_root_d,
        );
        this.inverseRootCubed = asRecorded(
            roundedInverseRootCubed,
            arrays.inverse_root_cubed_x,
            arrays.inverse_root_cubed_d,
        );
        this.root = asRecorded(roundedRoot, arrays.root_x, arrays.root_d);
        this.square = asRecorded(roundedSquare, arrays.square_x, arrays.square_d);
    }

    /** The recorded arguments that nobody has asked for so far: [{name, x}]. */
    neverAsked() {
        return Object.entries(this).flatMap(([name, call]) =>
            call.neverAsked ? call.neverAsked().map((x) => ({name, x})) : [],
        );
    }
}

const argument = new Float64Array(1);
const halves = new Uint32Array(argument.buffer);

/** `rounded`, whose result is off by differences[i] in the last place for each argument[i]. */
function asRecorded(rounded, xs, differences) {
    if (!xs?.length) {
        return rounded;
    }
    // Open addressing, at most half full; a NaN stands for an empty place.
    const size = 2 ** (33 - Math.clz32(xs.length));
    const keys = new Float64Array(size).fill(NaN);
    const results = new Float64Array(size);
    const isAsked = new Uint8Array(size);
    const placeOf = (x) => {
        argument[0] = x;
        const hash = Math.imul(halves[0] ^ Math.imul(halves[1], 0x9e3779b1), 0x85ebca6b);
        let place = (hash ^ (hash >>> 15)) & (size - 1);
        while (keys[place] === keys[place] && keys[place] !== x) {
            place = (place + 1) & (size - 1);
        }
        return place;
    };
    xs.forEach((x, i) => {
        const place = placeOf(x);
        keys[place] = x;
        results[place] = fromBits(bitsOf(rounded(x)) + BigInt(differences[i]));
    });
    const call = (x) => {
        const place = placeOf(x);
        if (keys[place] !== x) {
            return rounded(x);
        }
        isAsked[place] = 1;
        return results[place];
    };
    call.neverAsked = () => Array.from(xs).filter((x) => !isAsked[placeOf(x)]);
    return call;
}
