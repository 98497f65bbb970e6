// Opens pages in a browser, offline, from their files, and does with each what it is told.
//
//     node browser.mjs chrome|firefox PATH-OF-THE-BROWSER < JOBS
//
// JOBS is JSON: [{page: path, scenario: name, args: {..}}]. Prints one line of JSON for each:
// {answer} or {error}, with `console`, what the page complained of, and `requests`, all it fetched.
import process from "node:process";
import {pathToFileURL} from "node:url";
import puppeteer from "puppeteer-core";
import * as scenarios from "./scenarios.mjs";

async function read(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf-8");
}

async function run(page, job) {
    const complaints = [], requests = [];
    const listeners = {
        console: (message) => ["error", "warn"].includes(message.type()) &&
            complaints.push(message.text()),
        pageerror: (error) => complaints.push(String(error)),
        request: (request) => requests.push(request.url().slice(0, 200)),
    };
    Object.entries(listeners).forEach(([event, listener]) => page.on(event, listener));
    const outcome = {console: complaints, requests};
    try {
        await page.goto("about:blank"); // or another fragment of the same page would not load it anew
        await page.setViewport({width: job.width || 1280, height: job.height || 900});
        await page.goto(pathToFileURL(job.page).href + (job.fragment || ""));
        outcome.answer = await scenarios[job.scenario](page, job.args || {});
    } catch (error) {
        outcome.error = String(error.stack || error);
    }
    // These alone: the page has listeners of its own, without which Chromium's tab is lost.
    Object.entries(listeners).forEach(([event, listener]) => page.off(event, listener));
    return outcome;
}

const [kind, executablePath] = process.argv.slice(2);
const browser = await puppeteer.launch({
    browser: kind,
    executablePath,
    headless: true,
    timeout: 120_000, // a busy machine starts a browser slowly
    protocolTimeout: 300_000,
    // A container's root user has no sandbox to give.
    args: kind === "chrome" ? ["--no-sandbox"] : [],
});
try {
    // The tab that it starts with: on a busy machine one of thirty new tabs of Firefox never answers.
    const [page] = await browser.pages();
    page.setDefaultTimeout(120_000);
    for (const job of JSON.parse(await read(process.stdin))) {
        console.log(JSON.stringify(await run(page, job)));
    }
} finally {
    await browser.close();
}
