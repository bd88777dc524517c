# syntax=docker/dockerfile:1
# One image for all processes: `gatehouse web`, `gatehouse worker`, `python -m ingester`, `gatehouse migrate`.
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /opt/gatehouse \
 && /opt/gatehouse/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY ingester ingester
COPY sandbox sandbox
COPY sql sql
# The build backend comes from the hashed dev lock, and stays in this stage.
RUN python -m venv /tmp/backend \
 && awk '/^setuptools==/{p=1} p{print} p&&!/\\$/{exit}' requirements-dev.lock > /tmp/backend.lock \
 && /tmp/backend/bin/pip install --no-cache-dir --require-hashes --no-deps -r /tmp/backend.lock \
 && /tmp/backend/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /tmp/wheel . \
 && /opt/gatehouse/bin/pip install --no-cache-dir --no-deps /tmp/wheel/*.whl

FROM python:3.12-slim
RUN groupadd --gid 1000 gatehouse && useradd --uid 1000 --gid 1000 --no-create-home --shell /usr/sbin/nologin gatehouse \
 && install -d -o gatehouse -g gatehouse /var/lib/gatehouse
COPY --from=build /opt/gatehouse /opt/gatehouse
ENV PATH=/opt/gatehouse/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/var/lib/gatehouse \
    HOST=0.0.0.0
USER 1000:1000
VOLUME /var/lib/gatehouse
EXPOSE 8000 3000 3001 3100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/live', timeout=2)"]
CMD ["gatehouse", "web"]
