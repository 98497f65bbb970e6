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

    def note_draws(self, array.array drawn not None):
        """The calls of random.gauss, which draws two numbers for two: (n, 2) doubles in a row."""
        if drawn.typecode != "d" or len(drawn) % 2:
            raise ValueError("draws are doubles, and come in pairs")
        calls_note_draws(&self.c, drawn.data.as_doubles, <size_t>len(drawn) // 2)
        self.check()

    cdef check(self):
        if self.c.error == CALLS_NO_MEMORY:
            raise MemoryError
        if self.c.error == CALLS_TOO_FAR:
            raise ArithmeticError("this machine's libm is off by more than 127 doubles")

    def exceptions(self):
        """For each function pairs (x, how many doubles the result is above the nearest one)."""
        found = {}
        for name, f in FUNCTIONS.items():
            pairs = found[name] = []
            for i in range(self.c.of[f].n):
                pairs.append((self.c.of[f].x[i], self.c.of[f].above[i]))
        return found

    def __len__(self):
        return sum(self.c.of[f].n for f in FUNCTIONS.values())


def rounded(str name, double x):
    """The function `name` of `x`, correctly rounded: what explain/rounded.py computes, quickly."""
    cdef RoundedFunction function = rounded_function(name.encode())
    if function == NULL:
        raise KeyError(name)
    return function(x)


def digest(array.array numbers not None):
    """What explain/digest.py computes of an array of doubles, quickly."""
    cdef unsigned char[DIGEST_SIZE] found
    if numbers.typecode != "d":
        raise ValueError("a digest is one of doubles")
    digest_of(numbers.data.as_doubles, <size_t>len(numbers), found)
    return found[:DIGEST_SIZE]
