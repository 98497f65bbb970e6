# cython: language_level=3
"""The native step of csrc/gpt as Python objects: buffers, errors, and the GIL let go of.

The public calls check their arguments before they get here. This layer compares again, as machine
numbers, only what memory depends on; checks.py then says what is wrong.
"""

cimport cython
from cpython cimport array
from cpython.buffer cimport (
    PyBUF_ANY_CONTIGUOUS, PyBUF_C_CONTIGUOUS, PyBUF_F_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES,
    PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport SIZE_MAX, int32_t

from itertools import chain, islice

from .checks import check_documents, check_sizes, check_tokens, check_whole
from .reference.checks import check_adam

cdef const char *complaint = vector_unit_init()
if complaint != NULL:
    raise ImportError(complaint.decode())

UNITS = {"plain": PLAIN, "avx2": AVX2, "avx512": AVX512}
DECLINES = {"linear": FALLS_LINEARLY, "cosine": FALLS_AS_COSINE, "constant": IS_CONSTANT}

cdef enum:
    AT_ONCE = 4096  # the most steps, and documents, between two looks for Ctrl-C

# The seconds after which a run looks for Ctrl-C.
cdef double PATIENCE = 0.02


cdef refuse(check, arguments):
    """Raises the sentence of `check`, or ValueError if the arguments talk their way past it."""
    check(*arguments)
    raise ValueError("arguments that are not the numbers they compare as")


cdef int raise_error(GptError error) except -1:
    """Raises what Python's arithmetic raises in the same place; nothing for GPT_OK."""
    if error == GPT_OK:
        return 0
    if error == GPT_INTERRUPTED:
        return -1  # whoever interrupted has raised it
    if error == GPT_NO_MEMORY:
        raise MemoryError
    if error == GPT_LOG_DOMAIN:
        raise ValueError("math domain error")
    if error == GPT_POW_RANGE:
        raise OverflowError(34, "Numerical result out of range")
    if error == GPT_POW_COMPLEX:
        raise ValueError("a negative Value to a fractional power is not a real number")
    if error == GPT_DIVISION:
        raise ZeroDivisionError("float division by zero")
    if error == GPT_TOTAL_ZERO:
        raise ValueError("Total of weights must be greater than zero")
    raise ValueError("Total of weights must be finite")


cdef int is_interrupted() noexcept with gil:
    """Whether a signal handler has raised something, which then is still to be raised here."""
    return check_signals() < 0


def vector_unit():
    """The vector unit that computes: "avx512", "avx2" or "plain". All give the same bits."""
    return next(name for name, unit in UNITS.items() if unit == chosen_unit())


def set_vector_unit(name):
    """Compute with the unit `name` from now on, for tests.

    Raises ValueError if the processor lacks it.
    """
    if vector_unit_set(UNITS[name]) < 0:
        raise ValueError(f"this processor has no {name}")


cdef list as_list(const double *x, size_t n):
    """The `n` numbers at `x`.

    By append(), as everywhere here: where memory ends, Cython 3.3's comprehensions let go of an
    element twice.
    """
    cdef size_t i
    numbers = []
    for i in range(n):
        numbers.append(x[i])
    return numbers


cdef class OneAtATime:
    """Calls functions, and refuses a second one while the first has not returned.

    Ctrl-C comes between no two statements in here, so it never leaves the mark behind.
    """

    cdef unsigned long taken  # the thread of the call, or 0

    def __call__(self, run):
        """What `run()` returns. Raises RuntimeError, before it calls it, during another call."""
        if self.taken:
            raise RuntimeError("this model is being trained; another run has to wait for its end")
        self.taken = PyThread_get_thread_ident()
        try:
            return run()
        finally:
            self.taken = 0

    def beside(self, run):
        """The same; during a call of this very thread, what `run()` returns."""
        return run() if self.taken == PyThread_get_thread_ident() else self(run)

    def __reduce__(self):
        return OneAtATime, ()  # a copy of a model is not being trained


include "_calls.pxi"


cdef class Memory:
    """Owns a GPT."""

    cdef GPT *g

    def __dealloc__(self):
        gpt_free(self.g)


cdef class Numbers:
    """Doubles of a GPT as a writable buffer that keeps it alive."""

    cdef Memory memory
    cdef double *data
    cdef Py_ssize_t n

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data, self.n * <Py_ssize_t>sizeof(double), 0, flags)


include "_matrix.pxi"


cdef view(Memory memory, double *data):
    cdef Numbers numbers = Numbers.__new__(Numbers)
    numbers.memory, numbers.data, numbers.n = memory, data, <Py_ssize_t>memory.g.n_params
    return memoryview(numbers).cast("d")


cdef class Documents:
    """Token lists in one flat array, of each at most the first `longest` tokens.

    Raises ValueError if there is one to learn nothing from.
    """

    cdef CDocuments c
    cdef int32_t *tokens
    cdef size_t room  # of `tokens`
    cdef size_t *starts

    def __cinit__(self, list docs, size_t vocab_size, size_t longest):
        docs = docs[:]
        cdef size_t n_tokens = 0, i
        cdef Py_ssize_t token
        self.c.n = self.c.total = <size_t>len(docs)
        self.starts = <size_t *>PyMem_RawMalloc((self.c.n + 1) * sizeof(size_t))
        if self.starts == NULL:
            raise MemoryError
        for i in range(self.c.n):
            if i % AT_ONCE == 0:
                PyErr_CheckSignals()
            self.starts[i] = n_tokens
            doc = tuple(islice(docs[i], longest))
            if len(<tuple>doc) < 2:
                refuse(check_tokens, (doc, vocab_size, "a document"))
            self.make_room(n_tokens + <size_t>len(<tuple>doc))
            for token in <tuple>doc:
                if not 0 <= token < <Py_ssize_t>vocab_size:
                    refuse(check_tokens, (doc, vocab_size, "a document"))
                self.tokens[n_tokens] = <int32_t>token
                n_tokens += 1
        self.starts[self.c.n] = n_tokens
        self.c.tokens, self.c.starts = self.tokens, self.starts

    cdef int make_room(self, size_t n_tokens) except -1:
        """Let `tokens` have room for so many."""
        if n_tokens <= self.room:
            return 0
        cdef size_t room = max(2 * self.room, n_tokens)
        tokens = <int32_t *>PyMem_RawRealloc(self.tokens, room * sizeof(int32_t))
        if tokens == NULL:
            raise MemoryError
        self.tokens, self.room = tokens, room
        return 0

    def __dealloc__(self):
        PyMem_RawFree(self.tokens)
        PyMem_RawFree(self.starts)


cdef class NativeGPT:
    """A GPT on flat arrays of doubles, without a graph: the bits of `isograd.reference`.

    `weights`, `gradients`, `first_moments` and `second_moments` are writable memoryviews of
    `num_params` doubles, in the order of `reference.weight_shapes`, row by row; all 0 at first.
    They are the model's own memory and keep it alive. One thread at a time may use a model.

    Raises ValueError for sizes that no GPT can have, and MemoryError.
    """

    cdef Memory memory
    cdef GPT *g
    cdef bint busy
    cdef Pace pace  # of the team that it belongs to
    cdef tuple team
    cdef readonly object weights, gradients, first_moments, second_moments
    cdef readonly size_t num_params

    def __cinit__(self, *, size_t vocab_size, size_t n_layer, size_t n_embd, size_t n_head,
                  size_t block_size, activation="relu", bint tie_weights=False):
        if not (vocab_size and n_layer and n_embd and n_head and block_size) or n_embd % n_head:
            refuse(check_sizes, ({
                "vocab_size": vocab_size, "n_layer": n_layer, "n_embd": n_embd, "n_head": n_head,
                "block_size": block_size,
            },))
        self.memory = Memory.__new__(Memory)
        self.g = self.memory.g = gpt_new(vocab_size, n_layer, n_embd, n_head, block_size,
                                         Kind(activation == "relu2", tie_weights))
        if self.g == NULL:
            raise MemoryError
        self.num_params = self.g.n_params
        self.weights = view(self.memory, self.g.weights)
        self.gradients = view(self.memory, self.g.gradients)
        self.first_moments = view(self.memory, self.g.first_moments)
        self.second_moments = view(self.memory, self.g.second_moments)

    def loss(self, docs):
        """The mean loss of `docs`, a list of token lists.

        Raises ValueError for documents to learn nothing from, and where a probability is 0.
        """
        return self.evaluate(docs, False)

    def backward(self, docs):
        """The same, and `gradients` as a fresh graph's backward() leaves them."""
        return self.evaluate(docs, True)

    def losses(self, docs):
        """The loss of each of `docs`, a list."""
        docs = list(docs)
        self.evaluate(docs, False)
        cdef const double *losses = gpt_document_losses(self.g)
        return as_list(losses, len(docs))

    cdef evaluate(self, docs, bint with_gradients):
        cdef list listed = list(docs)
        cdef Documents documents = Documents(listed, self.g.s.V, self.g.s.block_size + 1)
        cdef double loss = 0
        cdef GptError error
        if documents.c.n == 0:
            refuse(check_documents, (listed, 0, 0, self.g.s.V))
        self.take()
        try:
            with nogil:
                if with_gradients:
                    error = gpt_backward(self.g, &documents.c, &loss)
                else:
                    error = gpt_loss(self.g, &documents.c, &loss)
        finally:
            self.busy = False
        raise_error(error)
        return loss

    def train(self, docs, size_t n, *, size_t step, size_t steps, double lr, schedule="linear",
              size_t warmup=0, betas=(0.85, 0.99), double eps=1e-8, double weight_decay=0.0,
              clip_norm=None, size_t batch_size=1, size_t threads=1, bint cautious=False,
              list losses not None, Calls calls=None, bytearray digests=None, bint briefly=False):
        """Run `n` steps from number `step` (from 0) on, of a schedule of `steps`; returns n.

        Step i learns from docs[(i * batch_size + b) % len(docs)] for b below batch_size, at the
        rate reference.learning_rate(i, steps, lr, schedule, warmup), as reference.Adam does, and
        appends its loss to `losses`. The moments go on from what they are. At most `threads`
        threads work together, as long as one alone is not faster; `cautious` lets one begin alone,
        otherwise they begin together.

        On one thread it can note the calls of libm in `calls` and append a digest of the weights
        after each step to `digests`. With `briefly` it may return after some hundredths of a
        second, between two steps; it returns how many it did.

        Raises ValueError for what cannot be, before it changes anything. Raises OverflowError,
        ValueError and ZeroDivisionError from Python's arithmetic, and KeyboardInterrupt on Ctrl-C;
        weights and moments are then those of the last step with a loss in `losses`.
        """
        cdef TrainingRun run
        cdef GptError error = GPT_OK
        cdef size_t done = 0, i
        beta1, beta2 = betas
        cdef double most = 0.0 if clip_norm is None else clip_norm
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1 and eps >= 0 and weight_decay >= 0 and (
                most > 0 or clip_norm is None)):
            refuse(check_adam, (self.weights, betas, eps, weight_decay, clip_norm))
        if warmup > steps:
            raise ValueError("warmup must be at most the number of steps")
        if not (batch_size and threads):
            raise ValueError("batch_size and threads must be at least 1")
        if threads > 1 and (calls is not None or digests is not None):
            raise ValueError("what is recorded is recorded on one thread")
        if step > steps or n > steps - step:
            raise ValueError(
                f"a schedule of {steps} steps does not hold steps {step} to {<object>step + n}"
            )
        cdef Documents documents = self.documents_of(docs, step, n, batch_size)
        cdef double[AT_ONCE] step_losses
        cdef unsigned char[AT_ONCE * DIGEST_SIZE] step_digests
        run.docs = documents.c
        run.first_step, run.schedule_steps, run.batch_size = step, steps, batch_size
        run.n_threads, run.seconds = threads, PATIENCE
        run.is_unwanted = is_interrupted
        run.pace = self.pace_of(threads, cautious) if threads > 1 else NULL
        run.decline, run.n_warmup = DECLINES[schedule], warmup
        run.lr, run.beta1, run.beta2, run.eps = lr, beta1, beta2, eps
        run.weight_decay, run.clip_norm = weight_decay, most
        run.calls = NULL if calls is None else &calls.c
        run.digests = NULL if digests is None else step_digests
        # Freed where memory ends, so that no step is done whose loss finds no room.
        reserve = bytes(64 * min(n, <size_t>AT_ONCE))
        self.take()
        try:
            while done < n:
                run.n_steps, run.losses = min(n - done, <size_t>AT_ONCE), step_losses
                with nogil:
                    error = gpt_train(self.g, &run)
                for i in range(run.completed):
                    try:
                        losses.append(step_losses[i])
                    except MemoryError:
                        reserve = None
                        losses.append(step_losses[i])
                if digests is not None:
                    digests += step_digests[:run.completed * DIGEST_SIZE]
                if error == GPT_NO_MEMORY:
                    raise MemoryError(
                        f"batch_size {batch_size} and threads {threads} need more than there is"
                    )
                done += run.completed
                run.first_step += run.completed
                raise_error(error)
                if calls is not None:
                    calls.check()
                PyErr_CheckSignals()
                if briefly:
                    break
        finally:
            self.busy = False
        return done

    cdef Pace *pace_of(self, size_t threads, bint cautious):
        if self.team != (threads, cautious):
            self.team = (threads, cautious)
            self.pace = pace_start(cautious)
        return &self.pace

    cdef Documents documents_of(self, docs, size_t step, size_t n, size_t batch_size):
        """What `n` steps from number `step` on learn from: each document once, the first first."""
        cdef size_t count = len(docs), i
        if count == 0:
            refuse(check_documents, (docs, 0, 0, self.g.s.V))
        # The product is taken only where it is at most `count`: elsewhere it may not fit.
        cdef size_t n_needed = n * batch_size if n <= count // batch_size else count
        needed = []
        for i in range(n_needed):
            needed.append(docs[(step * batch_size + i) % count])
        return Documents(needed, self.g.s.V, self.g.s.block_size + 1)

    cdef take(self):
        if self.busy:
            raise RuntimeError("this model is being used by another thread")
        self.busy = True

    def decoder(self, tokens=()):
        """A Decoder of a document that begins with `tokens`. It uses the weights as each call finds
        them."""
        decoder = Decoder(self)
        for token in tokens:
            PyErr_CheckSignals()
            decoder.append(token)
        return decoder

    def watch(self, tokens):
        """All vectors of the positions of `tokens`, and what their heads look at: two arrays.

        A position after the other, each in the order of reference.questions.watch.
        """
        cdef Decoder decoder = Decoder(self)
        tokens, zero = tuple(tokens), array.array("d", [0.0])
        n, n_heads = len(tokens), self.g.s.L * self.g.s.H
        cdef array.array vectors = zero * (n * <object>n_vectors(&self.g.s))
        cdef array.array heads = zero * (<object>n_heads * (n * (n + 1) // 2))
        decoder.d.vectors, decoder.d.heads = vectors.data.as_doubles, heads.data.as_doubles
        for token in tokens:
            PyErr_CheckSignals()
            decoder.append(token)
        return vectors, heads

    def sample(self, size_t bos, random, double temperature, Calls calls=None, prompt=(),
               top_k=None):
        """`prompt` and tokens drawn with `random()`, until `bos` comes or block_size is reached.

        They are those of reference.sample_tokens; temperature 0 takes the likeliest ones. Notes the
        calls of libm in `calls`, if given: those that a graph would need for backward(), too, but
        none whose argument is a size or the temperature.
        """
        cdef Decoder decoder = Decoder(self, calls)
        cdef size_t token = bos
        tokens = [*prompt]
        for following in tokens:
            decoder.append(token)
            token = following
        while decoder.d.T < self.g.s.block_size:
            decoder.append(token)
            token = decoder.draw(random, temperature, top_k)
            if token == bos:
                break
            tokens.append(token)
        return tokens


cdef size_t how_many(top_k) except 0:
    """How many of the likeliest tokens are kept. Raises ValueError for none."""
    if top_k is None:
        return SIZE_MAX
    check_whole("top_k", top_k, 1)
    return top_k


cdef class Decoder:
    """One document being sampled: the keys and values of its positions so far."""

    cdef NativeGPT model
    cdef Calls calls
    cdef CDecoder *d

    def __cinit__(self, NativeGPT model not None, Calls calls=None):
        self.model, self.calls = model, calls
        self.d = decoder_new(&model.g.s)
        if self.d == NULL:
            raise MemoryError
        if calls is not None:
            self.d.calls = &calls.c

    def __dealloc__(self):
        decoder_free(self.d)

    def append(self, size_t token):
        """Go on with `token`. Raises ValueError if the model has no such token or position."""
        if token >= self.model.g.s.V:
            raise ValueError(f"{token} is no token; the model has 0 to {self.model.g.s.V - 1}")
        if self.d.T >= self.model.g.s.block_size:
            raise ValueError(f"the model has no more than {self.model.g.s.block_size} positions")
        raise_error(decoder_append(self.d, self.model.g, token))

    @property
    def logits(self):
        """The logits for what comes next, a list; zeros before the first token."""
        return as_list(self.d.logits, self.model.g.s.V)

    def probabilities(self, double temperature, top_k=None):
        """softmax(logit / temperature) of the `top_k` likeliest tokens, or of all: a list.

        Raises what the division raises near 0.
        """
        raise_error(decoder_softmax(self.d, &self.model.g.s, temperature, how_many(top_k)))
        return as_list(self.d.probabilities, self.d.n_kept)

    @property
    def kept(self):
        """The tokens that the last probabilities are of, upwards: a list."""
        kept = []
        for i in range(self.d.n_kept):
            kept.append(self.d.kept[i])
        return kept

    def draw(self, random, double temperature, top_k=None):
        """The token that random.choices would draw with the probabilities as weights.

        Calls `random` once, for a number in [0, 1). Temperature 0 means the first of the largest
        logits, and no call. Raises ValueError as choices does.
        """
        cdef const Sizes *s = &self.model.g.s
        cdef double total = 0
        if temperature == 0:
            return decoder_argmax(self.d, s)
        raise_error(decoder_softmax(self.d, s, temperature, how_many(top_k)))
        raise_error(decoder_total(self.d, &total))
        return decoder_draw(self.d, total, random())
