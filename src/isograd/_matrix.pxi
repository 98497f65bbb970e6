"""Part of _native.pyx: the weight matrices of a model, as users hold them."""

cdef char *DOUBLE = b"d"


cdef bint demands_order(int flags) noexcept:
    """Whether who asks for a buffer with `flags` wants its numbers one after the other."""
    cdef int order = flags & ~PyBUF_STRIDES
    return (order & (PyBUF_C_CONTIGUOUS | PyBUF_F_CONTIGUOUS | PyBUF_ANY_CONTIGUOUS)) != 0


@cython.no_gc  # which would empty `flat`, in a cycle, while its numbers are held: a crash
cdef class Matrix:
    """A weight matrix in the model's own memory: len(w), w[i] a row, w[i][j] or w[i, j] a float.

    Rows and columns, w[:, j], are writable memoryviews of doubles; w[i:k] and w[i:k, j:l] are
    Matrices of the same memory. The whole is a two-dimensional buffer, which `numpy.asarray` takes
    without a copy. A copy, and what comes back from pickle, has memory of its own. Raises
    ValueError for a `flat` of another kind or size.
    """

    cdef object flat  # a memoryview of doubles
    cdef Py_buffer numbers  # of `flat`, which nobody can release as long as this is held
    cdef Py_ssize_t first  # where w[0, 0] stands in there
    cdef Py_ssize_t[2] sizes, steps, strides  # the latter in bytes

    def __cinit__(self, flat, Py_ssize_t n_rows, Py_ssize_t n_columns):
        self.flat = memoryview(flat)
        doubles = self.flat.ndim == 1 and self.flat.format == "d" and self.flat.c_contiguous
        if not doubles or self.flat.readonly:
            raise ValueError("a matrix is made of one row of doubles that can be written to")
        PyObject_GetBuffer(self.flat, &self.numbers, PyBUF_WRITABLE)
        cdef Py_ssize_t n = self.size()
        if n_rows < 0 or n_columns < 0 or <object>n_rows * n_columns != n:
            raise ValueError(f"{n} numbers are no {n_rows} rows of {n_columns}")
        self.lay_out(0, n_rows, n_columns, n_columns, 1)

    def __dealloc__(self):
        PyBuffer_Release(&self.numbers)

    cdef Py_ssize_t size(self) noexcept:
        return self.numbers.len // <Py_ssize_t>sizeof(double)

    cdef lay_out(self, Py_ssize_t first, Py_ssize_t n_rows, Py_ssize_t n_columns,
                 Py_ssize_t row_step, Py_ssize_t column_step):
        cdef Py_ssize_t size = sizeof(double)
        self.first = first
        self.sizes, self.steps = [n_rows, n_columns], [row_step, column_step]
        self.strides = [row_step * size, column_step * size]

    @property
    def shape(self):
        return self.sizes[0], self.sizes[1]

    def __len__(self):
        return self.sizes[0]

    def __getitem__(self, at):
        cdef Py_ssize_t row
        if isinstance(at, slice):
            return self.part(at, slice(None))
        if not isinstance(at, tuple):
            row = range(self.sizes[0])[at]
            return self.line(self.first + row * self.steps[0], self.sizes[1], self.steps[1])
        rows, columns = at
        if not isinstance(rows, slice):
            return self[rows][columns]
        if not isinstance(columns, slice):
            columns = range(self.sizes[1])[columns]
            return self.part(rows, slice(columns, columns + 1)).turned()[0]
        return self.part(rows, columns)

    cdef Matrix part(self, at_rows, at_columns):
        rows, columns = range(self.sizes[0])[at_rows], range(self.sizes[1])[at_columns]
        first = self.first + rows.start * self.steps[0] + columns.start * self.steps[1]
        cdef Matrix part = Matrix(self.flat, 1, self.size())
        part.lay_out(first if rows and columns else 0, len(rows), len(columns),
                     rows.step * self.steps[0], columns.step * self.steps[1])
        return part

    cdef Matrix turned(self):
        """The same with columns for rows."""
        cdef Matrix turned = Matrix(self.flat, 1, self.size())
        turned.lay_out(self.first, self.sizes[1], self.sizes[0], self.steps[1], self.steps[0])
        return turned

    cdef line(self, Py_ssize_t first, Py_ssize_t n, Py_ssize_t step):
        """The `n` numbers from number `first` of `flat` on, `step` apart."""
        end = first + n * step
        return self.flat[first : end if end >= 0 else None : step] if n else self.flat[:0]

    def __setitem__(self, at, x):
        if isinstance(at, tuple) and not any(isinstance(i, slice) for i in at):
            row, column = at
            self[row][column] = x
            return
        part = self[at]
        if not isinstance(part, Matrix):
            part[:] = array.array("d", x)
            return
        rows = []
        for row in x:
            rows.append(array.array("d", row))
        if len(rows) != len(part) or {*map(len, rows)} - {part.shape[1]}:
            raise ValueError(f"expected {len(part)} rows of {part.shape[1]} numbers")
        for target, row in zip(part, rows):
            target[:] = row

    def __iter__(self):
        return (self[i] for i in range(self.sizes[0]))

    def tolist(self):
        rows = []
        for row in self:
            rows.append(row.tolist())
        return rows

    def __repr__(self):
        shown = []
        for row in self[:1]:
            for x in row[:4]:
                shown.append(f"{x:.4g}")
        if self.sizes[0] * self.sizes[1] > len(shown):
            shown.append("...")
        return f"Matrix({self.sizes[0]} x {self.sizes[1]}: {', '.join(shown)})"

    def __reduce__(self):
        return Matrix, (array.array("d", chain.from_iterable(self)), *self.shape)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        cdef bint together = self.steps[0] == self.sizes[1] and self.steps[1] == 1
        cdef bint takes_steps = (flags & PyBUF_STRIDES) == PyBUF_STRIDES
        if not (together or takes_steps and not demands_order(flags)):
            raise BufferError("these rows do not lie one after the other")
        buffer.buf = <double *>self.numbers.buf + self.first if self.size() else NULL
        buffer.obj, buffer.readonly = self, 0
        buffer.itemsize = sizeof(double)
        buffer.len = self.sizes[0] * self.sizes[1] * <Py_ssize_t>sizeof(double)
        buffer.format = DOUBLE if flags & PyBUF_FORMAT else NULL
        buffer.ndim, buffer.shape, buffer.strides = 2, self.sizes, self.strides
        buffer.suboffsets = buffer.internal = NULL
