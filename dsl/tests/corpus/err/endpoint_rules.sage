sage 1
endpoint a { url: [], model: "m", concurrency: atuo, retry: bakoff(max: 3), hedge: quantil(95%), balance: least_token }
endpoint b { url: ["http://a:8000", 3, "http://a:8000/v1/", "ftp://x"], model: "m" }
endpoint c { url: "http://a:8000", concurrency: auto(mx: 3), retry: backoff(max: 2, max: 3), hedge: quantile }
endpoint d { url: "http://", model: "", concurrency: auto(max: 0, latency_target: 0s) }
endpoint e { url: "http://a b", model: "m", concurrency: -3, hedge: quantile(101%, budget: 21%) }
endpoint f { url: "sim:mine.toml@fast", concurrency: 4 tokens, hedge: quantile(49.9%, budget: 0%), retry: backoff(budget: 101%) }
endpoint g { url: 3, concurrency: 2.5, hedge: quantile(0.95), retry: backoff(budget: 0.1, base: 0s) }
endpoint h { url: "http://a", model: "m", hedge: quantile(budget: 2%), retry: backoff(base: 5s, cap: 1s), balance: 3 }
endpoint i { url: "http://a", model: "m", hedge: true, retry: 4, price: { input: -1, output: 3 tokens } }
endpoint j { url: "http://a", model: "m", latency_target: 2s, budget: 3%, api_key: env("") }
endpoint k { url: "http://a", model: "m", concurrency: 1_000_000, limits: { requests: 0/min, tokens: 100 }, price: { in: 3 } }
endpoint l { url: "http://a", model: "m", retry: backoff(max: -1, budget: -10%, cap: 3), concurrency: auto(max: 3, 2s, 4) }
endpoint m { url: "sim:a100/qwen2.5-7b@0", concurrency: auto(latency_target: 2), hedge: quantile(95%, 2%, 3%) }
