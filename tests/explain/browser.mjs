// Opens pages in a browser, offline, from their files, and does with each what it is told.
//
//     node browser.mjs chrome|firefox PATH-OF-THE-BROWSER < JOBS
//
// JOBS is JSON: [{page: path, scenario: name, args: {..}}]. Prints one line of JSON for each:
// {answer} or {error}, with `console`, what the page complained of, and `requests`, all it fetched.
import process from "node:process";
import {setTimeout as pause} from "node:timers/promises";
import {pathToFileURL} from "node:url";
import puppeteer from "puppeteer-core";
import * as scenarios from "./scenarios.mjs";

const ATTEMPTS = 3;
const [kind, executablePath] = process.argv.slice(2);

async function read(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf-8");
}

function launch() {
    return puppeteer.launch({
        browser: kind,
        executablePath,
        headless: true,
        timeout: 120_000, // a busy machine starts a browser slowly
        protocolTimeout: 300_000,
        // A container's root user has no sandbox to give.
        args: kind === "chrome" ? ["--no-sandbox"] : [],
    });
}

/** Chromium closes its first tab by itself. In Firefox, new ones may not answer on a busy machine. */
async function tab(browser) {
    const page = kind === "chrome" ? await browser.newPage() : (await browser.pages())[0];
    page.setDefaultTimeout(120_000);
    return page;
}

async function open(page, job, number) {
    const size = {width: job.width || 1280, height: job.height || 900};
    // The number loads a page anew where only the fragment is another.
    const url = `${pathToFileURL(job.page).href}?${number}${job.fragment || ""}`;
    const late = new AbortController();
    await Promise.race([
        page.setViewport(size).then(() => page.goto(url)),
        pause(60_000, null, {signal: late.signal}).then(() => {
            throw new Error(`${url} did not open`);
        }),
    ]).finally(() => late.abort());
}

/** What the page answers and complains of; `lost` if the browser did not even open it. */
async function run(browser, job, number) {
    const page = await tab(browser);
    const complaints = [], requests = [];
    const listeners = {
        console: (message) => {
            if (message.type() === "error" || message.type() === "warn") {
                complaints.push(message.text());
            }
        },
        pageerror: (error) => complaints.push(String(error)),
        request: (request) => requests.push(request.url().slice(0, 200)),
    };
    for (const [event, listener] of Object.entries(listeners)) {
        page.on(event, listener);
    }
    const outcome = {console: complaints, requests, lost: true};
    try {
        await open(page, job, number);
        outcome.lost = false;
        outcome.answer = await scenarios[job.scenario](page, job.args || {});
    } catch (error) {
        outcome.error = String(error.stack || error);
    }
    for (const [event, listener] of Object.entries(listeners)) {
        page.off(event, listener);
    }
    if (kind === "chrome" && !outcome.lost) {
        await page.close();
    }
    return outcome;
}

let browser = null;
try {
    for (const [number, job] of JSON.parse(await read(process.stdin)).entries()) {
        let outcome = {lost: true};
        for (let attempt = 0; outcome.lost && attempt < ATTEMPTS; attempt++) {
            browser ||= await launch();
            outcome = await run(browser, job, number);
            if (outcome.lost) {
                browser.process().kill("SIGKILL");
                browser = null;
            }
        }
        console.log(JSON.stringify(outcome));
    }
} finally {
    await browser?.close();
}
