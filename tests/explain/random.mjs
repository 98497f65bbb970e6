// node random.mjs SEED WEIGHTS: what test_core_mersenne.py draws from random.Random, a line each.
// node random.mjs SEED null N: a shuffle of N numbers.

import {PythonRandom} from "../../src/isograd/explain/assets/core/mersenne.js";
import {hexOf} from "../../src/isograd/explain/assets/core/numbers.js";
import {Libm} from "../../src/isograd/explain/assets/core/rounded.js";

const [seed, weightsText, size] = process.argv.slice(2);
const rng = new PythonRandom(seed, new Libm({arrays: {}}));

function shuffled(n) {
    const array = Int32Array.from({length: n}, (_, i) => i);
    rng.shuffle(array);
    return array.join(" ");
}

/** Draws an index, and checks how that is explained. */
function chosen(weights) {
    const {index, draw, total, cumulated} = rng.choicesTrace(weights);
    const above = cumulated.findIndex((sum) => sum > draw * total);
    return above === index ? index : `${index}, which the trace does not explain`;
}

function lines(allWeights) {
    const drawn = [];
    for (let turn = 0; turn < 400; turn++) {
        for (let i = 0; i < turn % 3; i++) {
            drawn.push(hexOf(rng.random()));
        }
        drawn.push(hexOf(rng.gauss(0, 0.08)), shuffled(turn % 50));
        const weights = allWeights[turn % allWeights.length];
        drawn.push(turn % 2 ? chosen(weights) : rng.choices(weights.length, weights));
    }
    return drawn.join("\n");
}

const allWeights = JSON.parse(weightsText);
process.stdout.write(allWeights ? lines(allWeights) : shuffled(Number(size)));
