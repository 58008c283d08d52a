# A Postgres that can encrypt, on top of one that was built without OpenSSL: its own entrypoint, another server.
ARG BASE
FROM ${BASE}
COPY postgres /opt/postgres-with-tls
RUN ln -sf "$(command -v postgres-entrypoint)" /usr/local/bin/docker-entrypoint.sh
ENV PATH=/opt/postgres-with-tls/bin:$PATH
