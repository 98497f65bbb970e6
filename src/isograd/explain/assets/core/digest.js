// A digest of numbers, 64 bits: what csrc/numerics/digest.c computes. Numbers are taken as 32-bit
// words, the low half first; word i goes into lane i % 64, and in the end all lanes go, in two chains,
// into two words. Each step is one to one, so numbers that differ in one word differ in the digest.

const DIGEST_LANES = 64;
const DIGEST_MULTIPLIERS = [0x9e3779b1, 0xb504f333];
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function rotatedBits(x, places) {
    return (x << places) | (x >>> (32 - places));
}

/** The 8 bytes of the digest of a Float64Array. */
export function digestOf(numbers) {
    const words = new Int32Array(numbers.buffer, numbers.byteOffset, 2 * numbers.length);
    const order = LITTLE_ENDIAN ? 0 : 1; // of the words of a number
    const [multiplier, multiplier2] = DIGEST_MULTIPLIERS;
    const lanes = Int32Array.from({length: DIGEST_LANES}, (_, i) => i + 1);
    for (let i = 0; i < words.length; i++) {
        const lane = i % DIGEST_LANES;
        lanes[lane] = Math.imul(rotatedBits(lanes[lane] ^ words[i ^ order], 13), multiplier);
    }
    let a = words.length | 0;
    let b = ~a;
    for (const lane of lanes) {
        a = Math.imul(rotatedBits(a ^ lane, 13), multiplier);
        b = Math.imul(rotatedBits(b ^ lane, 17), multiplier2);
    }
    const digest = new Uint8Array(8);
    const view = new DataView(digest.buffer);
    view.setInt32(0, a, true);
    view.setInt32(4, b, true);
    return digest;
}
