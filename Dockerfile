# One image for everything of Offramp that runs: the services, the set-up step, the command line, and the sandbox provider.
# Works with the classic builder, too.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS libraries
COPY requirements.txt /
# A venv without pip: what installs stays behind in this stage. Wheels alone, but on arm64, where faust-streaming has none: there it becomes one
# in pure Python.
RUN python -m venv --without-pip /venv && \
    if [ "$(uname -m)" = x86_64 ]; then wheels=--only-binary=:all:; fi && \
    python -m pip --python /venv/bin/python install --quiet --no-cache-dir --disable-pip-version-check --require-hashes $wheels --requirement /requirements.txt

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin offramp && install --directory --owner offramp /var/lib/offramp
COPY --from=libraries /venv /venv
COPY deploy/compose/ready deploy/compose/offramp /usr/local/bin/
COPY dev /app/dev
COPY schemas/offramp_schemas /app/offramp_schemas
COPY services /app/services
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 USER=offramp OFFRAMP_BIND=0.0.0.0
RUN python -m compileall -q /app
WORKDIR /app
USER 10001:10001
CMD ["offramp", "--help"]
