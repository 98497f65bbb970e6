// A number's formula, once with numbers that open and once in Python. Each Python text ends by
// printing float.hex of the number, so it can be compared in every bit.
import {hexOf, reprOf} from "../core/numbers.js";
import {stepsAt} from "../core/rates.js";
import {h, num} from "./kit.js";
import {ratePython, squares} from "./schedule.js";
import {run} from "./state.js";

const SIGNS = {"+": " + ", "*": " \u00d7 "};

/** What the reference computes for the local gradient of `node`'s child number j, in words. */
export function localRule(node, j) {
    const other = j === 0 ? "second" : "first";
    const rules = {
        "+": "1: a sum grows as fast as its term",
        "*": `the ${other} factor: a product grows that much faster`,
        "**": `n x\u207f\u207b\u00b9 with n = ${exponentText(node.exponent ?? 0)}`,
        "log": "1 / x",
        "exp": "the result itself",
        "relu": "1 where x is positive, else 0",
    };
    return rules[node.operation] || "";
}

/** A number of a node as a button. */
export function nodeNum(k, id, which, value, options) {
    return num(value, `node/${k}/${id}/${which}`, options);
}

/** `node`'s data from its children: nodes for the page. */
export function dataFormula(k, node) {
    const of = (i) => nodeNum(k, node.children[i].id, "data", node.children[i].data);
    const result = [" = ", nodeNum(k, node.id, "data", node.data)];
    switch (node.operation) {
    case "+": case "*":
        return [of(0), SIGNS[node.operation], of(1), result];
    case "**":
        return [of(0), h("sup", null, exponentText(node.exponent)), result];
    case "relu":
        return ["max(0, ", of(0), ")", result];
    case "log": case "exp":
        return [node.operation, "(", of(0), ")", result];
    default:
        return null;
    }
}

function fromHexText(value) {
    return `float.fromhex("${hexOf(value)}")`;
}

/** An exponent as the reference writes it: -1, -0.5. */
export function exponentText(exponent) {
    return Number.isInteger(exponent) ? String(exponent) : reprOf(exponent);
}

/** A Python text that prints `node`'s data from its children's. */
export function dataPython(node) {
    const names = node.children.length === 2 ? ["a", "b"] : ["x"];
    const given = node.children.map((child, i) => `${names[i]} = ${fromHexText(child.data)}`);
    const results = {
        "+": "a + b", "*": "a * b", "**": `x**${exponentText(node.exponent)}`, "log": "math.log(x)",
        "exp": "math.exp(x)", "relu": "float(max(0, x))",
    };
    if (!(node.operation in results)) {
        return `print((${reprOf(node.data)}).hex())`;
    }
    const needsMath = node.operation === "log" || node.operation === "exp";
    return [...needsMath ? ["import math", ""] : [], ...given,
        `print((${results[node.operation]}).hex())`].join("\n");
}

/** A Python text that adds up `node`'s gradient in the order of the backward pass. */
export function gradPython(node) {
    if (node.parts.length === 0) {
        return `print((${reprOf(node.grad)}).hex())`;
    }
    return ["grad = 0", ...node.parts.map((part) => `grad += ${fromHexText(part.local)} * ` +
        fromHexText(part.grad)), "print(float(grad).hex())"].join("\n");
}

/** A Python text that prints local gradient number j of `node`. */
export function localPython(node, j) {
    const x = node.children[0].data;
    const texts = {
        "+": "print((1.0).hex())",
        "*": `print(${fromHexText(node.children[1 - j]?.data ?? x)}.hex())`,
        "**": `x, n = ${fromHexText(x)}, ${exponentText(node.exponent ?? 0)}\n` +
            "print((n * x ** (n - 1)).hex())",
        "log": `print((1 / ${fromHexText(x)}).hex())`,
        "exp": `import math\nprint(math.exp(${fromHexText(x)}).hex())`,
        "relu": `print(float(${fromHexText(x)} > 0).hex())`,
    };
    return texts[node.operation] || `print((${reprOf(node.children[j].local)}).hex())`;
}

function pythonString(text) {
    return JSON.stringify(text);
}

/** What GPTConfig and GPT are told beside the sizes. */
function modelArguments() {
    const {config: c, options: o} = run;
    return {config: (squares(c) ? ", activation=\"relu2\"" : "") +
        (c.tie_weights ? ", tie_weights=True" : ""),
    model: o.init_std === 0.08 ? "" : `, init_std=${reprOf(o.init_std)}`};
}

/** The arguments of train that are not as usual, a text each. */
function unusual(o) {
    const given = {
        schedule: o.schedule === "linear" ? null : `"${o.schedule}"`,
        warmup: o.warmup || null,
        betas: o.beta1 === 0.85 && o.beta2 === 0.99 ? null
            : `(${reprOf(o.beta1)}, ${reprOf(o.beta2)})`,
        eps: o.eps === 1e-8 ? null : reprOf(o.eps),
        weight_decay: o.weight_decay ? reprOf(o.weight_decay) : null,
        clip_norm: o.clip_norm === null ? null : reprOf(o.clip_norm),
    };
    return Object.entries(given).filter(([, value]) => value !== null)
        .map(([name, value]) => `${name}=${value}`);
}

/** The lines that train until `until` steps are done: a call of train for each stretch of a run. */
function trainPython(o, until) {
    const ends = o.extended.map(([end]) => end).filter((end) => end < until);
    const state = ends.length ? ["state=state"] : [];
    const calls = [...ends, until].map((end, i) => {
        const more = [`batch_size=${o.batch_size}`, `until=${end}`, ...unusual(o), ...state];
        return `losses ${i ? "+" : ""}= isograd.train(model, tokens, ` +
            `steps=${stepsAt(o, end)}, lr=${reprOf(o.lr)},\n` +
            `                       ${more.join(", ")})`;
    });
    return [...state.length ? ["state = isograd.TrainingState(model.num_params)"] : [], ...calls];
}

/** A Python text that trains until `until` steps are done, and then runs `last`. */
export function runPython(until, last) {
    const {config: c, options: o} = run;
    const data = / --data (?:'([^']*)'|(\S+))/.exec(run.command || "");
    const file = data ? pythonString(data[1] ?? data[2]) : "";
    const seed = o.seed;
    const more = modelArguments();
    const held = typeof o.validation === "number"
        ? [`docs, held_out = isograd.hold_out(docs, ${reprOf(o.validation)})`] : [];
    const train = until < 1 ? []
        : ["tokens = [tokenizer.encode(doc) for doc in docs]", ...trainPython(o, until)];
    return ["import random", "import isograd", "", `docs = isograd.load_docs(${file})`,
        "tokenizer = isograd.CharTokenizer(docs)", ...held,
        `rng = random.Random(${seed})`, "rng.shuffle(docs)",
        `config = isograd.GPTConfig(${c.vocab_size}, ${c.n_layer}, ${c.n_embd}, ${c.n_head}, ` +
            `${c.block_size}${more.config})`,
        `model = isograd.GPT(config, rng=rng${more.model})`, ...train, last].join("\n");
}

/** A Python text that prints the validation loss after step k. */
export function validationPython(k) {
    const {validation: of} = run.options;
    const load = typeof of === "string" ? [`held_out = isograd.load_docs(${pythonString(of)})`] : [];
    return runPython(k, [...load, "judging = [tokenizer.encode(doc) for doc in held_out]",
        "print(isograd.evaluate(model, judging).loss.hex())"].join("\n"));
}

/** A Python text that prints what the gradients of step k were multiplied with. */
function clippingPython(k) {
    const {batch_size: size, clip_norm: norm} = run.options;
    const tokens = k > 1 ? [] : ["tokens = [tokenizer.encode(doc) for doc in docs]"];
    return runPython(k - 1, [...tokens, "", "import math",
        "from isograd.reference import batch, batch_loss", "model = model.to(\"reference\")",
        `docs = batch(tokens, ${k - 1}, ${size})`,
        "batch_loss(model.state_dict(), config, docs).backward()", "total = 0.0",
        "for p in model.parameters():", "    total += p.grad * p.grad",
        "length = math.sqrt(total)", `norm = ${norm === null ? "math.inf" : reprOf(norm)}`,
        "print((norm / length if length > norm else 1.0).hex())"].join("\n"));
}

/** A Python text that prints the draw of sample i that picked its character j. */
export function drawPython(i, j) {
    const again = i < 1 ? "" : `for _ in range(${i}):\n    isograd.sample(model, tokenizer, ` +
        `rng=rng, temperature=${reprOf(run.options.temperature)})\n`;
    return runPython(run.kept, again + `for _ in range(${j + 1}):\n    x = rng.random()` +
        "\nprint(x.hex())");
}

/** A Python text that prints the logit of `token` after `tokens`, with the weights after step k. */
export function logitPython(k, tokens, token) {
    return runPython(k, ["", "from isograd.reference import empty_cache, forward",
        "weights = model.to(\"reference\").state_dict()", "keys, values = empty_cache(config)",
        `for position, token in enumerate([${tokens.join(", ")}]):`,
        "    logits = forward(weights, config, token, position, keys, values)",
        `print(logits[${token}].data.hex())`].join("\n"));
}

/** A Python text that makes probabilities of logits and prints one, or the sum up to there. */
export function softmaxPython(logits, temperature, token, cumulated) {
    const numbers = Array.from(logits, (x) => `    ${hexOf(x)}`).join("\n");
    const last = cumulated
        ? `print(list(accumulate(p.data for p in probabilities))[${token}].hex())`
        : `print(probabilities[${token}].data.hex())`;
    return [...cumulated ? ["from itertools import accumulate"] : [],
        "from isograd.reference import Value, softmax", "", `logits = """\n${numbers}\n"""`,
        "logits = [Value(float.fromhex(x)) for x in logits.split()]",
        `probabilities = softmax([x / ${reprOf(temperature)} for x in logits])`, last].join("\n");
}

/** A Python text for one part of a weight's step, from the numbers beside it. */
export function weightPython(k, name, row, column, which, w) {
    const at = `model.state_dict()[${pythonString(name)}][${row}][${column}]`;
    const hat = (moment, beta) => `print((${fromHexText(moment)} / (1 - ${reprOf(beta)}**${k})` +
        ").hex())";
    const {eps} = run.options;
    const nearest = -((w.lr * w.mHat) / (Math.sqrt(w.vHat) + eps));
    const root = Object.is(nearest, w.change) ? "sqrt(v_hat)" : "v_hat**0.5";
    const change = ["from math import sqrt", "", `lr = ${fromHexText(w.lr)}`, `m_hat = ${fromHexText(w.mHat)}`,
        `v_hat = ${fromHexText(w.vHat)}`,
        `change = -(lr * m_hat / (${root} + ${reprOf(eps)}))`,
        "print(change.hex())"].join("\n");
    const texts = {
        before: runPython(k - 1, `print(${at}.hex())`),
        after: runPython(k, `print(${at}.hex())`),
        mHat: hat(w.mHat === undefined ? 0 : w.m, run.options.beta1),
        vHat: hat(w.v, run.options.beta2),
        lr: ratePython(run.options, k),
        change,
        clipping: clippingPython(k),
        clipped: `print((${fromHexText(w.grad ?? 0)} * ${fromHexText(w.clipping ?? 1)}).hex())`,
        decayed: `print((${fromHexText(w.before ?? 0)} * (1 - ${fromHexText(w.lr ?? 0)} * ` +
            `${reprOf(run.options.weight_decay)})).hex())`,
    };
    return texts[which] || null;
}

/** A Python text for a moment: what stays of the old one and what the gradient adds. */
export function momentPython(which, before, w) {
    const beta = which === "m" ? run.options.beta1 : run.options.beta2;
    const grad = which === "m" ? "grad" : "grad**2";
    return [`before = ${fromHexText(before[which])}`, `grad = ${fromHexText(w.clipped)}`,
        `print((${reprOf(beta)} * before + (1 - ${reprOf(beta)}) * ${grad}).hex())`].join("\n");
}
