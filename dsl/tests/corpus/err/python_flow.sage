from sage import flow

def f(x):
    return x + 1
