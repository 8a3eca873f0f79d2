"""llama.cpp's server with the embedded model on loopback: `python -m benchmarks.pipeline.llama_server [SLOTS]`.

It writes its address to stdout once it answers, and ends with its stdin.
"""

import sys

import xllamacpp

from structout.models.embedded import embedded_gguf


def main() -> None:
    slots = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    params = xllamacpp.CommonParams()
    params.model.path = str(embedded_gguf())
    params.n_parallel = slots
    params.n_ctx = 4096 * slots
    params.cpuparams.n_threads = 1  # spinning threads collapse on a busy machine
    params.cpuparams_batch.n_threads = 1
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
