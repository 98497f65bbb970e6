// What the reader looks at, kept in the URL's fragment; and the way to the worker that knows the
// answers. `run` is the payload's header, with losses, order, textAt and validation beside it.

const DEFAULTS = {step: 1, document: 0, position: 0, voice: "both", act: "", at: "", theme: "",
    layer: 0, head: 0, weight: "", prefix: "", temperature: "", sample: "0.0"};

export const state = {...DEFAULTS};
export const run = {};
export const lines = {sites: {}, sources: {}, backward: null};

const listeners = [];
const worker = {port: null, next: 1, waiting: new Map(), answers: new Map()};
const KEPT_ANSWERS = 200;
const timer = {id: 0};

/** Calls fn(state, changed) after a change of one of `keys` (of any, if left out). */
export function subscribe(fn, keys) {
    listeners.push({fn, keys});
    return () => {
        const i = listeners.findIndex((listener) => listener.fn === fn);
        listeners.splice(i, i < 0 ? 0 : 1);
    };
}

function tell(changed) {
    for (const {fn, keys} of [...listeners]) {
        if (!keys || keys.some((key) => changed.has(key))) {
            fn(state, changed);
        }
    }
}

function clamp(value, low, high) {
    const number = Math.round(Number(value));
    return Number.isFinite(number) ? Math.min(high, Math.max(low, number)) : low;
}

/** What each counted thing may be: least and most. */
function limits() {
    const {options, config} = run;
    return options ? {step: [1, run.steps], document: [0, options.batch_size - 1],
        position: [0, config.block_size - 1], layer: [0, config.n_layer - 1],
        head: [0, config.n_head - 1]} : {};
}

function cleaned(changes) {
    const clean = {...changes};
    for (const [key, [least, most]] of Object.entries(limits())) {
        if (key in clean) {
            clean[key] = clamp(clean[key], least, most);
        }
    }
    return clean;
}

/** Changes the state, the URL and whoever listens. With {push: true}, "back" leads here again. */
export function set(changes, options = {}) {
    const clean = cleaned(changes);
    const changed = new Set(Object.keys(clean).filter((key) => state[key] !== clean[key]));
    if (changed.size === 0) {
        return;
    }
    if (options.push) {
        writeFragment(false);
    }
    Object.assign(state, clean);
    if (options.push) {
        writeFragment(true);
    } else {
        clearTimeout(timer.id);
        timer.id = setTimeout(() => writeFragment(false), 200);
    }
    tell(changed);
}

/** The state as a fragment: what is as it was at the start is left out. */
export function fragment() {
    const parts = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key])
        .map(([key, value]) => `${key}=${encodeURIComponent(value).replace(/%2F/g, "/")}`);
    return parts.length ? "#" + parts.join("&") : "#";
}

function writeFragment(push) {
    clearTimeout(timer.id);
    const now = fragment();
    if (now === (location.hash || "#")) {
        return;
    }
    try {
        history[push ? "pushState" : "replaceState"](null, "", now);
    } catch {
        return; // inside a notebook's frame there is no URL of one's own
    }
}

/** The state that the URL asks for. */
export function readFragment() {
    const wanted = {...DEFAULTS, step: run.steps ?? 1};
    for (const part of location.hash.slice(1).split("&")) {
        const [key, value] = [part.split("=")[0], part.slice(part.indexOf("=") + 1)];
        if (key in DEFAULTS) {
            try {
                wanted[key] = decodeURIComponent(value);
            } catch {
                continue;
            }
        }
    }
    return cleaned(wanted);
}

function followUrl() {
    clearTimeout(timer.id);
    const wanted = readFragment();
    const changed = new Set(Object.keys(wanted).filter((key) => state[key] !== wanted[key]));
    Object.assign(state, wanted);
    if (changed.size) {
        tell(changed);
    }
}

function receive({data}) {
    const question = worker.waiting.get(data.id);
    if (!question) {
        return;
    }
    if ("progress" in data) {
        question.onProgress?.(data.progress);
        return;
    }
    worker.waiting.delete(data.id);
    if ("error" in data) {
        question.reject(new Error(data.error));
    } else {
        question.resolve(data.answer);
    }
}

/** A question to the worker; a Promise of its answer, with .abandon(). */
export function askNow(name, args, onProgress) {
    const id = worker.next++;
    const promise = new Promise((resolve, reject) => {
        worker.waiting.set(id, {resolve, reject, onProgress});
        worker.port.postMessage({id, ask: name, args});
    });
    promise.abandon = () => {
        if (worker.waiting.delete(id)) {
            worker.port.postMessage({id: worker.next++, ask: "abandon", args: [id]});
        }
    };
    return promise;
}

/** The same, but an answer once given is given again. */
export function ask(name, ...args) {
    const key = name + JSON.stringify(args);
    const known = worker.answers.get(key);
    if (known) {
        worker.answers.delete(key);
        worker.answers.set(key, known);
        return known;
    }
    const promise = askNow(name, args);
    worker.answers.set(key, promise);
    promise.catch(() => worker.answers.delete(key));
    if (worker.answers.size > KEPT_ANSWERS) {
        worker.answers.delete(worker.answers.keys().next().value);
    }
    return promise;
}

function startWorker() {
    const source = document.getElementById("core").textContent;
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    worker.port = new Worker(url);
    worker.port.addEventListener("message", receive);
    worker.port.addEventListener("error", (event) => {
        for (const {reject} of worker.waiting.values()) {
            reject(new Error(event.message || "the page's worker did not start"));
        }
        worker.waiting.clear();
    });
}

/** Starts the worker and reads the run; afterwards `run`, `lines` and `state` are filled. */
export async function openRun() {
    const element = document.getElementById("payload");
    startWorker();
    Object.assign(lines, JSON.parse(document.getElementById("lines").textContent));
    const answer = await askNow("open", [element.textContent.trim(), element.dataset.sha256]);
    Object.assign(run, answer.header, {losses: answer.losses, order: answer.order,
        textAt: answer.textAt, validation: answer.validation, intact: answer.intact});
    DEFAULTS.step = run.steps;
    DEFAULTS.position = Math.min(3, run.config.block_size - 1);
    Object.assign(state, readFragment());
    window.addEventListener("popstate", followUrl);
    window.addEventListener("hashchange", followUrl);
}
