// The reader's own expression on a tape: numbers, the names a to z, + - * / **, log() exp() relu()
// and brackets, in Python's precedence. Each number is a Value of its own, as if written Value(3).

import {Tape} from "./tape.js";

const TOKEN =
    /\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|(\*\*|[-+*/()]))/y;
const FUNCTIONS = ["log", "exp", "relu"];
const LONGEST = 500; // characters

function tokensOf(text) {
    if (text.length > LONGEST) {
        throw new Error(`An expression has ${LONGEST} characters at most.`);
    }
    const end = text.trimEnd().length;
    const tokens = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < end) {
        const at = TOKEN.lastIndex;
        const match = TOKEN.exec(text);
        if (!match) {
            throw new Error(
                `There is no reading ${JSON.stringify(text.slice(at).trim()[0])} here.`,
            );
        }
        const [, number, name, sign] = match;
        tokens.push({number, name, sign, text: match[0].trim()});
    }
    return tokens;
}

/** Reads by recursive descent; each method returns the id of a node. */
class Reader {
    constructor(text, libm) {
        this.tokens = tokensOf(text);
        this.at = 0;
        this.tape = new Tape(libm);
        this.variables = new Map();
        this.tape.names = new Map(); // by id
    }

    get next() {
        return this.tokens[this.at];
    }

    /** Whether the next token is this sign; if so, it is read. */
    takes(sign) {
        const isThere = this.next?.sign === sign;
        this.at += isThere ? 1 : 0;
        return isThere;
    }

    expect(sign) {
        if (!this.takes(sign)) {
            throw new Error(`Expected ${JSON.stringify(sign)} ${this.place()}.`);
        }
    }

    place() {
        return this.next ? `before ${JSON.stringify(this.next.text)}` : "at the end";
    }

    all() {
        const root = this.sum();
        if (this.next) {
            throw new Error(`There is no reading ${JSON.stringify(this.next.text)} here.`);
        }
        return root;
    }

    sum() {
        let left = this.product();
        for (;;) {
            if (this.takes("+")) {
                left = this.tape.add(left, this.product());
            } else if (this.takes("-")) {
                left = this.tape.add(left, this.tape.negative(this.product()));
            } else {
                return left;
            }
        }
    }

    product() {
        let left = this.signed();
        for (;;) {
            if (this.takes("*")) {
                left = this.tape.multiply(left, this.signed());
            } else if (this.takes("/")) {
                const right = this.signed();
                this.check(this.tape.data[right] !== 0, "This divides by zero.");
                left = this.tape.divide(left, right);
            } else {
                return left;
            }
        }
    }

    signed() {
        if (this.takes("-")) {
            return this.tape.negative(this.signed());
        }
        return this.takes("+") ? this.signed() : this.power();
    }

    /** The exponent is a plain number, as the class demands. */
    power() {
        const base = this.atom();
        if (!this.takes("**")) {
            return base;
        }
        const exponent = this.exponent();
        const x = this.tape.data[base];
        this.check(x !== 0 || exponent >= 0, "This divides by zero.");
        this.check(
            x >= 0 || Number.isInteger(exponent),
            "A negative number to a fractional power is no real number.",
        );
        return this.tape.power(base, exponent);
    }

    exponent() {
        if (this.takes("(")) {
            const exponent = this.exponent();
            this.expect(")");
            return exponent;
        }
        if (this.takes("-")) {
            return -this.exponent();
        }
        const number = this.next?.number;
        this.check(
            number !== undefined,
            `An exponent is a plain number; there is none ${this.place()}.`,
        );
        this.at++;
        return Number(number);
    }

    atom() {
        const token = this.next;
        this.check(token, "The expression ends too early.");
        this.at++;
        if (token.number !== undefined) {
            return this.tape.constant(Number(token.number));
        }
        if (FUNCTIONS.includes(token.name)) {
            return this.call(token.name);
        }
        if (token.name !== undefined) {
            return this.variable(token.name);
        }
        this.check(token.sign === "(", `There is no reading ${JSON.stringify(token.text)} here.`);
        const inner = this.sum();
        this.expect(")");
        return inner;
    }

    call(name) {
        this.expect("(");
        const inner = this.sum();
        this.expect(")");
        const x = this.tape.data[inner];
        this.check(name !== "log" || x > 0, "The logarithm needs a number above 0.");
        const id = this.tape[name](inner);
        this.check(
            Number.isFinite(this.tape.data[id]),
            `${name} of ${x} is too large for a number.`,
        );
        return id;
    }

    /** a is 2, b is 3, and so on; the same name is the same Value. */
    variable(name) {
        this.check(/^[a-z]$/.test(name), `${JSON.stringify(name)} is no name: there are a to z.`);
        if (!this.variables.has(name)) {
            const id = this.tape.constant(name.charCodeAt(0) - "a".charCodeAt(0) + 2);
            this.variables.set(name, id);
            this.tape.names.set(id, name);
        }
        return this.variables.get(name);
    }

    check(holds, sentence) {
        if (!holds) {
            throw new Error(sentence);
        }
    }
}

/** The tape of `text`, swept backward from its result; `names` says which leaf is which name. */
export function readExpression(text, libm) {
    const reader = new Reader(text, libm);
    const root = reader.all();
    reader.tape.backward(root);
    return reader.tape;
}
