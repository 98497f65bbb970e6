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

async function read(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf-8");
}

/** A browser with one tab, which all jobs share: on a busy machine new ones may never answer. */
async function launch(kind, executablePath) {
    const browser = await puppeteer.launch({
        browser: kind,
        executablePath,
        headless: true,
        timeout: 120_000, // a busy machine starts a browser slowly
        protocolTimeout: 300_000,
        // A container's root user has no sandbox to give.
        args: kind === "chrome" ? ["--no-sandbox"] : [],
    });
    // Chromium closes its first tab by itself, Firefox is more likely to lose a second one.
    const page = kind === "chrome" ? await browser.newPage() : (await browser.pages())[0];
    page.setDefaultTimeout(120_000);
    return {browser, page};
}

async function open(page, job, number) {
    await page.setViewport({width: job.width || 1280, height: job.height || 900});
    // The number loads a page anew where only the fragment is another.
    const url = `${pathToFileURL(job.page).href}?${number}${job.fragment || ""}`;
    const late = new AbortController();
    await Promise.race([
        page.goto(url),
        pause(60_000, null, {signal: late.signal}).then(() => {
            throw new Error(`${url} did not open`);
        }),
    ]).finally(() => late.abort());
}

/** What the page answers and complains of; `lost` if the browser did not even open it. */
async function run(page, job, number) {
    const complaints = [], requests = [];
    page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warn") {
            complaints.push(message.text());
        }
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => requests.push(request.url().slice(0, 200)));
    const outcome = {console: complaints, requests, lost: true};
    try {
        await open(page, job, number);
        outcome.lost = false;
        outcome.answer = await scenarios[job.scenario](page, job.args || {});
    } catch (error) {
        outcome.error = String(error.stack || error);
    }
    page.removeAllListeners();
    return outcome;
}

const [kind, executablePath] = process.argv.slice(2);
let running = null;
try {
    for (const [number, job] of JSON.parse(await read(process.stdin)).entries()) {
        let outcome = {lost: true};
        for (let attempt = 0; outcome.lost && attempt < ATTEMPTS; attempt++) {
            running ||= await launch(kind, executablePath);
            outcome = await run(running.page, job, number);
            if (outcome.lost) {
                running.browser.process().kill("SIGKILL");
                running = null;
            }
        }
        console.log(JSON.stringify(outcome));
    }
} finally {
    await running?.browser.close();
}
