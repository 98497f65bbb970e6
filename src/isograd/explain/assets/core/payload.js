// The file of a run, as isograd/explain/payload.py writes it: a header and typed arrays.

const PAYLOAD_FORMAT = "isograd run";
const PAYLOAD_VERSION = 3;
const PAYLOAD_DAMAGED = "This page's record of the run is damaged";
const PAYLOAD_TYPES = {f64: Float64Array, i32: Int32Array, i8: Int8Array, u8: Uint8Array};

/** Promises the bytes that were compressed and written as `base64`. */
export async function decodePayload(base64) {
    try {
        const text = atob(base64.trim());
        const packed = Uint8Array.from(text, (character) => character.charCodeAt(0));
        const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
        return new Uint8Array(await new Response(stream).arrayBuffer());
    } catch {
        throw new Error(`${PAYLOAD_DAMAGED}: it cannot be unpacked.`);
    }
}

/** The header and the arrays, by name, in `bytes`. The arrays are views of them where they can. */
export function readPayload(bytes) {
    const header = readPayloadHeader(bytes);
    if (header?.format !== PAYLOAD_FORMAT || !Array.isArray(header.arrays)) {
        throw new Error(`${PAYLOAD_DAMAGED}: it does not begin as an isograd run does.`);
    }
    if (header.version !== PAYLOAD_VERSION) {
        throw new Error(
            `This page's record of the run has version ${header.version}; ` +
                `this page reads version ${PAYLOAD_VERSION}.`,
        );
    }
    const arrays = {};
    for (const place of header.arrays) {
        arrays[place.name] = readPayloadArray(bytes, place);
    }
    if (!arrays.text_at && Array.isArray(header.texts)) {
        arrays.text_at = Int32Array.from(header.texts.keys()); // all documents, in their order
    }
    return {header, arrays};
}

function readPayloadHeader(bytes) {
    try {
        const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
        const text = bytes.subarray(4, 4 + length);
        return text.length === length
            ? JSON.parse(new TextDecoder("utf-8", {fatal: true}).decode(text))
            : null;
    } catch {
        return null;
    }
}

function readPayloadArray(bytes, {name, type, length, offset}) {
    const Type = Object.hasOwn(PAYLOAD_TYPES, type) ? PAYLOAD_TYPES[type] : null;
    const isPlace = [length, offset].every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!Type || !isPlace || offset + length * Type.BYTES_PER_ELEMENT > bytes.length) {
        throw new Error(`${PAYLOAD_DAMAGED}: it lacks the numbers called ${JSON.stringify(name)}.`);
    }
    const at = bytes.byteOffset + offset;
    if (at % Type.BYTES_PER_ELEMENT === 0) {
        return new Type(bytes.buffer, at, length);
    }
    return new Type(bytes.slice(offset, offset + length * Type.BYTES_PER_ELEMENT).buffer);
}
