// Python's random.Random: the Mersenne Twister of Matsumoto and Nishimura (1998), and what Python
// makes of its words. The same numbers in the same order as every CPython since 3.2.

const MERSENNE_WORDS = 624;
const MERSENNE_MIDDLE = 397;
const PYTHON_TWO_PI = 6.283185307179586;

/** The 32-bit words of the absolute value of a seed, the lowest first; at least one. */
function seedWords(seedText) {
    let rest = BigInt(seedText);
    rest = rest < 0n ? -rest : rest;
    const words = [];
    do {
        words.push(Number(rest & 0xffffffffn));
        rest >>= 32n;
    } while (rest > 0n);
    return words;
}

/** The state that a key of 32-bit words leads to. */
function mersenneState(key) {
    const state = new Uint32Array(MERSENNE_WORDS);
    const mixed = (i) => state[i] ^ (state[i] >>> 30);
    state[0] = 19650218;
    for (let i = 1; i < MERSENNE_WORDS; i++) {
        state[i] = Math.imul(mixed(i - 1), 1812433253) + i;
    }
    let i = 1;
    const advance = (value) => {
        state[i] = value;
        i++;
        if (i === MERSENNE_WORDS) {
            state[0] = state[MERSENNE_WORDS - 1];
            i = 1;
        }
    };
    const turns = Math.max(MERSENNE_WORDS, key.length);
    for (let turn = 0; turn < turns; turn++) {
        const j = turn % key.length;
        advance((state[i] ^ Math.imul(mixed(i - 1), 1664525)) + key[j] + j);
    }
    for (let turn = 1; turn < MERSENNE_WORDS; turn++) {
        advance((state[i] ^ Math.imul(mixed(i - 1), 1566083941)) - i);
    }
    state[0] = 0x80000000;
    return state;
}

/** random.Random(seed), for any int that Python can write. `functions` has log, cos and sin. */
export class PythonRandom {
    constructor(seedText, functions) {
        this.functions = functions;
        this.state = mersenneState(seedWords(seedText));
        this.used = MERSENNE_WORDS;
        this.nextGauss = null;
    }

    /** The next 32 bits. */
    word() {
        if (this.used === MERSENNE_WORDS) {
            this.renew();
        }
        let y = this.state[this.used++];
        y ^= y >>> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return (y ^ (y >>> 18)) >>> 0;
    }

    renew() {
        const state = this.state;
        for (let i = 0; i < MERSENNE_WORDS; i++) {
            const y = (state[i] & 0x80000000) | (state[(i + 1) % MERSENNE_WORDS] & 0x7fffffff);
            const other = state[(i + MERSENNE_MIDDLE) % MERSENNE_WORDS];
            state[i] = other ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
        }
        this.used = 0;
    }

    /** A number in [0, 1): 53 bits of two words. */
    random() {
        const high = this.word() >>> 5;
        const low = this.word() >>> 6;
        return (high * 67108864 + low) / 9007199254740992;
    }

    /** A normally distributed number, by Box and Muller: two at a time, one kept for later. */
    gauss(mu, sigma) {
        let z = this.nextGauss;
        this.nextGauss = null;
        if (z === null) {
            const angle = this.random() * PYTHON_TWO_PI;
            const radius = Math.sqrt(-2 * this.functions.log(1 - this.random()));
            z = this.functions.cos(angle) * radius;
            this.nextGauss = this.functions.sin(angle) * radius;
        }
        return mu + z * sigma;
    }

    /** An integer from 0 to n - 1, for n below 2**32. */
    below(n) {
        const shift = Math.clz32(n);
        let r = this.word() >>> shift;
        while (r >= n) {
            r = this.word() >>> shift;
        }
        return r;
    }

    /** Shuffles an array in place. */
    shuffle(array) {
        for (let i = array.length - 1; i > 0; i--) {
            const j = this.below(i + 1);
            [array[i], array[j]] = [array[j], array[i]];
        }
    }

    /** The index that random.choices(range(n), weights)[0] draws. */
    choices(n, weights) {
        return this.choicesTrace(weights, n).index;
    }

    /** The same, and how it came about: `index` is the first whose cumulated weight exceeds
     * draw * total. */
    choicesTrace(weights, n = weights.length) {
        const cumulated = new Float64Array(n);
        cumulated[0] = weights[0];
        for (let i = 1; i < n; i++) {
            cumulated[i] = cumulated[i - 1] + weights[i];
        }
        const total = cumulated[n - 1];
        const draw = this.random();
        return {index: pythonBisect(cumulated, draw * total), draw, total, cumulated};
    }
}

/** Where Python's pythonBisect puts `x` among all but the last of `sorted`. */
function pythonBisect(sorted, x) {
    let low = 0;
    let high = sorted.length - 1;
    while (low < high) {
        const middle = (low + high) >>> 1;
        if (x < sorted[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
