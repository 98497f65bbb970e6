// What act 5 says.
export const text5 = {
    title: "New documents",
    lead: "The trained model writes: it predicts, throws dice with those odds, and reads its own " +
        "letter as the next input.",

    heatTitle: "Temperature",
    heatPlain: "For each letter the model has a score, its logit; softmax makes probabilities of " +
        "the scores. Temperature is how adventurous the model may be. At 0 it orders the same " +
        "dish every evening. At 1 it follows its taste. At 3 it points at the menu with closed " +
        "eyes.",
    heatTechnical: "`softmax(logits / T)`: the ratio of two probabilities is raised to the power " +
        "1/T. Towards 0 the likeliest takes all, towards infinity all are equal. T = 1 is what " +
        "the loss has trained; below it the model writes likelier texts than those it has read.",
    heatPrefix: "The document so far",
    heatStart: "nothing yet: the document begins",
    heatUnknown: "The model has never seen {letters}: left out.",
    heatLong: "This model sees {block} positions; it has read the first {read} characters.",
    heatSlider: "temperature",
    heatGreedy: "greedy",
    heatOwn: "the run's own, {own}",
    heatWild: "wild, 2",
    heatCaption: "What the weights after step {steps} expect next. {end} is the end of the " +
        "document.",
    heatKept: "That step had the least validation loss, so its weights are the run's result.",
    heatTaken: "At temperature 0 nothing is drawn: the likeliest is taken, the first of equals.",
    heatMost: "The {shown} likeliest of {all}.",

    drawTitle: "How a document was drawn",
    drawPlain: "Lay all probabilities end to end, like coloured sticks, until they are 1 long. " +
        "The random number is a pin that falls somewhere on it. The stick it hits is the next " +
        "letter.",
    drawTechnical: "`random.choices` adds the probabilities up from left to right, multiplies " +
        "`random()` with the total, and bisects. The total is the last sum, not 1: it carries " +
        "the rounding errors. Seed {seed} fixes the random numbers, so this run can only have " +
        "written these texts.",
    drawSample: "document",
    drawLetter: "position",
    drawPin: "The random number {draw}, times the total {total}, is {hit}. That is at least {low} " +
        "and less than {high}, the stick of {letter}.",
    drawCaption: "Document {which} of {all}, {text}: position {number}; there are {count}. The " +
        "model had read {prefix}.",
    drawHeads: ["token", "logit", "probability", "from", "up to"],
    drawGreedy: "This run sampled at temperature 0: nothing was drawn, the likeliest letter was " +
        "taken each time.",
    drawAll: "Rows are sorted, the likeliest token first; the pin hit the marked one. The sticks " +
        "lie in the order of the vocabulary, {first}, so rows that follow one another here need " +
        "not touch. A stick begins at the sum of all probabilities before its token, and reaches " +
        "up to that sum and its own, without it: [from, up to). Probabilities are " +
        "softmax(logit / {own}).",
    drawTaken: "Tokens from the likeliest on; the first was taken.",
    drawNone: "This run drew no documents.",

    ownTitle: "What this run wrote",
    ownPlain: "The model put these together letter by letter. It is too small to keep the " +
        "documents; it keeps what is usual about them. So a name that it invents may be a real " +
        "one, which stands in the data file as well.",
    ownFound: "{found} of these {count} also stand in the data file, as far as this page holds it.",
    ownTechnical: "Marked: texts that are, letter by letter, among the {held} different " +
        "documents which this page holds (of {all} in the file). Those that \u201cno step " +
        "read\u201d the model found by itself. Temperature {own}, at most {block} " +
        "letters.",
    ownRead: "also in the data file, read in training",
    ownUnread: "also in the data file, but no step read it",
    ownEmpty: "(empty)",

    questionAsk: "At position {number} of {sample} came {letter}. Had the random number been " +
        "{other} instead, which letter would it have been?",
    questionRight: "The stick of {letter} reaches from {low} to {high}.",
    questionWrong: "The stick of {letter} reaches from {low} to {high}. Where does {other} lie?",
    questionGreedy: "At temperature 0, how many random numbers does a document cost?",
    questionGreedySay: "None is needed: the likeliest letter is taken.",
};
