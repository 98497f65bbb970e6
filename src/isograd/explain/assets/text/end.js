// What the end says. The published sizes are from the models' own papers, named beside them.
export const textEnd = {
    title: "Everything in one picture",
    lead: "One document, all stages, every number that there is. Large models are this picture, " +
        "wider and taller.",

    flowTitle: "{document} in step {step}",
    flowPlain: "Read from top to bottom: each column is one letter on its way from a number in " +
        "the vocabulary to a guess. The only stage where columns exchange anything is attention.",
    flowTechnical: "Each tile is a vector, row by row; blue is below 0, orange above, faint is " +
        "near 0, each row of tiles with a scale of its own. Each cell opens. In attention a row " +
        "is a head, a column a position that is looked at; hatched is the future.",
    flowDocument: "One document",
    flowFrame: "The picture, position by position",
    flowCount: "{shown} numbers are shown.",
    flowCut: "Shown are positions {from} to {to} of {n}; choose another position above.",
    flowStages: {
        letter: "letter", embedded: "wte + wpe", x0: "rmsnorm", attention: "attention",
        attn_out: "adds", x_mid: "= stream", hidden: "relu of MLP", squared: "relu\u00b2 of MLP", mlp_out: "adds",
        x: "= stream", logits: "logits", probabilities: "softmax", target: "came", p: "p",
        losses: "\u2212log p",
    },
    flowMean: "The mean of the last row is the loss of this document.",

    sizeTitle: "From {weights} numbers to a trillion",
    sizePlain: "Take a grain of rice for each weight. This run is {mass} of rice. The largest " +
        "model of the table is {most}: more than a thousand lorries. The recipe is the same.",
    sizeTechnical: "The larger ones add what makes training stable and cheap at their size: " +
        "norms with gains, rotary positions instead of `wpe`, gated MLPs, keys and values shared " +
        "between heads, mixtures of experts of which a token uses few. And they read tokens of " +
        "several letters. The loss, the residual stream and attention are those of this page.",
    sizeHeads: ["model", "weights", "times this run", "layers", "width", "heads", "vocabulary"],
    sizeOwn: "this run",
    sizeNote: "The sizes of the published models are from their papers and not part of this run. " +
        "Bars are logarithmic: each line is a thousand times the one before.",

    fastTitle: "Everything else is efficiency",
    fastPlain: "Four ways to cook one recipe: they differ in nothing but the time. The result " +
        "has the same bits.",
    fastTechnical: "Nothing on this page depends on the tier. Each adds in the order of the " +
        "scalar graph, so each ends in the same bits; `isograd verify` compares them on your " +
        "machine.",
    fastTimed: "Measured with this run, on the machine that recorded it.",
    fastUntimed: "This page was made without times. {command} measures them.",
    fastHeads: ["tier", "what runs compiled", "a step", "all {steps} steps"],
    tiers: [
        ["reference", "nothing: pure Python, the specification"],
        ["value", "each scalar operation, and backward()"],
        ["fused", "whole vector operations, and Adam"],
        ["native", "the whole step, without a graph"],
    ],

    questionAsk: "Of this run's {weights} weights, which part has most?",
    questionRight: "{count} of them, {share}.",
    questionWrong: "That part has {count}. The diagram of act 3 counts them.",
    questionParts: {embeddings: "wte and wpe", attention: "attention", mlp: "the MLP",
        lmHead: "lm_head"},
};

/** Published models: name, weights, year and paper, layers, width, heads, vocabulary. */
export const published = [
    ["GPT-2 small", 124e6, "Radford et al. 2019", 12, 768, 12, 50257],
    ["GPT-2", 1.5e9, "Radford et al. 2019", 48, 1600, 25, 50257],
    ["GPT-3", 175e9, "Brown et al. 2020", 96, 12288, 96, 50257],
    ["Llama 3.1 405B", 405e9, "Llama team 2024", 126, 16384, 128, 128256],
    ["DeepSeek-V3", 671e9, "DeepSeek-AI 2024", 61, 7168, 128, 129280],
    ["Kimi K2", 1.04e12, "Kimi team 2025", 61, 7168, 64, 163840],
    ["Switch-C", 1.57e12, "Fedus et al. 2021", 15, 2080, 32, 32128],
];
