// Python in WebAssembly: installs wheels there, as a page does, and runs in_pyodide.py.
//
// node check_pyodide.mjs PACKAGE WHEELS TINY.json: the npm package pyodide, the wheels of isograd, of
// micropip and of what they need, and a record of tests/golden. Ends as in_pyodide.py says.

import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, wheels, record] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(resolve(folder), "pyodide.mjs")));
const python = await loadPyodide();
const bytes = (path) => new Uint8Array(readFileSync(path)); // Pyodide knows no Buffer

const names = readdirSync(wheels).filter((name) => name.endsWith("-none-any.whl"));
for (const name of names) python.FS.writeFile(`/tmp/${name}`, bytes(join(wheels, name)));
python.unpackArchive(bytes(join(wheels, names.find((name) => name.startsWith("micropip-")))), "wheel");
const files = names.filter((name) => !name.startsWith("micropip-")).map((name) => `emfs:/tmp/${name}`);

// Pyodide's own collection has it, on a server that is not asked here.
await python.runPythonAsync("import micropip; micropip.add_mock_package('safetensors', '0.7.0')");
await python.pyimport("micropip").install(files);
python.globals.set("record", readFileSync(record, "utf8"));
const program = readFileSync(new URL("in_pyodide.py", import.meta.url), "utf8");
process.exitCode = python.runPython(program);
