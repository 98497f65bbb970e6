/* The number protocol of micrograd's Value: Python's arithmetic operators. */
#ifndef ISOGRAD_SCALAR_ARITHMETIC_H
#define ISOGRAD_SCALAR_ARITHMETIC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyNumberMethods scalar_as_number;

#endif
