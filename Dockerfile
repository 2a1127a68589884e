# The web page in a container, with its weights: docker build -t tbd . && docker run --rm -p 7860:7860 tbd
# Smaller, without CUDA: docker build --build-arg TORCH_INDEX=<the CPU wheel index that pytorch.org names> -t tbd .
# docs/deploy.md says how to run it with a read-only root and without rights.
FROM python:3.12-slim AS build

# Empty for the wheels of the lock, which bring CUDA; else the index that gives torch and torchvision of the same versions.
ARG TORCH_INDEX=

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /app
COPY requirements.lock .
# Each entry of the lock begins in the first column; what follows it belongs to it.
RUN if [ -n "$TORCH_INDEX" ]; then \
      awk '/^[a-z]/ {skip = /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==/} !skip' requirements.lock > rest.lock \
      && pip install --index-url "$TORCH_INDEX" $(sed -nE 's/^(torch(vision)?==[0-9.]+).*/\1/p' requirements.lock) \
      && pip install --no-deps --require-hashes -r rest.lock; \
    else \
      pip install --no-deps --require-hashes -r requirements.lock; \
    fi

COPY . .
# Editable, so that the weights beside the package are found.
RUN pip install --no-deps --no-build-isolation --editable .

FROM python:3.12-slim

# What is served belongs to root and is not writable for the user that serves it.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
RUN useradd --uid 1000 --create-home tbd

WORKDIR /app
USER tbd
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_TEMP_DIR=/tmp/tbd \
    HF_HOME=/tmp/hf \
    HF_HUB_DISABLE_TELEMETRY=1 \
    MPLCONFIGDIR=/tmp/matplotlib
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
CMD ["python", "app.py"]
