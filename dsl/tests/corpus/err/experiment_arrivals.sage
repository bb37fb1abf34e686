sage 1
import "compute.sage"

experiment a { jobs: [compute], arrivals: poisson }
experiment b { jobs: [compute], arrivals: poisson(20) }
experiment c { jobs: [compute], arrivals: poisson(0/s) }
experiment d { jobs: [compute], arrivals: poisson(-3/s) }
experiment e { jobs: [compute], arrivals: poison(3/s) }
experiment f { jobs: [compute], arrivals: burst(50) }
experiment g { jobs: [compute], arrivals: burst(0, every: 0s) }
experiment h { jobs: [compute], arrivals: trace(times.txt) }
experiment i { jobs: [compute], arrivals: 20/s }
experiment j { jobs: [compute], arrivals: constant(rate: 20/s, per: 1s) }
experiment k { jobs: [compute], arrivals: batch(20) }
