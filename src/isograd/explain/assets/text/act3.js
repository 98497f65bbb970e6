// What act 3 says. {names} are filled in with this run's numbers; `backticks` are code.
export const text3 = {
    title: "The model",
    lead: "A letter becomes a list of numbers. The list looks back at the letters before it, " +
        "thinks for itself, and turns into a guess at what comes next.",

    numbersTitle: "A letter becomes {width} numbers",
    numbersPlain: "Give each letter a card with {width} sliders on it. Nobody sets them by hand: " +
        "training moves them, a hair's breadth a step. A second card says at which place the " +
        "letter stands. Lay one card on the other and add, slider by slider.",
    numbersTechnical: [
        "`x = wte[token] + wpe[position]`, then `rmsnorm(x)`, which brings its root mean square " +
        "to 1. Attention alone knows no order, so the place has to be in the numbers. Adding " +
        "keeps the width, and in many dimensions two learned directions need not collide.",
        "A row of `wte` whose letter is not in the step's documents has gradient 0. It may still " +
        "move: Adam's mean `m` remembers earlier gradients.",
    ],
    numbersNow: "The row of {letter} in `wte`: as drawn from the seed, as step {step} used it, " +
        "and as training left it.",
    numbersSum: "What step {step} made of it. `rmsnorm` divides by the root mean square, so that " +
        "from here on only the direction counts, not the length.",

    mapTitle: "All letters as a map",
    mapPlain: "At first the letters are scattered like a spilled box of beads. Letters that " +
        "behave alike are pushed the same way, so in the end they are neighbours. Move the " +
        "slider and watch.",
    mapTechnical: "A principal component analysis, computed in this page: the rows of `wte` " +
        "minus their mean, seen along the two directions in which the final rows differ most " +
        "(eigenvectors of their covariance, by 300 rounds of power iteration). The directions " +
        "stay when the step changes, so a point that moves has moved. Near on the map need not " +
        "be near in {width} dimensions.",
    mapShare: "The two directions show {share} % of what the final rows differ by.",
    mapVowels: "Filled: the vowels {vowels}.",
    mapFewer: "The map shows the {shown} letters that are most frequent in the documents of this " +
        "page, of {all}.",
    tableTitle: "All letters as a table",
    tableCaption: "`wte` as the chosen step used it: a row for each letter, a column for each " +
        "slider.",

    attentionTitle: "What a position looks at",
    attentionPlain: "Each letter asks the letters before it a question. The question is called " +
        "`q`; everybody wears a name tag `k`. Where question and tag fit, it listens, and what " +
        "it hears is `v`. {heads} heads are {heads} ears, each with a question of its own.",
    attentionTechnical: [
        "`softmax(q . k / sqrt(head_dim))`, scores made positive with sum 1, are the weights " +
        "with which a head adds up the `v`. Why the root: a sum of D independent products of " +
        "size 1 is about sqrt(D) large. Undivided, scores grow with the width until softmax " +
        "gives everything to the largest; there its derivative w (1 - w) is almost 0, and " +
        "nothing is learned.",
        "The future is not masked here, it is not there yet: each position appends its `k` and " +
        "`v` to a list when its turn comes. Its own are in the list, so position 0 has something " +
        "to look at: itself. Heads, layers and positions count from 0, as in the code.",
    ],
    attentionHeads: "Position {position}, {letter}, looks back. Each row is a head and sums to 1.",
    attentionGrid: "Head {head}, all positions: each row looks along its columns. Hatched is the " +
        "future.",
    attentionSteps: "How head {head} gets its weights at position {position}: {dim} products " +
        "make a score, divided by sqrt({dim}) = {root}; then `exp`, with the largest score " +
        "subtracted first, and a division by the sum.",
    attentionHeaded: ["looks at", "k", "q . k", "/ sqrt({dim})", "exp", "weight"],

    streamTitle: "The residual stream",
    streamPlain: "Picture a notepad that is passed along a table. Nobody tears a page out. " +
        "Attention adds what it heard, the MLP, two matrices with " +
        "gates between, adds what it thought, and at the end of the table " +
        "somebody reads the whole pad and guesses.",
    streamTechnical: [
        "`x = x + branch(rmsnorm(x))`. The derivative of the sum with respect to `x` is 1 plus " +
        "the branch's, so the gradient reaches the bottom undiminished; without the 1 it would " +
        "be a product of all layers' derivatives, which vanishes or explodes.",
        "The norms stand inside the branches, so nothing rescales the stream itself after the " +
        "first one. The size below is the root mean square, sqrt(sum of x_i**2 / {width}).",
    ],
    streamHeads: ["", "the numbers", "size", "of gradient"],
    streamCaption: "Position {position}, {letter}, step {step}. Strips: the {width} numbers. " +
        "Bars: their size. The last column is the size of the loss's gradient with respect to " +
        "them.",

    diagramTitle: "The whole model",
    diagramPlain: "This is all of it. No part is hidden, and none is smarter than a " +
        "multiplication. Pick a part to see its size and its code.",
    diagramTechnical: "What the original leaves out of GPT-2. {dropout} Biases, and the norms' " +
        "gains: the matrices around them can do most of it. {activation} {tying}" +
        "A norm before {head}: here the size of the stream reaches the logits, so the model " +
        "can say how sure it is by it.",
    diagramRelu: "GELU: relu is simpler, its derivative is 0 or 1.",
    diagramRelu2: "GELU: this run squares what relu lets through (So et al. 2021).",
    diagramUntied: "Weight tying: `lm_head` is a matrix of its own, not `wte` again. ",
    diagramOnce: "Dropout: it fights learning by heart, and this run used no document twice.",
    diagramAgain: "Dropout: it fights learning by heart (this run used documents up to {rounds} " +
        "times).",
    diagramSum: "{total} weights in {matrices} matrices.",
    diagramNone: "No weights: pure arithmetic.",

    questionAsk: "In layer {layer}, which position did head {head} look at most when position " +
        "{position} (after {letter}) predicted {target}?",
    questionRight: "Head {head} gave it {weight} of its attention.",
    questionWrong: "It got {weight}. Look at the row of head {head} above, at position {position}.",
    questionShort: "This document has one position only, so each head can look at nothing else. " +
        "What is that weight?",
    questionShortSay: "A softmax over one score is exp(0) / exp(0): {weight}.",
};

/** What the parts of the diagram are; `sites` are names of the reference's lines. */
export const parts3 = {
    token: {name: "token", says: "A letter's number in the vocabulary. The last one, {bos}, " +
        "begins and ends a document."},
    wte: {name: "wte", says: "One row for each letter.", file: "gpt.py",
        from: "wte, wpe = weights"},
    wpe: {name: "wpe", says: "One row for each position.", file: "gpt.py",
        from: "wte, wpe = weights"},
    rmsnorm: {name: "rmsnorm", says: "Divides a vector by its root mean square. Keeps numbers at " +
        "a size that the next matrix is used to.", file: "vector.py", from: "def rmsnorm"},
    qkv: {name: "q, k, v", says: "Question, name tag, and what is said: three views of one vector.",
        file: "gpt.py", from: "q = vector.linear"},
    attention: {name: "attention", says: "The only place where positions meet.", file: "vector.py",
        from: "def attention"},
    wo: {name: "wo", says: "Mixes what the heads heard.", file: "gpt.py",
        from: "x = vector.linear(x, weights[f\"layer{i}.attn_wo\"])"},
    add: {name: "+", says: "The residual: a branch adds to what there is.", file: "vector.py",
        from: "def add"},
    fc1: {name: "fc1", says: "Four times as many detectors as numbers. Each is a direction.",
        file: "gpt.py", from: "x = vector.linear(x, weights[f\"layer{i}.mlp_fc1\"])"},
    relu: {name: "relu", says: "A gate: what is negative becomes 0. Without it two matrices " +
        "would amount to one.", file: "vector.py", from: "def relu"},
    fc2: {name: "fc2", says: "What each open gate adds to the stream.", file: "gpt.py",
        from: "x = vector.linear(x, weights[f\"layer{i}.mlp_fc2\"])"},
    lmHead: {name: "lm_head", says: "One row for each letter: how well does the vector fit it? " +
        "These scores are the logits.", file: "gpt.py", from: "logits: Vector"},
    lmHeadTied: {name: "wte again", says: "One row for each letter: how well does the vector fit " +
        "it? These scores are the logits. The matrix is the embedding's, so each of its weights " +
        "has two uses at every position.", file: "gpt.py", from: "logits: Vector"},
    relu2: {name: "relu\u00b2", says: "A gate: what is negative becomes 0, and the rest is squared. " +
        "The slope is 0 or twice what came through.", file: "gpt.py",
        from: "x = [xi**2 for xi in x]"},
    softmax: {name: "softmax", says: "Scores become probabilities: positive, with sum 1.",
        file: "vector.py", from: "def softmax"},
    loss: {name: "\u2212log p", says: "Surprise at the letter that really came. Act 4 is about it.",
        file: "vector.py", from: "def cross_entropy"},
};
