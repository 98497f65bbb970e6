export const text1 = {
    title: "Data",
    lead: "The model never sees a letter. It sees numbers, in an order that a seed decides.",
    plain: [
        "A computer cannot throw dice. It has a machine that makes numbers which look thrown. " +
        "Start that machine at the same place and it makes the same numbers again, like a music " +
        "box that always plays its tune from the first pin. The starting place is called the seed.",
        "This run's seed decided the order of the documents, the weights that the model began " +
        "with, and which letters it picked when it wrote.",
    ],
    technical: [
        "Python's `random.Random(seed)` is a Mersenne Twister with 19,937 bits of state. " +
        "`shuffle`, `gauss` and `choices` consume its draws in a fixed order, so one integer " +
        "fixes the whole run: data order, initial weights, samples.",
        "That is why the page can replay it. Without the seed, two runs of the same program " +
        "would agree on nothing but their statistics.",
    ],
    drawsTitle: "Same seed, same draws",
    drawsCaption: "The first draws between 0 and 1, in their order. The page computes them with " +
        "a Mersenne Twister of its own.",
    shuffleTitle: "The order of training",
    shufflePlain: "The documents stand in a file. Before training they are shuffled like cards, " +
        "so that the model does not read all names with A first and forget them by the time it " +
        "comes to Z.",
    shuffleTechnical: "Each step's gradient stands in for the gradient over all data. In file " +
        "order, neighbours resemble one another, and consecutive gradients would pull the same " +
        "way. The shuffle happens once; a run longer than the file goes round in the same order.",
    heldOut: "{n} documents were held out. No step reads them; the validation loss is theirs.",
    judging: "The validation loss is that of {n} documents of another file, which no step reads.",
    shuffleCaption: "Each line of the strip is a document that a step read, at its place in the " +
        "file. The bold one belongs to the step you look at.",
    tokenTitle: "From letters to ids",
    tokenPlain: "Each character gets a number, like a coat in a cloakroom. One number more, " +
        "shown as \u25cf, means \u201cedge\u201d: here a document begins, here it ends. That is " +
        "how the model learns to stop.",
    tokenTechnical: "The vocabulary is the sorted set of the file's characters, plus BOS, the " +
        "last id. BOS stands at both ends, so the model predicts the first character from it, " +
        "and it from the last. Larger models cut text into longer pieces (byte pairs); the " +
        "principle is the same: an id is a row number of `wte` and no quantity.",
    tokenCaption: "Type anything. A character that the file does not contain has no id, and no " +
        "row in the model.",
    ask: "A step reads {document}. How many characters does it try to predict, the edge included?",
    right: "From each token it predicts the next: {n} predictions in this step.",
    wrong: "Count the arrows: from \u25cf to the first character, and so on to the last \u25cf" +
        ", but at most {block} of them, the model's context.",
};
