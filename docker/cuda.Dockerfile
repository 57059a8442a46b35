# A worker for one NVIDIA GPU: PyTorch with its own CUDA libraries, no compiler, and the voices inside. linux/amd64.
# The host needs NVIDIA's driver and container toolkit; CUDA itself is in torch's wheels.
#
#   docker build -f docker/cuda.Dockerfile -t koebin:cuda --build-arg SPEAKERS=jvnv-F1-jp .
#   docker run --gpus device=0 …
#
# The build needs no GPU; without one the voices are fetched and checked, but not spoken with.
# Private voices: list them in docker/voices.toml and add
#   --secret id=hf_token,src=token.txt                 a token of the hub
#   --secret id=aws_credentials,src=credentials        a credentials file of AWS, for s3:// voices
# Behind a mirror: --build-arg BASE_IMAGE=… --build-arg PIP_INDEX_URL=… and, for a certificate or a login,
#   --secret id=pip_conf,src=pip.conf --secret id=ca,src=ca.pem    (pip.conf: [global] cert = /run/secrets/ca)
# BuildKit is needed (DOCKER_BUILDKIT=1 with old clients).

# Index of debian:bookworm-20260610-slim for every architecture.
ARG BASE_IMAGE=debian:bookworm-slim@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716

FROM ${BASE_IMAGE} AS base
# The base is pinned; its security updates of these packages are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin koebin

FROM base AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3-venv && rm -rf /var/lib/apt/lists/*
ARG PIP_INDEX_URL=https://pypi.org/simple
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_DEFAULT_TIMEOUT=180
WORKDIR /src
COPY docker/cuda.txt docker/
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=ca \
    python3 -m venv /opt/koebin \
    && /opt/koebin/bin/pip install --require-hashes --only-binary :all: -r docker/cuda.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY koebin koebin
COPY engine engine
COPY tasks tasks
COPY worker worker
COPY producers producers
# Packages of features that are not wanted: WITHOUT=av makes no M4A and M4B, and is 80 MB smaller.
ARG WITHOUT=""
# Nor does it open these: it fetches no voice and prepares none, for they are baked.
ARG UNUSED="hf-xet ml-dtypes onnx pip setuptools"
COPY docker/prune.py docker/
# The build back end alone comes without a hash: it is pinned in pyproject.toml's range and leaves nothing behind.
# What is left must speak.
# hadolint ignore=SC2086
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf --mount=type=secret,id=ca \
    /opt/koebin/bin/pip install --no-deps . \
    && /opt/koebin/bin/pip check \
    && cp -a /opt/koebin /opt/runtime \
    && /opt/koebin/bin/python docker/prune.py /opt/runtime $UNUSED $WITHOUT \
    && rm /opt/runtime/bin/[Aa]ctivate* \
    && HOME=/tmp /opt/runtime/bin/python -P -m koebin say "テストです。" -o /tmp/test.mp3

FROM build AS bake
ARG SPEAKERS=jvnv-F1-jp
# Of s3:// voices that lie elsewhere than on AWS.
ARG KOEBIN_S3_ENDPOINT_URL=""
# Any new value bakes anew: a layer's cache knows neither of a hub's new revision nor of a secret.
ARG BAKE_AGAIN=""
COPY docker/voices.toml /src/voices.toml
RUN --mount=type=secret,id=hf_token --mount=type=secret,id=aws_credentials --mount=type=secret,id=ca \
    --mount=type=cache,target=/downloads \
    export KOEBIN_CACHE=/downloads KOEBIN_VOICES=/src/voices.toml KOEBIN_DEVICE=cuda HOME=/tmp; \
    if [ -f /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca AWS_CA_BUNDLE=/run/secrets/ca; fi; \
    if [ -f /run/secrets/aws_credentials ]; then export AWS_SHARED_CREDENTIALS_FILE=/run/secrets/aws_credentials; fi; \
    if [ -f /run/secrets/hf_token ]; then set -- --token-file /run/secrets/hf_token; fi; \
    /opt/koebin/bin/koebin bake /models --speakers "$SPEAKERS" "$@"

FROM base AS runtime
ARG SPEAKERS=jvnv-F1-jp
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Koebin worker (CUDA)" \
      org.opencontainers.image.description="A Celery job queue for Japanese speech: text in, URI out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/runtime /opt/koebin
COPY --from=bake /models /models
ENV PATH=/opt/koebin/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HOME=/tmp \
    KOEBIN_CACHE=/models \
    KOEBIN_OFFLINE=true \
    KOEBIN_DEVICE=cuda \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    KOEBIN_VOICES=/models/voices.toml \
    KOEBIN_SPEAKERS=${SPEAKERS} \
    KOEBIN_LOG_FORMAT=json
USER 10001:10001
WORKDIR /tmp
# Run it with a read-only root and a writable /tmp: --read-only --tmpfs /tmp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=15s --start-period=180s --retries=3 CMD ["koebin", "health"]
ENTRYPOINT ["tini", "--", "koebin"]
CMD ["worker"]
