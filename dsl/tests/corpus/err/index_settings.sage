sage 1
type Doc { id: string @key, text: string }
index a: Doc from markdown("d", chunk: tokens, size: 0 tokens)
index b: Doc from markdown("d", chunk: sentences, size: 100_000 tokens)
index c: Doc from markdown("d", chunk: tokens, size: 40, overlap: 40)
index e: Doc from markdown("d", size: 100 tokens)
index f: Doc from markdown("d") { refresh: live(every: 0s) }
index g: Doc from markdown("d") { refresh: live(each: 1s) }
index h: Doc from markdown("d") { search: hybrid(weight: 0.5, fuse: rrf) }
index i: Doc from markdown("d") { search: vector(tree) }
