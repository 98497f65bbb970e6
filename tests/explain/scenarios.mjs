// What the tests do on an open page. Each takes the page and its arguments, and returns plain data.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Waits until the page stands: "true", or "failed" and the sentence that it shows. */
export async function opened(page) {
    // By the clock: Firefox may give a busy machine's page no frame to draw.
    await page.waitForFunction(() => document.documentElement.dataset.ready,
        {timeout: 100_000, polling: 100});
    return page.evaluate(() => ({
        ready: document.documentElement.dataset.ready,
        says: document.querySelector("[role=alert]")?.textContent || "",
        title: document.title,
    }));
}

async function seen(page) {
    // Widgets begin when they come near the screen; most are done when nothing is busy any more.
    await page.evaluate(async () => {
        for (let y = 0; y < document.documentElement.scrollHeight; y += 400) {
            window.scrollTo({top: y, behavior: "instant"});
            await new Promise((resolve) => setTimeout(resolve, 60));
        }
    });
    await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"),
        {timeout: 120_000, polling: 200});
}

/** Replays the run by the console's function. */
export async function verify(page) {
    await opened(page);
    return page.evaluate(async () => {
        const start = performance.now(), progress = [];
        const result = await window.isograd.verify((now) => progress.push(now));
        return {...result, seconds: (performance.now() - start) / 1000, reports: progress.length};
    });
}

/** The answers of console functions: calls is [[name, ...arguments], ...]. */
export async function answers(page, {calls}) {
    await opened(page);
    return page.evaluate(async (asked) => {
        const found = [];
        for (const [name, ...rest] of asked) {
            found.push(await window.isograd[name](...rest));
        }
        return found;
    }, calls);
}

/** Every number of the page with its reference, once each, and those that stand outside of one. */
export async function numbers(page) {
    await opened(page);
    await seen(page);
    return page.evaluate(() => {
        const found = {};
        for (const element of document.querySelectorAll("[data-ref]")) {
            const {ref, hex, formula} = element.dataset;
            (found[ref] ||= []).push([hex, formula || "", element.closest("section")?.id || ""]);
        }
        return found;
    });
}

/** What the page computed by itself, as [formula, Python text, bits], once each. */
export async function computed(page) {
    await opened(page);
    await seen(page);
    return page.evaluate(() => {
        const found = new Map();
        for (const button of document.querySelectorAll("#act2 .button")) {
            for (let i = 0; i < 3 && ["Next", "One step"].includes(button.textContent); i++) {
                button.click();
            }
        }
        for (const element of document.querySelectorAll("[data-ref=derived], [data-ref=typed]")) {
            const {hex, formula} = element.dataset;
            const text = element.python();
            found.set(text, [formula, text, hex]);
        }
        return [...found.values()];
    });
}

/** How many elements a selector finds, after everything has been seen. */
export async function elements(page, {selector}) {
    await opened(page);
    await seen(page);
    return page.evaluate((what) => document.querySelectorAll(what).length, selector);
}

/** What axe has to say, with everything seen, in a theme; the inspector is open if `at` says so. */
export async function axe(page, {theme}) {
    await opened(page);
    await page.evaluate((name) => {
        document.documentElement.dataset.theme = name;
    }, theme);
    await seen(page);
    // By the driver's own way into the page: the page's policy lets no script in.
    await page.evaluate(readFileSync(axePath, "utf-8") + "; undefined");
    return page.evaluate(async () => {
        const {violations} = await window.axe.run(document, {resultTypes: ["violations"]});
        return violations.map(({id, impact, nodes}) => ({
            id, impact, count: nodes.length, first: nodes[0].html.slice(0, 300),
            why: nodes[0].failureSummary,
        }));
    });
}

/** Times in milliseconds: first paint, steps far apart, the inspector; the longest blocked frame. */
export async function times(page, {steps, refs}) {
    await opened(page);
    return page.evaluate(async (asked, opening) => {
        const blocked = [], found = {steps: [], inspector: []};
        if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
            new PerformanceObserver((list) => {
                list.getEntries().forEach((entry) => blocked.push(entry.duration));
            }).observe({type: "longtask"});
        }
        const paint = performance.getEntriesByName("first-contentful-paint")[0];
        found.paint = paint ? paint.startTime : null;
        for (const k of asked) {
            const start = performance.now();
            await window.isograd.step(k);
            await window.isograd.weight("wte", 0, 0, k);
            found.steps.push(performance.now() - start);
        }
        await window.isograd.verify();
        found.blocked = Math.max(0, ...blocked);
        for (const ref of opening) {
            const start = performance.now();
            location.hash = `#at=${ref}`;
            const panel = document.getElementById("inspector");
            while (panel.hidden || !panel.textContent.includes(ref.split("/")[0]) ||
                panel.querySelector("[aria-busy=true]")) {
                await new Promise((resolve) => setTimeout(resolve, 2));
                if (performance.now() - start > 5000) {
                    break;
                }
            }
            found.inspector.push(performance.now() - start);
        }
        return found;
    }, steps, refs);
}

/** The inspector's text at a fragment, and again after the page is loaded anew. */
export async function reloaded(page) {
    const look = async () => {
        await opened(page);
        await page.waitForFunction(() => {
            const panel = document.getElementById("inspector");
            return !panel.hidden && !panel.querySelector("[aria-busy=true]");
        }, {polling: 100});
        return page.evaluate(() => [location.hash, document.getElementById("inspector").innerText]);
    };
    const before = await look();
    await page.reload();
    return [before, await look()];
}

/** A picture of the page, for eyes. */
export async function picture(page, {path, theme, act}) {
    await opened(page);
    await page.evaluate((name) => {
        document.documentElement.dataset.theme = name;
    }, theme || "light");
    await seen(page);
    await page.evaluate(() => {
        document.getElementById("bar").style.position = "static"; // not across the picture
    });
    const element = act ? await page.$(`#${act}`) : null;
    await (element || page).screenshot({path, fullPage: !element});
    return path;
}

/** Presses `key` until the focus is where `there` (a selector) says; how often that took. */
async function pressUntil(page, key, there, most = 400) {
    for (let n = 1; n <= most; n++) {
        await page.keyboard.press(key);
        if (await page.evaluate((what) => document.activeElement.matches(what), there)) {
            return n;
        }
    }
    throw new Error(`${key} never reaches ${there}`);
}

/** What the inspector shows, once it stands: the number, whether it has the focus, and its place. */
async function inspected(page, ref) {
    await page.waitForFunction((at) => {
        const panel = document.getElementById("inspector");
        return location.hash.includes(`at=${at}`) && panel.contains(document.activeElement) &&
            panel.querySelector("#inspected") && !panel.querySelector("[aria-busy=true]");
    }, {timeout: 30_000, polling: 50}, ref);
    return page.evaluate(() => document.getElementById("inspected").textContent);
}

/** By keyboard alone: from a loss to a weight, to its history, and back again. */
export async function keyboard(page) {
    await opened(page);
    const found = {tabs: [await pressUntil(page, "Tab", "main [data-ref^='loss/']")]};
    await page.keyboard.press("Enter");
    found.loss = await inspected(page, "loss/");
    found.close = await pressUntil(page, "Tab", "#inspector .close", 9);
    found.tabs.push(await pressUntil(page, "Tab", "#inspector [data-ref^='weight/']", 20));
    await page.keyboard.press("Enter");
    found.weight = await inspected(page, "weight/");
    await page.waitForSelector("#inspector .history [role=slider]", {timeout: 30_000});
    found.tabs.push(await pressUntil(page, "Tab", "#inspector .history [role=slider]", 40));
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => location.hash.includes("step=999"),
        {timeout: 30_000, polling: 50});
    found.history = await inspected(page, "weight/999/");
    for (const ref of ["weight/", "loss/"]) {
        await pressUntil(page, "Tab", "#inspector [aria-label='Back in the inspector']", 30);
        await page.keyboard.press("Enter");
        found.back = await inspected(page, ref);
    }
    await page.keyboard.press("Escape");
    found.ends = await page.evaluate(() => [document.getElementById("inspector").hidden,
        document.activeElement.dataset.ref]);
    return found;
}

/** How far, in pixels, numbers move on the screen while the inspector opens and closes. */
export async function places(page, {count}) {
    await opened(page);
    await seen(page);
    const moved = [];
    for (let i = 1; i <= count; i++) {
        moved.push(await page.evaluate(async (share) => {
            const all = [...document.querySelectorAll("main .num")]
                .filter((one) => one.checkVisibility());
            const number = all[Math.floor(share * (all.length - 1))];
            const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
            window.dispatchEvent(new Event("wheel")); // as a reader's hand would
            number.scrollIntoView({block: "center", behavior: "instant"});
            await pause(100);
            const y = () => number.getBoundingClientRect().y;
            window.scrollBy({top: y() - window.innerHeight / 3, behavior: "instant"});
            await pause(400);
            const before = y();
            number.click();
            await pause(700);
            const open = y();
            document.querySelector("#inspector .close").click();
            await pause(700);
            return [open - before, y() - before];
        }, i / (count + 1)));
    }
    return moved;
}

/** Moves the mouse, or a finger, over an element from one share of its width to another. */
async function drag(page, selector, from, to, finger) {
    const box = await (await page.$(selector)).boundingBox();
    const at = (share) => [box.x + 8 + share * (box.width - 16), box.y + box.height / 2];
    const hand = finger ? page.touchscreen : page.mouse;
    const [press, move, release] = finger ? ["touchStart", "touchMove", "touchEnd"]
        : ["down", "move", "up"];
    if (finger) {
        await hand[press](...at(from));
    } else {
        await hand.move(...at(from));
        await hand[press]();
    }
    for (let i = 1; i <= 30; i++) {
        await hand[move](...at(from + (to - from) * i / 30));
        await new Promise((resolve) => setTimeout(resolve, 16));
    }
    await hand[release]();
    await new Promise((resolve) => setTimeout(resolve, 600));
}

/** Drags the step's slider and a point of the loss: the steps that came of it, in order, with the
 * longest time for which nothing else could happen. */
export async function dragged(page, {finger}) {
    await opened(page);
    await seen(page);
    await page.evaluate(() => {
        const seenSteps = [], blocked = [0];
        if (PerformanceObserver.supportedEntryTypes.includes("longtask")) {
            new PerformanceObserver((list) => list.getEntries().forEach((entry) =>
                blocked.push(entry.duration))).observe({type: "longtask"});
        }
        setInterval(() => {
            const {ariaValueText} = document.querySelector(".step-slider");
            const step = Number(/\d+/.exec(ariaValueText)[0]);
            if (seenSteps.at(-1) !== step) {
                seenSteps.push(step);
            }
        }, 20);
        window.watched = {seenSteps, blocked};
        document.querySelector("#act4 .plot-frame").scrollIntoView({block: "center",
            behavior: "instant"});
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await drag(page, ".step-slider", 1, 0.2, finger);
    const slid = await page.evaluate(() => [document.querySelector(".step-field").value,
        location.hash]);
    await drag(page, "#act4 .plot-frame", 0.3, 0.6, finger);
    return page.evaluate((slider) => ({slider, steps: window.watched.seenSteps,
        plot: document.querySelector(".step-field").value,
        selected: String(getSelection()), blocked: Math.max(...window.watched.blocked)}), slid);
}

/** Opens a sample by its name; what the figure of act 5 shows then, and after another draw. */
export async function namedSample(page, {name}) {
    await opened(page);
    await seen(page);
    const shown = async () => {
        await page.evaluate(() => {
            window.dispatchEvent(new Event("wheel")); // as a reader's hand would
            document.querySelector("[data-drawn]").scrollIntoView({behavior: "instant"});
        });
        await new Promise((resolve) => setTimeout(resolve, 400));
        await page.waitForFunction(() => !document.querySelector("[data-drawn] [aria-busy=true]") &&
            !document.querySelector("#inspector [aria-busy=true]"), {polling: 50});
        return page.evaluate(() => {
            const place = document.querySelector("[data-drawn]");
            const hex = (cell) => cell.querySelector("[data-hex]")?.dataset.hex || "0x0.0p+0";
            const [, , , from, to] = place.querySelector("tr.hit").children;
            return {inspected: document.getElementById("inspected").textContent,
                says: place.querySelector(".above").textContent,
                pressed: [...place.querySelectorAll("[aria-pressed=true]")].map((one) =>
                    one.textContent),
                pin: place.querySelector(".said [data-ref=derived]").dataset.hex,
                from: hex(from), to: hex(to)};
        });
    };
    const found = [];
    for (const [selector, i] of [[".sample-name", name],
        ["#inspector .letters-drawn td:nth-child(2) .num", 1]]) {
        await page.evaluate((what, n) => document.querySelectorAll(what)[n].click(), selector, i);
        found.push(await shown());
    }
    return found;
}

/** The numbers in cells of attention: [text, contrast, contrast of the cell with an empty one]. */
export async function cells(page, {theme}) {
    await opened(page);
    await page.evaluate((name) => {
        document.documentElement.dataset.theme = name;
    }, theme);
    await seen(page);
    return page.evaluate(() => {
        const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const light = (colour) => {
            pen.fillStyle = colour;
            pen.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((x) =>
                x / 255 <= 0.03928 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const empty = light(getComputedStyle(document.documentElement).getPropertyValue("--sunk"));
        return [...document.querySelectorAll(".pale .cell[data-ref]")].map((cell) => {
            const {color, backgroundColor} = getComputedStyle(cell);
            const own = light(backgroundColor);
            return [cell.textContent || cell.dataset.hint || "", contrast(light(color), own),
                contrast(own, empty)];
        });
    });
}

/** What a gradient's contributions say, as added and the largest first: their numbers, their bits. */
export async function contributions(page) {
    await opened(page);
    const items = () => page.evaluate(() => {
        document.querySelector("#inspector .steps-list + .button")?.click();
        return [...document.querySelectorAll("#inspector .steps-list li:has(.share)")].map((one) => [
            one.querySelector(".count").textContent,
            one.querySelector("[data-ref*='/part/']").dataset.hex]);
    });
    await page.waitForSelector("#inspector .share", {timeout: 30_000});
    const added = await items();
    await page.evaluate(() => document.querySelectorAll("#inspector .segmented input")[1].click());
    return [added, await items()];
}

/** What stands on paper, without anybody having scrolled: visible texts by selector; the PDF. */
export async function printed(page, {selectors, path}) {
    await opened(page);
    await page.waitForFunction(() => document.querySelectorAll(".solution").length > 5,
        {polling: 100});
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await page.emulateMediaType("print");
    const found = await page.evaluate((wanted) => Object.fromEntries(wanted.map((selector) =>
        [selector, [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility())
            .map((one) => one.textContent)])), selectors);
    await page.emulateMediaType(null);
    await page.pdf({path, format: "A4", preferCSSPageSize: true});
    return found;
}

/** What the comparison with another run says, heading by heading. */
export async function compared(page) {
    await opened(page);
    await page.waitForSelector(".comparison .proof", {timeout: 60_000});
    return page.evaluate(() => [...document.querySelectorAll(
        ".comparison h3, .comparison .proof, .comparison .stack > .table-frame th[scope=row]")]
        .map((one) => one.textContent));
}

/** The inspector's text at a fragment. */
export async function inspectorText(page) {
    await opened(page);
    await page.waitForSelector("#inspected", {timeout: 30_000});
    return page.evaluate(() => document.getElementById("inspector").textContent);
}

/** Where "Go to weight" leads: the address's fragment, and what is said if it leads nowhere. */
export async function weightsNamed(page, {texts}) {
    await opened(page);
    const found = [];
    for (const text of texts) {
        await page.evaluate(() => {
            document.querySelector(".go-to-weight input").value = "";
        });
        await page.type(".go-to-weight input", text);
        await page.keyboard.press("Enter");
        found.push(await page.evaluate(() => [window.location.hash,
            document.querySelector(".go-to-weight [role=status]").textContent]));
    }
    return found;
}
