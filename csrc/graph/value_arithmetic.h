/* Value's number protocol: Python's arithmetic operators. */
#ifndef ISOGRAD_VALUE_ARITHMETIC_H
#define ISOGRAD_VALUE_ARITHMETIC_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyNumberMethods value_as_number;

#endif
