import math
from decimal import Decimal as D, getcontext
getcontext().prec = 60
def rounded(name, x):
    d = D(x)
    if not math.isfinite(x) or x == 0:
        return {"exp": lambda: math.exp(x)}.get(name, lambda: abs(x))()
    return {"exp": lambda: float(d.exp()), "log": lambda: float(d.ln()),
     "cos": lambda: math.cos(x), "sin": lambda: math.sin(x),
     "inverse": lambda: float(1/d), "inverse_square": lambda: float(1/(d*d)),
     "inverse_root": lambda: float(1/d.sqrt()), "inverse_root_cubed": lambda: float(1/(d*d.sqrt())),
     "root": lambda: float(d.sqrt()), "square": lambda: float(d*d)}[name]()
