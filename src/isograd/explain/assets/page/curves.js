// Two pictures of a slope: a tangent that can be dragged along x**2, and two balls that roll down
// a curve with two valleys, one by plain descent and one by Adam with the run's betas.
import {button, derived, h, replace, shortDecimal, slider, svg} from "./kit.js";
import {reprOf} from "../core/numbers.js";
import {printed} from "./python.js";
import {run} from "./state.js";

const WIDTH = 460;
const HEIGHT = 300;

/** A curve's picture: {x0, x1, y0, y1} in its own units. */
function curvePicture(f, box, label) {
    const px = (x) => (x - box.x0) / (box.x1 - box.x0) * WIDTH;
    const py = (y) => HEIGHT - (y - box.y0) / (box.y1 - box.y0) * HEIGHT;
    const points = Array.from({length: 161}, (_, i) => box.x0 + (box.x1 - box.x0) * i / 160);
    const path = points.map((x, i) => `${i ? "L" : "M"}${px(x).toFixed(1)},${
        py(f(x)).toFixed(1)}`).join("");
    const moving = svg("g", null);
    const picture = svg("svg", {"class": "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
        "aria-label": label},
    svg("line", {"class": "axis", x1: 0, x2: WIDTH, y1: py(0), y2: py(0)}),
    svg("line", {"class": "axis", x1: px(0), x2: px(0), y1: 0, y2: HEIGHT}),
    svg("path", {"class": "shape", d: path}), moving);
    const xOf = (event) => {
        const at = picture.getBoundingClientRect();
        const share = (event.clientX - at.left) / at.width;
        return Math.min(box.x1, Math.max(box.x0, box.x0 + (box.x1 - box.x0) * share));
    };
    return {picture, moving, px, py, xOf};
}

function pair(name, content) {
    return [h("dt", null, name), h("dd", null, content)];
}

/** The tangent on x**2. */
export function tangent() {
    const square = (x) => x * x;
    const {picture, moving, px, py, xOf} = curvePicture(square,
        {x0: -2.2, x1: 2.2, y0: -1, y1: 4.6}, "The curve of x squared and its tangent");
    const list = h("dl", {"class": "figures"});
    const show = (x) => {
        const slope = 2 * x;
        const line = (at) => x * x + slope * (at - x);
        replace(moving, svg("line", {"class": "tangent", x1: px(x - 1.1), x2: px(x + 1.1),
            y1: py(line(x - 1.1)), y2: py(line(x + 1.1))}),
        svg("circle", {"class": "ball", cx: px(x), cy: py(x * x), r: 9}));
        const nudged = (x + 0.01) * (x + 0.01) - x * x;
        const r = reprOf(x);
        replace(list, pair("x", derived(x, "you chose it", {python: () => printed(r)})),
            pair("height, x\u00b2", derived(x * x, `${r} * ${r}`)),
            pair("slope, 2x", derived(slope, `2 * ${r}`)),
            pair("x + 0.01 raises it by", derived(nudged,
                `(${r} + 0.01) * (${r} + 0.01) - ${r} * ${r}`)));
    };
    const control = slider({label: "x", min: -2.2, max: 2.2, step: 0.05, value: 1.2,
        format: (x) => shortDecimal(x, 3), onInput: show});
    const drag = (event) => {
        if (event.buttons & 1) {
            const x = Math.round(20 * xOf(event)) / 20;
            control.set(x);
            show(x);
        }
    };
    picture.addEventListener("pointerdown", (event) => {
        picture.setPointerCapture(event.pointerId);
        drag(event);
    });
    picture.addEventListener("pointermove", drag);
    show(1.2);
    return h("div", {"class": "side-by-side"}, picture,
        h("div", {"class": "stack"}, control, list));
}

const valley = {
    f: (x) => x ** 4 / 4 - x * x + x / 4,
    slope: (x) => x * x * x - 2 * x + 0.25, // no power, so that Python has the same bits
};

function newBalls(x) {
    return {plain: [x], adam: [x], m: 0, v: 0, power1: 1, power2: 1, rates: []};
}

/** One step of both. */
function roll(balls, rate) {
    const {beta1, beta2, eps} = run.options;
    const last = (list) => list[list.length - 1];
    const clamp = (x) => Math.max(-2.6, Math.min(2.6, x));
    balls.rates.push(rate);
    balls.plain.push(clamp(last(balls.plain) - rate * valley.slope(last(balls.plain))));
    const g = valley.slope(last(balls.adam));
    balls.m = beta1 * balls.m + (1 - beta1) * g;
    balls.v = beta2 * balls.v + (1 - beta2) * g * g;
    balls.power1 *= beta1;
    balls.power2 *= beta2;
    const change = rate * (balls.m / (1 - balls.power1)) /
        (Math.sqrt(balls.v / (1 - balls.power2)) + eps);
    balls.adam.push(clamp(last(balls.adam) - change));
}

/** The rates as Python lists: "[0.1] * 60 + [0.2] * 3". */
function ratesPython(rates) {
    const parts = [];
    rates.forEach((rate, i) => {
        if (i > 0 && rates[i - 1] === rate) {
            parts[parts.length - 1].count += 1;
        } else {
            parts.push({rate, count: 1});
        }
    });
    return parts.map(({rate, count}) => `[${reprOf(rate)}] * ${count}`).join(" + ") || "[]";
}

const STEP = {
    plain: ["    x -= rate * slope"],
    adam: ["    m = beta1 * m + (1 - beta1) * slope", "    v = beta2 * v + (1 - beta2) * slope * slope",
        "    power1 *= beta1", "    power2 *= beta2",
        "    x -= rate * (m / (1 - power1)) / (math.sqrt(v / (1 - power2)) + eps)"],
};

/** A Python text that rolls the ball of this kind as far as it is. */
function ballPython(kind, balls) {
    const {beta1, beta2, eps} = run.options;
    const start = kind === "plain" ? [] : ["import math", "",
        `beta1, beta2, eps = ${reprOf(beta1)}, ${reprOf(beta2)}, ${reprOf(eps)}`,
        "m, v, power1, power2 = 0.0, 0.0, 1.0, 1.0"];
    return [...start, `x = ${reprOf(balls[kind][0])}`, `for rate in ${ratesPython(balls.rates)}:`,
        "    slope = x * x * x - 2 * x + 0.25", ...STEP[kind], "    x = max(-2.6, min(2.6, x))",
        "print(x.hex())"].join("\n");
}

function ballPicture(kind, name) {
    const made = curvePicture(valley.f, {x0: -2.3, x1: 2.3, y0: -1.9, y1: 2}, name);
    const show = (xs) => replace(made.moving,
        xs.slice(-80, -1).map((x) => svg("circle", {"class": `trace ${kind}`, r: 3,
            cx: made.px(x), cy: made.py(valley.f(x))})),
        svg("circle", {"class": `ball ${kind}`, r: 10, cx: made.px(xs[xs.length - 1]),
            cy: made.py(valley.f(xs[xs.length - 1])) - 9}));
    return {...made, show};
}

/** The two balls. */
export function rollingBalls() {
    const pictures = {plain: ballPicture("plain", "Plain descent on a curve with two valleys"),
        adam: ballPicture("adam", "Adam on the same curve")};
    const control = {balls: newBalls(-0.1), rate: 0.1, left: 0, timer: 0};
    const line = h("p", {"class": "readout", role: "status"});
    const show = () => {
        const {plain, adam} = control.balls;
        pictures.plain.show(plain);
        pictures.adam.show(adam);
        const {balls} = control;
        const x = (kind, how) => derived(balls[kind][plain.length - 1], how, {digits: 3,
            python: () => ballPython(kind, balls)});
        replace(line, `After ${plain.length - 1} steps: plain descent at `, x("plain",
            "x \u2212 rate \u00d7 slope, again and again"), ", Adam at ", x("adam",
            "x \u2212 rate \u00d7 m\u0302 / (\u221av\u0302 + eps), again and again"));
    };
    const step = () => {
        roll(control.balls, control.rate);
        show();
    };
    const run60 = () => {
        clearInterval(control.timer);
        if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
            Array.from({length: 60}, () => roll(control.balls, control.rate));
            show();
            return;
        }
        control.left = 60;
        control.timer = setInterval(() => {
            step();
            control.left -= 1;
            if (control.left <= 0) {
                clearInterval(control.timer);
            }
        }, 50);
    };
    const place = (x) => {
        clearInterval(control.timer);
        control.balls = newBalls(x);
        show();
    };
    for (const {picture, xOf} of Object.values(pictures)) {
        picture.addEventListener("pointerdown", (event) => place(xOf(event)));
    }
    show();
    return [h("div", {"class": "side-by-side"},
        h("div", null, h("h4", null, "Plain descent"), pictures.plain.picture),
        h("div", null, h("h4", null, `Adam, betas ${run.options.beta1} and ${run.options.beta2}`),
            pictures.adam.picture)), line,
    h("div", {"class": "row"}, button("Roll 60 steps", run60, {"class": "button main"}),
        button("One step", step), slider({label: "start", min: -2.2, max: 2.2, step: 0.1,
            value: -0.1, format: (x) => shortDecimal(x, 2), onInput: place}),
        slider({label: "rate", min: 0.01, max: 0.6, step: 0.01, value: 0.1,
            format: (x) => x.toFixed(2), onInput: (rate) => {
                control.rate = rate;
            }}))];
}
