"""Part of _native.pyx: which calls of libm are not correctly rounded, for `isograd explain`."""

FUNCTIONS = {
    "exp": CALLED_EXP, "log": CALLED_LOG, "cos": CALLED_COS, "sin": CALLED_SIN,
    "inverse": CALLED_INVERSE, "inverse_square": CALLED_INVERSE_SQUARE,
    "inverse_root": CALLED_INVERSE_ROOT, "inverse_root_cubed": CALLED_INVERSE_ROOT_CUBED,
    "root": CALLED_ROOT, "square": CALLED_SQUARE,
}


cdef class Calls:
    """The calls of libm, of those noted here, whose results are not correctly rounded.

    Each `note` raises MemoryError, and ArithmeticError where libm is off by more than 127 doubles.
    """

    cdef CCalls c

    def __dealloc__(self):
        calls_free(&self.c)

    def note(self, str function, double x, double result):
        """The call of `function`, one of FUNCTIONS, with `x`, which returned `result`."""
        calls_note(&self.c, FUNCTIONS[function], x, result)
        self.check()

    def note_documents(self, NativeGPT model not None, docs):
        """The calls of a step that learns from `docs`, as `model.backward` accepts them."""
        cdef Documents documents = Documents(list(docs), model.g.s.V, model.g.s.block_size + 1)
        cdef Decoder decoder
        cdef size_t i, at, end
        cdef double p
        for i in range(documents.c.n):
            decoder = Decoder(model, self)
            at, end = documents.starts[i], documents.starts[i + 1] - 1
            while at < end:
                decoder_append(decoder.d, model.g, <size_t>documents.tokens[at])
                at += 1
                # At temperature 1, the softmax of the loss.
                raise_error(decoder_softmax(decoder.d, &model.g.s, 1.0))
                p = decoder.d.probabilities[documents.tokens[at]]
                calls_note(&self.c, CALLED_LOG, p, log(p))
        self.check()

    def note_adam(self, NativeGPT model not None, double beta2, double correction2):
        """The calls of Adam's next update, from the gradients and moments that `model` has."""
        with nogil:
            calls_note_adam(&self.c, model.g, beta2, correction2)
        self.check()

    cdef check(self):
        if self.c.error == CALLS_NO_MEMORY:
            raise MemoryError
        if self.c.error == CALLS_TOO_FAR:
            raise ArithmeticError("this machine's libm is off by more than 127 doubles")

    def exceptions(self):
        """For each function pairs (x, how many doubles the result is above the nearest one)."""
        return {
            name: [(self.c.of[f].x[i], self.c.of[f].above[i]) for i in range(self.c.of[f].n)]
            for name, f in FUNCTIONS.items()
        }

    def __len__(self):
        return sum(self.c.of[f].n for f in FUNCTIONS.values())


def rounded(str name, double x):
    """The function `name` of `x`, correctly rounded: what explain/rounded.py computes, quickly."""
    cdef RoundedFunction function = rounded_function(name.encode())
    if function == NULL:
        raise KeyError(name)
    return function(x)
