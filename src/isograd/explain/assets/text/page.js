// What the page's frame says: the hero, the bar, the inspector, the receipt, the comparison, the
// console. Acts have files of their own.
export const pageText = {
    brand: "isograd explain",
    heroTitle: "One run, every number of it.",
    heroLead: "A small language model read {documents} {data} and learned to write its own. " +
        "This page replays that training here, in your browser, and opens every number it made.",
    heroWeights: "All {n} numbers that it learned, a pixel each",
    heroTied: "`wte` and `wpe` turn a letter and its place into numbers; `wte` also turns numbers " +
        "back into a score for each letter, as this run ties the two. Act 3 shows the others.",
    heroParts: "`wte` and `wpe` turn a letter and its place into numbers; `lm_head` turns " +
        "numbers back into a score for each letter. Act 3 shows the others.",
    fieldGo: "Go to weight",
    fieldNone: "There is no such weight. Write a matrix, a row (a number, or a letter for wte " +
        "and lm_head) and a column: wte[4][0], wte e 0, fc1[3][5] or layer0.mlp_fc1[3][5].",
    damaged: "The run inside this file is not what was written: it was changed or damaged. Press " +
        "Verify to see from which step on.",
    heroSamples: "What it wrote after training",
    heroHint: "Underlined numbers open. Each shows what it was computed from, down to the last " +
        "bit, and leads on. Nothing here is made up, and no request leaves this page.",
    printed: "These pages show step {step} of {steps}. Numbers are rounded; on the page itself each " +
        "opens to its last bit. Answers stand upside down below the questions.",
    contents: "Contents",
    contains: "This file contains all documents of the data, as text.",
    withheld: "Documents were left out of this file, but for those that the steps used.",
    inspectorEmpty: "This link leads to a number that this run does not have.",
    drawing: "Lay the probabilities of all letters end to end. The random number says where on " +
        "that line the pin lands.",
    stretches: "Each draw, times the total (1, but for rounding), falls into its letter's " +
        "stretch. The stretch is as long as the letter is probable.",
    greedy: "Nothing is drawn: the largest logit wins.",
    movedDown: "In step {step} it moved by {change}: down, because the running mean of its " +
        "gradients is above 0, once this step's is taken in: {mean}, corrected. A positive " +
        "gradient says that a larger weight means a larger loss.",
    movedUp: "In step {step} it moved by {change}: up, because the running mean of its " +
        "gradients is below 0, once this step's is taken in: {mean}, corrected. A negative " +
        "gradient says that a larger weight means a smaller loss.",
    decayed: "Weight decay had made {decayed} of {before} first.",
    validation: "The mean loss of {judging} documents that no step learned from, with the weights as " +
        "they were then.",
    notReplayed: "This number was recorded with the run. The page does not replay it, as these " +
        "documents would take longer than the training.",
    stayed: "In step {step} it stayed where it was.",
    exception: "Made on another machine, a few results of `exp`, `log` and `**` may differ in " +
        "their last bit. This run recorded where its own library rounds differently from the " +
        "exact result.",
    receiptTitle: "The receipt",
    receiptLead: "Do not believe this page. Let it prove itself.",
    receiptPlain: "Press Verify and the page trains the model again, from the first random " +
        "number to the last name. After each step it compares what it got with what the " +
        "computer got that made this file. It is like adding up a shop's receipt yourself: " +
        "one wrong digit anywhere and the total is off. It does not prove who made the file, or " +
        "when.",
    receiptTechnical: "The worker seeds Python's Mersenne Twister, shuffles the order, draws " +
        "the weights, and replays forward, backward and Adam with the same operations in the " +
        "same order. It compares each loss, a 64-bit digest of all weights after each step, " +
        "each keyframe (a step whose whole state the file keeps) and the samples. `exp`, " +
        "`log` and `**` are correctly rounded here; where the recording machine's libm was not, " +
        "and that shows in any of these, the file lists the difference. This proves that " +
        "the numbers follow from the seed, the options and the documents. It does not prove who " +
        "made the file, or when. The same command makes the same file again on the same machine, " +
        "byte for byte, so nobody needs to trust this page's own program.",
    receiptValidation: "The validation losses are no part of this: they were recorded, and no " +
        "step depends on them but the last and the one whose weights were kept. That these two " +
        "follow from the recorded losses is checked.",
    receiptBefore: "Nothing has been replayed yet.",
    compareTitle: "Compare two runs",
    compareLead: "Two runs, side by side, to the first number that differs.",
    comparePlain: "Change one thing, train again, and drop the new page here. You see which " +
        "settings differ, then the very first number that was not the same, like the word where " +
        "two copies of a letter begin to differ, and then how the losses run apart.",
    compareTechnical: "Both runs are replayed in step until weights, then losses, differ in a " +
        "bit. `isograd explain --compare other.html` builds the second run in. The page dropped " +
        "here is read as text; nothing in it is executed.",
    compareHeads: ["What was done differently", "The first number that differs",
        "Losses, smoothed"],
    compareCause: {
        Options: "The same data, another {names}.",
        Data: "The same options, other data.",
        Both: "Other data, and another {names}.",
        Machine: "The same options and data, recorded with another {names}.",
        Nothing: "Nothing differs: the same options, the same data.",
    },
    compareEqual: "None: the runs are equal, bit for bit.",
    compareOrder: "Compared in this order: the model's size, its letters, the drawn weights; " +
        "then step by step the documents, the loss, the weights after it; at last the samples.",
    compareSmooth: "Each point is the mean of the last {window} losses, as in act 4.",
    compareBuilt: "the run that --compare built in",
    compareOther: "Recorded: ",
    consoleTitle: "In the console",
    consoleLead: "The same answers for programs: open your browser's console and type.",
    consoleNote: "Steps count from 1. Each number comes as `{value, hex}`, where `hex` is what " +
        "Python's `float.hex()` writes. All functions return promises.",
};
