"""A real llama.cpp server for tests by hand: one thread, four slots, texts and embeddings.

    python llama_server.py MODEL.gguf PORT

Needs the package xllamacpp, which brings llama.cpp's own server along. One thread, because more
spin for work that a busy machine does not have.
"""

import sys
import time

import xllamacpp

if len(sys.argv) != 3:
    sys.exit(__doc__)

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"gemma-3-270m"}
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_parallel = 4
params.n_ctx = 2048 * params.n_parallel
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
params.endpoint_metrics = True
params.embedding = True
params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN

server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
while True:
    time.sleep(3600)
