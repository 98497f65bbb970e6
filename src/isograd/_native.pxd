# cython: language_level=3
"""What _native.pyx calls in C, as the headers declare it."""

from libc.stdint cimport int32_t

cdef extern from "gpt/model.h" nogil:
    ctypedef struct Sizes:
        size_t V, L, C, H, D, F, block_size
        int squares_relu, ties_weights
    ctypedef struct GPT:
        Sizes s
        size_t n_params
        double *weights
        double *gradients
        double *first_moments
        double *second_moments
    ctypedef enum GptError:
        GPT_OK, GPT_NO_MEMORY, GPT_INTERRUPTED, GPT_LOG_DOMAIN, GPT_POW_RANGE, GPT_POW_COMPLEX,
        GPT_DIVISION, GPT_TOTAL_ZERO, GPT_TOTAL_INFINITE

cdef extern from "gpt/documents.h" nogil:
    ctypedef struct CDocuments "Documents":
        const int32_t *tokens
        const size_t *starts
        size_t total, first, n

cdef extern from "gpt/gpt.h" nogil:
    ctypedef struct Kind:
        int squares_relu, ties_weights
    GPT *gpt_new(size_t V, size_t L, size_t C, size_t H, size_t block_size, Kind kind)
    void gpt_free(GPT *g)
    GptError gpt_loss(GPT *g, const CDocuments *docs, double *loss)
    GptError gpt_backward(GPT *g, const CDocuments *docs, double *loss)
    const double *gpt_document_losses(const GPT *g)

cdef extern from "gpt/pace.h" nogil:
    ctypedef struct Pace:
        pass
    Pace pace_start(int cautious)

cdef extern from "numerics/calls.h" nogil:
    ctypedef enum Called:
        CALLED_EXP, CALLED_LOG, CALLED_COS, CALLED_SIN, CALLED_INVERSE, CALLED_INVERSE_SQUARE,
        CALLED_INVERSE_ROOT, CALLED_INVERSE_ROOT_CUBED, CALLED_ROOT, CALLED_SQUARE, N_CALLED
    ctypedef enum CallsError:
        CALLS_OK, CALLS_NO_MEMORY, CALLS_TOO_FAR
    ctypedef struct Exceptions:
        double *x
        signed char *above
        size_t n
    ctypedef struct CCalls "Calls":
        Exceptions[N_CALLED] of
        CallsError error
    void calls_free(CCalls *calls)
    void calls_note(CCalls *calls, Called f, double x, double result)
    void calls_note_draws(CCalls *calls, const double *drawn, size_t n)

cdef extern from "gpt/train.h" nogil:
    ctypedef enum Decline:
        FALLS_LINEARLY, FALLS_AS_COSINE, IS_CONSTANT
    ctypedef struct TrainingRun:
        CDocuments docs
        size_t first_step, n_steps, schedule_steps, batch_size, n_threads, n_warmup
        Decline decline
        double lr, beta1, beta2, eps, weight_decay, clip_norm, seconds
        int (*is_unwanted)() noexcept nogil
        Pace *pace
        CCalls *calls
        double *losses
        unsigned char *digests
        size_t completed
    GptError gpt_train(GPT *g, TrainingRun *run)

cdef extern from "gpt/decode.h" nogil:
    ctypedef struct CDecoder "Decoder":
        size_t T, n_kept
        double *logits
        double *probabilities
        size_t *kept
        CCalls *calls
        double *vectors
        double *heads
    CDecoder *decoder_new(const Sizes *s)
    void decoder_free(CDecoder *d)
    GptError decoder_append(CDecoder *d, const GPT *g, size_t token)
    size_t n_vectors(const Sizes *s)
    GptError decoder_softmax(CDecoder *d, const Sizes *s, double temperature, size_t top_k)
    GptError decoder_total(const CDecoder *d, double *total)
    size_t decoder_draw(const CDecoder *d, double total, double random)
    size_t decoder_argmax(const CDecoder *d, const Sizes *s)

cdef extern from "numerics/digest.h" nogil:
    enum:
        DIGEST_SIZE
    void digest_of(const double *x, size_t n, unsigned char *digest)

cdef extern from "numerics/rounded.h" nogil:
    ctypedef double (*RoundedFunction)(double x) noexcept
    RoundedFunction rounded_function(const char *name)

cdef extern from "numerics/vector_unit.h":
    ctypedef enum VectorUnit:
        PLAIN, AVX2, AVX512
    const char *vector_unit_init()
    VectorUnit chosen_unit "vector_unit"()
    int vector_unit_set(VectorUnit unit)

cdef extern from "Python.h":
    int check_signals "PyErr_CheckSignals"() noexcept
