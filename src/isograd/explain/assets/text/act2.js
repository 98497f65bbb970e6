export const text2 = {
    title: "One number",
    lead: "Learning is one question, asked of every number: if you were a little larger, would " +
        "the result get better or worse?",
    slopePlain: "Stand on a hillside in fog. You cannot see the valley, but your feet feel which " +
        "way is down, and how steep it is. That steepness is the derivative. Drag the point: the " +
        "straight line is what your feet feel.",
    slopeTechnical: "The derivative is the best linear answer to \u201cwhat if?\u201d: f(x + d) " +
        "is f(x) + f\u2032(x) d, up to an error that shrinks faster than d. Here the error is " +
        "d\u00b2 exactly. Everything below computes derivatives of one output with respect to " +
        "thousands of inputs at the price of about one more evaluation.",
    slopeTitle: "The slope of x\u00b2",
    slopeCaption: "A nudge of 0.01 moves the height by the slope times 0.01, nearly. What is " +
        "missing is 0.01\u00b2.",
    ballTitle: "Rolling down, in two ways",
    ballPlain: "Put a ball somewhere and let it go downhill. One ball takes steps as long as the " +
        "slope is steep. The other remembers where it was going, and takes even steps: that is " +
        "Adam, which trained this model.",
    ballTechnical: "Plain descent moves by rate \u00d7 slope. Adam moves by rate \u00d7 m\u0302 " +
        "/ (\u221av\u0302 + eps): the mean slope over its usual size, so the step is about the " +
        "rate, whatever the slope's scale. A hat marks a mean that is corrected for having begun " +
        "at 0. The betas say how much of the old mean is kept each time; both are this run's. " +
        "Momentum can carry Adam over a hill; it can also overshoot.",
    ballCaption: "The curve is x\u2074/4 \u2212 x\u00b2 + x/4. Click on it to place both balls.",
    graphTitle: "A calculation that remembers",
    graphPlain: "Write down every little calculation and draw an arrow from each number to what " +
        "it was used for. Now walk back along the arrows, and ask at each one: how much of the " +
        "result is due to you? It is like tracing who passed on a rumour, back to who began.",
    graphTechnical: "Each node keeps its children and the local derivative with respect to each. " +
        "`backward()`, the walk back, visits nodes in reverse topological order, so a node's " +
        "grad is complete when its turn comes; it then adds local \u00d7 grad to each child. A " +
        "node that is used twice receives two shares: the multivariate chain rule is that `+=`.",
    graphCaption: "Solid boxes were computed, dashed ones were given. Press Next to walk " +
        "backward, one node at a time.",
    tableTitle: "Six operations are all there is",
    tablePlain: "The whole model, thousands of numbers a step, is made of six kinds of small " +
        "calculations. Each knows its own slope, as each worker in a kitchen knows one dish.",
    tableTechnical: "Subtraction is + with a product by \u22121; division is a product with " +
        "x**\u22121. With six local gradients, everything from softmax (scores become " +
        "probabilities) to rmsnorm (its root mean square becomes 1) is differentiated without " +
        "one more line of calculus.",
    tableCaption: "The example is a real node of the step and position that you look at.",
    gateTitle: "relu, the gate",
    gatePlain: "relu lets positive numbers through and stops the others, like a turnstile that " +
        "turns one way. A shut gate also stops the blame on its way back.",
    gateTechnical: "Without a nonlinearity the two matrices of the MLP (the part that works on " +
        "each position by itself) would multiply into one. " +
        "relu's derivative is 1 or 0: it does not shrink gradients, but a unit that is shut for " +
        "every input learns nothing. The original's GPT-2 uses GELU, a smooth relative.",
    gateSquared: "This run squares what its gates let through, so the loss's gradient passes two " +
        "nodes here: the square hands on 2x of it, then relu all or nothing.",
    gateCaption: "The hidden units of the chosen position before relu, each with its number. " +
        "Framed ones are positive: open. Blue ones are negative: shut.",
    sharesTitle: "How many gates are open, step by step",
    ask: "Hidden unit {unit} was {value} before relu. Its gradient arrives from above. How much " +
        "of it does relu hand on?",
    all: "All of it", none: "Nothing",
    open: "The number is positive, so relu's local gradient is 1: all of it passes.",
    shut: "The number is not positive, so relu's local gradient is 0: nothing passes.",
};
