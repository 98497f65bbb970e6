// What act 4 says.
export const text4 = {
    title: "Learning",
    lead: "Guess, be surprised, find out who is to blame, nudge. That was one step. This run " +
        "took {steps}.",

    loopTitle: "The four beats of step {step}",
    loopPlain: "It is how one learns to throw at a basket: take a ball, throw, see how far off " +
        "it went, and change the throw a little. Only that here {weights} muscles are corrected " +
        "at once.",
    loopTechnical: "One iteration of stochastic gradient descent: the gradient of one batch's " +
        "loss is a noisy estimate of the whole data's. Noise averages out over steps. The exact " +
        "gradient would cost a pass through all documents for a single nudge.",
    pick: "Pick",
    pickSays: "The next of the shuffled documents.",
    pickBatch: "The loss is the mean over these documents. Pick one to look at.",
    predict: "Predict",
    predictSays: "{n} guesses. Their mean surprise is the loss:",
    predictBatch: "{n} guesses in the chosen document. The mean surprise of all {b} documents is " +
        "the loss:",
    blame: "Blame",
    blameSays: "`backward()`, the walk back through all calculations, gives each weight its " +
        "gradient. For {weight}:",
    nudge: "Nudge",
    nudgeSays: "Adam moves every weight against its gradient's running mean. This one moved most:",
    nudgeDecay: "after weight decay",
    nothing: "No weight moved in this step.",
    earlier: "earlier step",
    later: "later step",
    more: "{more} more documents",

    surpriseTitle: "Surprise",
    surprisePlain: "A thermometer for being wrong. It shows 0 if one was certain and right. Half " +
        "certain: 0.69. And there is no upper end: who calls a thing impossible that then " +
        "happens is surprised without bound.",
    surpriseTechnical: [
        "Why `-log p`: the probability of a text is the product of its letters' probabilities. " +
        "`-log` turns the product into a sum, and the most probable text into the least sum. It " +
        "is the only smooth measure, up to a factor, that adds up over independent events.",
        "Its derivative is -1/p, so a probability near 0 pulls hard. Through softmax that " +
        "becomes simply p - 1 for the letter that came and p for all others: bounded, and 0 " +
        "exactly where the guess is perfect.",
    ],
    surpriseBars: "How surprised step {step} was by each letter of the document. The mean of the " +
        "{n} is the document's loss.",
    surpriseBatch: " The step's loss is the mean over its documents.",
    surpriseCurve: "-log p, with the document's positions on it. Drag along the curve.",
    surpriseSlider: "probability p",
    surpriseReads: "With p = {p} the surprise is -log p = {loss}.",

    lossTitle: "All {steps} losses",
    lossPlain: "A name can be easy or hard, so the thin line jumps like waves. The smooth line " +
        "is the tide: it falls. The dashed line is blind guessing: who gives each of the {vocab} " +
        "tokens the same chance is that surprised, log({vocab}) = {guess}, every time. Click any " +
        "step to open it everywhere on this page.",
    lossTechnical: "The smooth line is the mean of the last {window} losses, computed in this " +
        "page. The dashed line is log({vocab}) = {guess}: the loss of somebody who gives all " +
        "{vocab} tokens the same probability, as an untrained model nearly does. {again}",
    lossAgain: "The steps used {used} documents of {all}, so some were seen again and the curve " +
        "flatters the model a little.",
    lossOnce: "No document was used twice, so every loss is that of a text that the model had " +
        "not trained on (unless the file repeats itself).",
    validationPlain: "The other line is an exam: {judging} documents that the model never learns " +
        "from. Where it rises while the training loss falls, the model has begun to learn by " +
        "heart.",
    validationTechnical: "The validation loss is the mean loss of {judging} documents held out of " +
        "training, every {every} steps. It draws no random number and moves no weight. The least " +
        "one, {best}, is that of step {step}. {end}",
    validationEnd: {
        patience: "After it, {patience} were no better, so the run ended after step {steps} of " +
            "{planned}.",
        best: "The run kept the weights of step {step}.",
        last: "The run kept the weights of its last step.",
    },
    lossValidation: "validation loss",
    lossKept: "kept",
    lossRaw: "loss",
    lossSmooth: "mean of the last {window}",
    lossGuess: "guessing: log({vocab})",

    lifeTitle: "The life of one weight",
    lifePlain: "A ball on hills in thick fog. It feels the slope under it (`g`). It has " +
        "momentum, so it does not turn at every pebble (`m`). Where the ground has been rough it " +
        "takes short steps (`v`). {rate} (the learning rate).",
    lifeRates: {
        down: "And towards the end it is told to move less and less",
        risen: "At first it is told to move little, towards the end less and less",
        constant: "All the way it is told how much to move at most",
    },
    lifeTechnical: [
        "`m` and `v` are running means of g and g**2, with decay {beta1} and {beta2}. The change " +
        "is lr m\u0302 / (sqrt(v\u0302) + eps): dividing by a gradient's usual size makes small " +
        "and large gradients alike move their weight by about lr.",
        "Why the bias correction: both means start at 0, so after t steps they are too small by " +
        "1 - beta**t. Divided by that, the first m\u0302 is g and the first v\u0302 is g**2, and " +
        "the first change is lr, whatever g was. Uncorrected it would have been {ratio} times " +
        "that: (1 - {beta1}) / sqrt(1 - {beta2}).",
    ],
    lifeDecay: "Weight decay (AdamW) comes before the update and goes by no gradient: each step " +
        "takes lr {decay} of every weight away.",
    lifeClip: "Gradients are clipped first: where all of a step's are longer than {norm} together, " +
        "as one vector, each is scaled down by the same factor. `g` is the clipped one.",
    lifeSchedule: "The learning rate {words}.",
    lifeMatrix: "matrix",
    lifeRow: "row",
    lifeColumn: "column",
    lifeWeight: "the weight",
    lifeGrad: "gradient g, and its mean m\u0302",
    lifeRoot: "v\u0302, the mean of g\u00b2",
    lifeRate: "learning rate",
    lifeChange: "change in each step",
    lifeStep: "Step {step}, number by number",
    lifeFrom: ["weight before", "decayed weight"],
    lifeLines: [
        ["grad", "g", "the gradient, from `backward()`"],
        ["clipped", "g, clipped", "g, scaled down where all are longer than {norm}"],
        ["m", "m", "running mean of g: {beta1} m + (1 \u2212 {beta1}) g"],
        ["v", "v", "running mean of g\u00b2: {beta2} v + (1 \u2212 {beta2}) g\u00b2"],
        ["mHat", "m\u0302", "m, corrected: m / (1 \u2212 {beta1}^{step})"],
        ["vHat", "v\u0302", "v, corrected: v / (1 \u2212 {beta2}^{step})"],
        ["lr", "lr", "{rate}"],
        ["change", "change", "\u2212 lr m\u0302 / (\u221av\u0302 + {eps})"],
        ["before", "weight before", "the weight that step {step} used"],
        ["decayed", "decayed weight", "weight before (1 \u2212 lr {decay})"],
        ["after", "weight after", "{from} + change"],
    ],

    movedTitle: "What moved most in step {step}",
    movedPlain: "The loudest corrections of the step. Pick one to see its life above.",
    movedTechnical: "Adam divides a gradient's running mean by its usual size, so a step is " +
        "about as large as the learning rate, here {lr}, however large the gradients are. It is " +
        "sometimes more, when a gradient suddenly grows or keeps its sign after small ones: `m` " +
        "forgets faster than `v`.",
    movedHeads: ["weight", "gradient", "before", "after", "change"],

    questionAsk: "Which letter of {document} surprised the model most in step {step}?",
    questionRight: "It had given {letter} a probability of {p} only: {loss} of surprise.",
    questionWrong: "{letter} had a probability of {p}. Look for the tallest bar under " +
        "\u201cSurprise\u201d.",
    questionOne: "One letter only was to be guessed in step {step}. Was the model less surprised " +
        "than by a blind guess among {vocab}?",
    yes: "yes",
    no: "no",
    questionOneSay: "Its surprise was {loss}; a blind guess has log({vocab}) = {guess}.",
};
