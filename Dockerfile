# The web page in a container: docker build -t tbd . && docker run --rm -p 7860:7860 tbd
# Smaller, without CUDA: docker build --build-arg TORCH_INDEX=<the CPU wheel index that pytorch.org names> -t tbd .
# Hardened: docker run --rm -p 7860:7860 --read-only --tmpfs /tmp --cap-drop ALL \
#   --security-opt no-new-privileges --memory 6g --pids-limit 256 tbd
FROM python:3.12-slim

ARG TORCH_INDEX=

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /app
COPY requirements.txt .
RUN if [ -n "$TORCH_INDEX" ]; then \
      grep -E '^torch(vision)?[^a-z]' requirements.txt > torch.txt \
      && pip install --index-url "$TORCH_INDEX" -r torch.txt \
      && rm torch.txt; \
    fi \
    && pip install -r requirements.txt

COPY . .
# Editable, so that the weights beside the package are found.
RUN pip install --no-deps --editable . \
    && useradd --uid 1000 --create-home tbd

USER tbd
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_TEMP_DIR=/tmp/tbd \
    HF_HOME=/tmp/hf \
    HF_HUB_DISABLE_TELEMETRY=1 \
    MPLCONFIGDIR=/tmp/matplotlib
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=4)"]
CMD ["python", "app.py"]
