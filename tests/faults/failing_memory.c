/* Loaded before everything else (LD_PRELOAD): lets one request for memory or a thread fail, and
 * counts what is held.
 *
 * Requests are those that the interpreter's three allocators get, whoever asks, and those of
 * isograd's extensions to libc, which are told by the address they return to. They are numbered
 * together, from 0 on. Needs glibc, whose own functions have other names, too. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

#define NEVER LONG_MAX

static atomic_long n_requests, n_blocks;
static atomic_long to_fail = NEVER, n_failed;
static atomic_int is_counting, is_noting, only_ours;
static long noted[1 << 20], n_noted;
static void *places[1 << 20]; /* in isograd's code, where the noted requests came from */

/* ---- for faults.py ---- */

/* Counts requests from here on, and fails the one with this number; none if it is negative. With
 * `spares_python`, only if it comes from isograd's extensions. */
void memory_begin(long number, int spares_python) {
    n_requests = n_failed = 0;
    to_fail = number < 0 ? NEVER : number;
    only_ours = spares_python;
    is_counting = 1;
}

/* Counts requests, and notes the numbers of those that come from isograd's extensions. */
void memory_note(void) {
    n_requests = n_failed = n_noted = 0;
    to_fail = NEVER;
    is_noting = is_counting = 1;
}

/* Number of the i-th request that was noted; -1 if there were fewer. */
long memory_noted(long i) { return i < n_noted ? noted[i] : -1; }

/* Where it came from: an address in isograd's code. */
void *memory_place(long i) { return places[i]; }

/* Counts no more; returns how many requests there were, those that failed among them. */
long memory_end(void) {
    is_counting = is_noting = 0;
    to_fail = NEVER;
    return n_requests;
}

/* How many requests have failed since the last memory_begin(). */
long memory_failed(void) { return n_failed; }

/* Blocks that were given out less those that came back, since the process began. */
long memory_blocks(void) { return n_blocks; }

static int fails(void);

/* ---- libc, for isograd's extensions ---- */

typedef struct {
    uintptr_t begin, end;
} Code;

static Code ours[4];
static int n_ours;

/* The interpreter's functions that run and compile what is Python's. */
static const char *const FUNCTIONS[] = {"_PyEval_EvalFrameDefault", "Py_CompileStringObject"};
#define N_FUNCTIONS 2
static Code functions[N_FUNCTIONS];

static int note(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!strstr(info->dlpi_name, "isograd/_core") && !strstr(info->dlpi_name, "isograd/_native"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && n_ours < 4; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            const uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            ours[n_ours].begin = begin;
            ours[n_ours++].end = begin + info->dlpi_phdr[i].p_memsz;
        }
    return 0;
}

/* Looks where the extensions are, once they are imported, and the interpreter; returns how many of
 * these it found. */
int memory_find_code(void) {
    n_ours = 0;
    dl_iterate_phdr(note, NULL);
    int n_found = n_ours;
    for (int i = 0; i < N_FUNCTIONS; i++) {
        void *function = dlsym(RTLD_DEFAULT, FUNCTIONS[i]);
        Dl_info info;
        const ElfW(Sym) *symbol = NULL;
        if (function == NULL || !dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) ||
            symbol == NULL)
            continue;
        functions[i].begin = (uintptr_t)function;
        functions[i].end = functions[i].begin + symbol->st_size;
        n_found++;
    }
    return n_found;
}

static int is_in(const Code *codes, int n, void *address) {
    for (int i = 0; i < n; i++)
        if (codes[i].begin <= (uintptr_t)address && (uintptr_t)address < codes[i].end)
            return 1;
    return 0;
}

static int is_ours(void *address) { return is_in(ours, n_ours, address); }

/* Where in C code of isograd's the request comes from, by way of the interpreter's or not; NULL if it
 * comes from bytecode or a compiler of bytecode. */
static void *place_of_ours(void) {
    void *callers[64];
    const int n = backtrace(callers, 64);
    for (int i = 0; i < n; i++) {
        if (is_ours(callers[i]))
            return callers[i];
        if (is_in(functions, N_FUNCTIONS, callers[i]))
            return NULL;
    }
    return NULL;
}

static int fails(void) {
    if (!is_counting)
        return 0;
    const long number = atomic_fetch_add(&n_requests, 1);
    if (is_noting) {
        is_counting = 0;
        void *place = n_noted < 1 << 20 ? place_of_ours() : NULL;
        if (place != NULL) {
            places[n_noted] = place;
            noted[n_noted++] = number;
        }
        is_counting = 1;
    }
    if (number != to_fail)
        return 0;
    is_counting = 0; /* backtrace() may ask for memory */
    const int now = !only_ours || place_of_ours() != NULL;
    is_counting = 1;
    n_failed += now;
    return now;
}

#define CALLED_BY_US is_ours(__builtin_return_address(0))

static void *counted(void *memory) {
    n_blocks += memory != NULL;
    return memory;
}

void *malloc(size_t size) {
    if (!CALLED_BY_US)
        return __libc_malloc(size);
    return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size) {
    if (!CALLED_BY_US)
        return __libc_calloc(n, size);
    return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *memory, size_t size) {
    if (!CALLED_BY_US)
        return __libc_realloc(memory, size);
    if (fails())
        return NULL;
    void *moved = __libc_realloc(memory, size);
    n_blocks += memory == NULL && moved != NULL;
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!CALLED_BY_US)
        return __libc_memalign(alignment, size);
    return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void free(void *memory) {
    if (CALLED_BY_US && memory != NULL)
        n_blocks--;
    __libc_free(memory);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (create == NULL)
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    if (CALLED_BY_US && fails())
        return EAGAIN;
    return create(thread, attributes, start, argument);
}

/* ---- the interpreter's allocators ---- */

static PyMemAllocatorEx before[3];

static void *python_malloc(void *context, size_t size) {
    const PyMemAllocatorEx *a = context;
    return fails() ? NULL : counted(a->malloc(a->ctx, size));
}

static void *python_calloc(void *context, size_t n, size_t size) {
    const PyMemAllocatorEx *a = context;
    return fails() ? NULL : counted(a->calloc(a->ctx, n, size));
}

static void *python_realloc(void *context, void *memory, size_t size) {
    const PyMemAllocatorEx *a = context;
    if (fails())
        return NULL;
    void *moved = a->realloc(a->ctx, memory, size);
    n_blocks += memory == NULL && moved != NULL;
    return moved;
}

static void python_free(void *context, void *memory) {
    const PyMemAllocatorEx *a = context;
    n_blocks -= memory != NULL;
    a->free(a->ctx, memory);
}

/* Comes before the interpreter's allocators from now on, to the end of the process. */
void memory_hook_python(void) {
    for (int domain = PYMEM_DOMAIN_RAW; domain <= PYMEM_DOMAIN_OBJ; domain++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &before[domain]);
        PyMemAllocatorEx mine = {&before[domain], python_malloc, python_calloc, python_realloc,
                                 python_free};
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &mine);
    }
}
