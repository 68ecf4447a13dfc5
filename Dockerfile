# One file, three images: `stowage` (every program of ours), `web` (screens and reverse proxy), `tryton` (the ERP).

FROM node:22-slim AS screens
WORKDIR /src
COPY dashboards/package.json dashboards/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY dashboards/ ./
RUN node node_modules/vite/bin/vite.js build

FROM nginx:1.28-alpine AS web
COPY deploy/web/nginx.conf /etc/nginx/conf.d/default.conf
COPY --from=screens /src/dist /usr/share/nginx/html
EXPOSE 8080

FROM python:3.11-slim AS tryton
RUN useradd --system --create-home --uid 999 tryton && mkdir /data && chown tryton /data
COPY requirements/tryton.txt /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/tryton.txt
COPY stowage/parts/tryton_fixtures.py stowage/demo/catalog.toml deploy/tryton/start.sh /opt/tryton/
USER tryton
VOLUME /data
EXPOSE 8000
CMD ["sh", "/opt/tryton/start.sh", "/data", "/run/stowage", "/opt/tryton/tryton_fixtures.py", "/opt/tryton/catalog.toml"]

FROM python:3.11-slim AS packages
COPY requirements/build.txt requirements/base.txt /tmp/
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r /tmp/build.txt -r /tmp/base.txt

FROM python:3.11-slim AS stowage
RUN useradd --system --create-home --uid 999 stowage && mkdir /data /agents /maps && chown stowage /data /agents /maps
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 STOWAGE_DATA_DIR=/data
WORKDIR /app
COPY pyproject.toml LICENSE README.md ./
COPY requirements/base.in requirements/
COPY edge edge
COPY backend backend
COPY device_drivers device_drivers
COPY routing routing
COPY stowage stowage
COPY deploy deploy
RUN pip install --no-cache-dir --no-index --no-build-isolation --no-deps -e .
USER stowage
VOLUME ["/data", "/agents", "/maps"]
EXPOSE 8800
ENTRYPOINT ["sh", "/app/deploy/entrypoint.sh"]
CMD ["stowage", "--help"]
