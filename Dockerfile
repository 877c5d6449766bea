# Build it, and train one run in it; with -m it searches: docs/cluster.md.
#   docker build -t mnist-sweep .
#   docker run --rm -v "$PWD:/work" mnist-sweep mnist_sweep.train model=baseline
FROM python:3.11-slim

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY mnist_sweep mnist_sweep
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# What runs leave, and MNIST where it is downloaded, go to the folder that is mounted here. Any
# user of the host may own it: matplotlib and Hydra want a home that can be written to.
WORKDIR /work
ENV HOME=/tmp MNIST_SWEEP_DATA=/work/data PYTHONUNBUFFERED=1

# `docker stop` and Kubernetes then end a run as Ctrl-C does, from its first moment: Python is
# process 1 here, which the kernel sends no SIGTERM until a command handles it.
STOPSIGNAL SIGINT
ENTRYPOINT ["python", "-m"]
CMD ["mnist_sweep.train", "--help"]
