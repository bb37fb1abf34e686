sage 1
param a: int
param b = 3
param c: duration = 5
param d: string = env("NOT_SET")
param e: int = .x
param g: float = 3
