// What pictures.js computes by itself, for test_page_pictures.py: JSON in, JSON out.
import {readFileSync} from "node:fs";
import {
    alongAxis, fill, principalAxes, rootMeanSquare, runningMean, telling,
} from "../../src/isograd/explain/assets/page/pictures.js";

const {data, rows, columns, values, window, text, words, pair} =
    JSON.parse(readFileSync(0, "utf-8"));
const axes = principalAxes(Float64Array.from(data), rows, columns);
const places = Array.from({length: rows}, (_, r) => axes.axes.map((axis) => {
    const row = Float64Array.from(data).subarray(r * columns, (r + 1) * columns);
    const {value, formula} = alongAxis(row, axes.mean, axis);
    return {value, formula: formula()};
}));
console.log(JSON.stringify({
    ...axes, places, means: [...runningMean(Float64Array.from(values), window)],
    size: rootMeanSquare(Float64Array.from(values)), filled: fill(text, words),
    digits: telling(...pair).digits,
}));
