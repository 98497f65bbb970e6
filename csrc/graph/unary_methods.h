/* The one list of Value's methods of one operand. From it come their prototypes (operators.h), the
 * type's methods (value.c), what `isograd run` wraps (run/script_class.c), and for Python
 * `_core.unary_methods`, by which the tests find them.
 *
 * X(name, doc): the method `name` of reference.Value says what it computes, value_name() in
 * operators.c is its twin, and `doc` is the docstring of both. A new one takes these three and a
 * line in _core.pyi.
 */
#ifndef ISOGRAD_UNARY_METHODS_H
#define ISOGRAD_UNARY_METHODS_H

#define UNARY_METHODS(X)                                                                           \
    X(log, "Natural logarithm; ValueError unless `data > 0`.")                                     \
    X(exp, "e to the power of `data`; OverflowError where that is no finite float.")               \
    X(relu, "`data` where it is positive, else the int 0.")

#endif
