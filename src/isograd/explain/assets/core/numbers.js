// Numbers as Python writes them, and their bits. Nothing is computed with them here.

const doubleCell = new Float64Array(1);
const patternCell = new BigUint64Array(doubleCell.buffer);

/** The 64 bits of `x`, a BigInt. */
export function bitsOf(x) {
    doubleCell[0] = x;
    return patternCell[0];
}

/** The number with these 64 bits. */
export function fromBits(bits) {
    patternCell[0] = bits;
    return doubleCell[0];
}

/** Whether two numbers are the same: 0 and -0 are not, NaN is NaN. */
export function sameBits(a, b) {
    return Object.is(a, b);
}

/** What Python's `x.hex()` gives. */
export function hexOf(x) {
    if (Number.isNaN(x)) {
        return "nan";
    }
    const bits = bitsOf(x);
    const sign = bits >> 63n ? "-" : "";
    if (!Number.isFinite(x)) {
        return sign + "inf";
    }
    if (x === 0) {
        return sign + "0x0.0p+0";
    }
    const biased = Number((bits >> 52n) & 0x7ffn);
    const fraction = (bits & 0xfffffffffffffn).toString(16).padStart(13, "0");
    const exponent = Math.max(biased, 1) - 1023;
    return `${sign}0x${biased ? 1 : 0}.${fraction}p${exponent < 0 ? "" : "+"}${exponent}`;
}

const PYTHON_HEX = /^(-?)(?:0x([01])\.([0-9a-f]{1,13})p([+-]\d{1,4})|(inf|nan))$/;

/** The number that `hexOf` writes as `text`. Throws for any other text. */
export function fromHex(text) {
    const [, sign, lead, fraction = "", power, word] = PYTHON_HEX.exec(text) ?? [];
    const size = {inf: Infinity, nan: NaN}[word] ?? fromParts(lead, fraction, Number(power));
    if (size === undefined) {
        throw new Error(`${JSON.stringify(text)} is no number as Python's float.hex writes it.`);
    }
    return sign ? -size : size;
}

/** lead.fraction * 2**power, where that is the normal form of a double; else undefined. */
function fromParts(lead, fraction, power) {
    const digits = BigInt("0x" + fraction.padEnd(13, "0"));
    if (lead === "1" && power >= -1022 && power <= 1023) {
        return fromBits((BigInt(power + 1023) << 52n) | digits);
    }
    const isDouble = lead === "0" && power === (digits ? -1022 : 0);
    return isDouble ? fromBits(digits) : undefined;
}

/** What Python's `repr(x)` gives: the fewest digits that tell `x` from all other numbers. */
export function reprOf(x) {
    if (!Number.isFinite(x)) {
        return Number.isNaN(x) ? "nan" : x < 0 ? "-inf" : "inf";
    }
    const sign = Object.is(x, -0) || x < 0 ? "-" : "";
    const [mantissa, power] = Math.abs(x).toExponential().split("e");
    const digits = mantissa.replace(".", "");
    return sign + layOutDigits(digits, Number(power));
}

/** 0.d1d2d3.. times ten to the power of `power` + 1, as Python lays it out. */
function layOutDigits(digits, power) {
    if (power < -4 || power > 15) {
        const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
        const size = String(Math.abs(power)).padStart(2, "0");
        return `${digits[0]}${fraction}e${power < 0 ? "-" : "+"}${size}`;
    }
    if (power < 0) {
        return "0." + "0".repeat(-power - 1) + digits;
    }
    const whole = digits.slice(0, power + 1).padEnd(power + 1, "0");
    return `${whole}.${digits.slice(power + 1) || "0"}`;
}
